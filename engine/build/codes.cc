#include "engine/build/codes.h"

#include <algorithm>
#include <vector>

#include "engine/build/space.h"
#include "engine/math/pq.h"

namespace cairn::build {
namespace {

constexpr std::uint64_t kSampleRows = 65536;
constexpr std::uint64_t kSampleRowsMin = 1024;
constexpr std::uint64_t kSampleFloats = 64u << 20;
constexpr std::size_t kRowsPerTask = 512;
constexpr std::size_t kRowsPerReport = 64 * kRowsPerTask;

std::vector<float> draw_rows(Metric metric, const VectorBatch& raw,
                             std::span<const std::uint32_t> training, std::uint64_t seed) {
  const std::uint64_t rows_max = std::clamp(kSampleFloats / raw.dim, kSampleRowsMin, kSampleRows);
  std::vector<std::uint32_t> rows = draw_sample(training.size(), rows_max, seed);
  for (std::uint32_t& row : rows) row = training[row];
  std::vector<float> floats(rows.size() * raw.dim);
  to_code_space(metric, raw, rows, floats);
  return floats;
}

/// rows -= what their codes decode to.
void subtract_decoded(const math::Codebook& book, std::span<const std::uint8_t> codes,
                      std::span<float> rows, std::vector<float>& decoded) {
  decoded.resize(rows.size());
  math::pq_decode(book, codes, decoded);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] -= decoded[i];
}

/// Encodes slots in chunks; one scratch a task keeps memory at a few MiB a thread.
class Encoder {
 public:
  Encoder(Metric metric, const VectorBatch& raw, std::span<const std::uint32_t> node_of_slot,
          Codes& codes)
      : metric_(metric), raw_(raw), nodes_(node_of_slot), codes_(codes) {}

  void encode(std::size_t begin, std::size_t end) const {
    std::vector<float> rows((end - begin) * raw_.dim), decoded;
    to_code_space(metric_, raw_, nodes_.subspan(begin, end - begin), rows);
    const auto base = part(codes_.base, begin, end);
    math::pq_encode(codes_.base.book, rows, base);
    if (!codes_.refine) return;
    subtract_decoded(codes_.base.book, base, rows, decoded);
    math::pq_encode(codes_.refine->book, rows, part(*codes_.refine, begin, end));
  }

 private:
  static std::span<std::uint8_t> part(CodeTable& table, std::size_t begin, std::size_t end) {
    const std::size_t m = table.book.shape.m;
    return std::span(table.codes).subspan(begin * m, (end - begin) * m);
  }

  Metric metric_;
  const VectorBatch& raw_;
  std::span<const std::uint32_t> nodes_;
  Codes& codes_;
};

Codes train(const VectorBatch& raw, std::span<const std::uint32_t> training,
            const CodeOptions& options) {
  std::vector<float> sample = draw_rows(options.metric, raw, training, options.seed);
  const auto book = [&](std::uint32_t m) {
    return math::pq_train(sample, {.dim = raw.dim, .m = m},
                          {.iterations = 10, .seed = options.seed});
  };
  Codes codes;
  codes.base.book = book(options.code_bytes);
  if (options.refine_bytes == 0) return codes;
  std::vector<std::uint8_t> encoded(sample.size() / raw.dim * options.code_bytes);
  math::pq_encode(codes.base.book, sample, encoded);
  std::vector<float> decoded;
  subtract_decoded(codes.base.book, encoded, sample, decoded);
  codes.refine.emplace().book = book(options.refine_bytes);
  return codes;
}

}  // namespace

std::optional<Codes> make_codes(const VectorBatch& raw, std::span<const std::uint32_t> training,
                                std::span<const std::uint32_t> node_of_slot,
                                const CodeOptions& options, const Workers& workers,
                                const Tick& tick) {
  const std::size_t count = node_of_slot.size();
  if (tick && !tick("codes", 0, count)) return std::nullopt;
  Codes codes = train(raw, training, options);
  codes.base.codes.resize(count * options.code_bytes);
  if (codes.refine) codes.refine->codes.resize(count * options.refine_bytes);
  const Encoder encoder(options.metric, raw, node_of_slot, codes);
  for (std::size_t first = 0; first < count; first += kRowsPerReport) {
    const std::size_t part = std::min(kRowsPerReport, count - first);
    workers.each(part, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
      encoder.encode(first + begin, first + end);
    });
    if (tick && !tick("codes", first + part, count)) return std::nullopt;
  }
  return codes;
}

}  // namespace cairn::build

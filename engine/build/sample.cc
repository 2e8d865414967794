#include "engine/build/sample.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>

#include "engine/build/hash.h"
#include "engine/build/space.h"
#include "engine/math/row_check.h"

namespace cairn::build {
namespace {

constexpr std::uint64_t kSampleRows = 65536;
constexpr std::uint64_t kSampleRowsMin = 1024;
constexpr std::uint64_t kSampleFloats = std::uint64_t{32} << 20;
constexpr std::size_t kRowsPerTask = 1024;

std::uint64_t digest_of(std::span<const std::byte> rows, std::span<const Label> labels) {
  return Hash().add(rows).add(std::as_bytes(labels)).value();
}

/// What rows of one chunk say: the first bad one, the largest norm.
class RowCheck {
 public:
  RowCheck(VectorSource& source, Metric metric) : source_(source), metric_(metric) {}

  void run(const VectorBatch& batch, std::uint64_t first, const Workers& workers) {
    workers.each(batch.count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
      check(batch, first, begin, end);
    });
  }
  Status status() const {
    if (!error_) return {};
    return fail(*error_);
  }
  double squared_norm_max() const { return norm_; }

 private:
  void check(const VectorBatch& batch, std::uint64_t first, std::size_t begin, std::size_t end) {
    double norm = 0;
    for (std::size_t i = begin; i < end; ++i) {
      // Looked at again only to be named.
      if (!math::check_row(metric_, batch.row(i), {})) return note(batch.row(i), first + i);
      if (metric_ == Metric::ip) norm = std::max(norm, squared_norm(batch.row(i)));
    }
    const std::lock_guard lock(mutex_);
    norm_ = std::max(norm_, norm);
  }
  void note(const VectorView& vector, std::uint64_t row) {
    const std::lock_guard lock(mutex_);
    if (error_ && row_ < row) return;
    row_ = row;
    error_ = math::check_row(metric_, vector, source_.row_name(row)).error();
  }

  VectorSource& source_;
  Metric metric_;
  std::mutex mutex_;
  std::optional<Error> error_;
  std::uint64_t row_ = 0;
  double norm_ = 0;
};

}  // namespace

std::uint64_t digest_rows(std::size_t row_bytes) {
  return std::clamp<std::uint64_t>((std::size_t{8} << 20) / row_bytes, 64, 16384);
}

std::uint64_t sample_rows(std::uint64_t count, std::uint32_t dim) {
  return std::min(count, std::clamp(kSampleFloats / dim, kSampleRowsMin, kSampleRows));
}

Result<Sample> take_sample(VectorSource& source, const SampleOptions& options,
                           const Workers& workers, const Tick& tick) {
  const std::uint64_t count = source.count();
  const std::size_t row_bytes = source.dim() * dtype_bytes(source.dtype());
  const std::uint64_t at_once = digest_rows(row_bytes);
  const auto drawn = draw_sample(count, sample_rows(count, source.dim()), options.seed);
  Sample sample;
  sample.count = drawn.size();
  sample.rows.reserve(drawn.size() * row_bytes);
  RowCheck check(source, options.metric);
  std::vector<std::byte> rows(std::min(at_once, count) * row_bytes);
  std::vector<Label> labels(source.labelled() ? std::min(at_once, count) : 0);
  auto next = drawn.begin();
  for (std::uint64_t first = 0; first < count; first += at_once) {
    const std::uint64_t n = std::min(at_once, count - first);
    const auto part = std::span(rows).first(n * row_bytes);
    const auto named = std::span(labels).first(labels.empty() ? 0 : n);
    CAIRN_TRY(source.read(first, part, named));
    check.run({part.data(), n, source.dim(), source.dtype()}, first, workers);
    CAIRN_TRY(check.status());
    sample.digests.push_back(digest_of(part, named));
    for (; next != drawn.end() && *next < first + n; ++next) {
      const auto row = part.subspan((*next - first) * row_bytes, row_bytes);
      sample.rows.insert(sample.rows.end(), row.begin(), row.end());
    }
    if (tick && !tick("read", first + n, count))
      return fail(ErrorCode::cancelled, "the build was cancelled");
  }
  sample.squared_norm_max = check.squared_norm_max();
  return sample;
}

Status read_again(VectorSource& source, std::uint64_t first, std::span<const std::uint64_t> digests,
                  std::span<std::byte> rows, std::span<Label> labels, const Workers& workers) {
  const std::size_t row_bytes = source.dim() * dtype_bytes(source.dtype());
  const std::uint64_t count = rows.size() / row_bytes, at_once = digest_rows(row_bytes);
  CAIRN_TRY(source.read(first, rows, labels));
  std::atomic<std::uint64_t> wrong{count};
  workers.each(
      (count + at_once - 1) / at_once, 1, [&](std::size_t chunk, std::size_t, std::uint32_t) {
        const std::uint64_t begin = chunk * at_once;
        const std::uint64_t n = std::min(at_once, count - begin);
        const std::uint64_t found = digest_of(rows.subspan(begin * row_bytes, n * row_bytes),
                                              labels.empty() ? labels : labels.subspan(begin, n));
        if (found == digests[first / at_once + chunk]) return;
        for (std::uint64_t least = wrong; begin < least;)
          if (wrong.compare_exchange_weak(least, begin)) break;
      });
  if (wrong == count) return {};
  return fail({.code = ErrorCode::already_exists,
               .what = "the input has changed since this build began, from " +
                       source.row_name(first + wrong) + " on",
               .expected = "the same vectors, or a fresh build"});
}

}  // namespace cairn::build

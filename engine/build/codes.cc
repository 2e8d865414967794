#include "engine/build/codes.h"

#include <algorithm>
#include <numeric>

#include "engine/build/space.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRowsPerTask = 512;
/// Of a layer, where there may be as many as that takes.
constexpr std::uint32_t kLayerBytes = 8;
/// Of layers that small memory limits have room for.
constexpr std::uint32_t kFirstBytes = 32;
/// From which dimension on they are not enough.
constexpr std::uint32_t kManyDimensions = 512;
constexpr std::uint32_t kDimensionsAByte = 8;
/// What the codebooks of all layers but the first may cost in RAM, bytes a vector; what is beyond
/// kFirstBytes has one more.
constexpr std::uint64_t kLayerBooksBytes = 2;

/// rows -= what their codes decode to.
void subtract_decoded(const math::Codebook& book, std::span<const std::uint8_t> codes,
                      std::span<float> rows) {
  const std::size_t dim = book.shape.dim, m = book.shape.m;
  std::vector<float> decoded(dim);
  for (std::size_t i = 0; i * dim < rows.size(); ++i) {
    math::pq_decode(book, codes.subspan(i * m, m), decoded);
    for (std::size_t d = 0; d < dim; ++d) rows[i * dim + d] -= decoded[d];
  }
}

std::span<std::uint8_t> codes_of(std::vector<std::byte>& bytes, const math::Codebook& book,
                                 std::size_t begin, std::size_t end) {
  const std::size_t m = book.shape.m;
  return {reinterpret_cast<std::uint8_t*>(bytes.data()) + begin * m, (end - begin) * m};
}

}  // namespace

std::uint32_t default_refine_bytes(std::uint32_t dim) {
  return dim < kManyDimensions ? std::min(dim, kFirstBytes) : dim / kDimensionsAByte;
}

std::vector<std::uint32_t> refinement_layers(std::uint32_t refine_bytes, std::uint32_t dim,
                                             std::uint64_t vectors) {
  if (refine_bytes >= 2 * kFirstBytes) {
    std::vector<std::uint32_t> bytes = refinement_layers(kFirstBytes, dim, vectors);
    bytes.push_back(refine_bytes - kFirstBytes);
    return bytes;
  }
  const std::uint64_t layers = std::clamp<std::uint64_t>(
      refine_bytes / kLayerBytes, 1, 1 + kLayerBooksBytes * vectors / math::codebook_bytes(dim));
  std::vector<std::uint32_t> bytes;
  if (refine_bytes == 0) return bytes;
  std::uint64_t begin = 0;
  for (std::uint64_t layer = 1; layer <= layers; ++layer) {
    // Equal shares, but for a quarter of the first, which goes to the second.
    const std::uint64_t quarters = 4 * layer - (layer == 1 && layers > 1 ? 1 : 0);
    const std::uint64_t end = refine_bytes * quarters / (4 * layers);
    bytes.push_back(static_cast<std::uint32_t>(end - begin));
    begin = end;
  }
  return bytes;
}

Codebooks train_codes(const VectorBatch& sample, const CodeOptions& options,
                      const Workers& workers) {
  std::vector<std::uint32_t> rows(sample.count);
  std::iota(rows.begin(), rows.end(), 0U);
  std::vector<float> floats(rows.size() * sample.dim);
  to_code_space(options.metric, sample, rows, floats);
  const auto book = [&](std::uint32_t m) {
    return math::pq_train(
        floats, {.dim = sample.dim, .m = m},
        {.iterations = 10,
         .seed = options.seed,
         .parallel = [&](std::size_t count, const std::function<void(std::size_t)>& body) {
           workers.each(count, 1, [&](std::size_t i, std::size_t, std::uint32_t) { body(i); });
         }});
  };
  const auto leave_over = [&](const math::Codebook& of) {
    workers.each(rows.size(), kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
      const auto part = std::span(floats).subspan(begin * sample.dim, (end - begin) * sample.dim);
      std::vector<std::uint8_t> codes((end - begin) * of.shape.m);
      math::pq_encode(of, part, codes);
      subtract_decoded(of, codes, part);
    });
  };
  Codebooks books{book(options.code_bytes), {}};
  for (const std::uint32_t m : options.layers) {
    leave_over(books.layers.empty() ? books.base : books.layers.back());
    books.layers.push_back(book(m));
  }
  return books;
}

Encoded encode_rows(const Codebooks& books, Metric metric, const VectorBatch& raw,
                    const Workers& workers) {
  Encoded encoded;
  encoded.base.resize(raw.count * books.base.shape.m);
  for (const math::Codebook& layer : books.layers)
    encoded.layers.emplace_back(raw.count * layer.shape.m);
  workers.each(raw.count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    std::vector<std::uint32_t> rows(end - begin);
    std::iota(rows.begin(), rows.end(), static_cast<std::uint32_t>(begin));
    std::vector<float> floats(rows.size() * raw.dim);
    to_code_space(metric, raw, rows, floats);
    const math::Codebook* book = &books.base;
    std::span<std::uint8_t> codes = codes_of(encoded.base, *book, begin, end);
    math::pq_encode(*book, floats, codes);
    for (std::size_t layer = 0; layer < books.layers.size(); ++layer) {
      subtract_decoded(*book, codes, floats);
      book = &books.layers[layer];
      codes = codes_of(encoded.layers[layer], *book, begin, end);
      math::pq_encode(*book, floats, codes);
    }
  });
  return encoded;
}

}  // namespace cairn::build

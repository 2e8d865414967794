#include "engine/build/codes.h"

#include <algorithm>
#include <numeric>

#include "engine/build/space.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRowsPerTask = 512;

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
  Codebooks books{book(options.code_bytes), {}};
  if (options.refine_bytes == 0) return books;
  workers.each(rows.size(), kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    const auto part = std::span(floats).subspan(begin * sample.dim, (end - begin) * sample.dim);
    std::vector<std::uint8_t> codes((end - begin) * options.code_bytes);
    math::pq_encode(books.base, part, codes);
    subtract_decoded(books.base, codes, part);
  });
  books.refine = book(options.refine_bytes);
  return books;
}

Encoded encode_rows(const Codebooks& books, Metric metric, const VectorBatch& raw,
                    const Workers& workers) {
  Encoded encoded;
  encoded.base.resize(raw.count * books.base.shape.m);
  if (books.refine) encoded.refine.resize(raw.count * books.refine->shape.m);
  workers.each(raw.count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    std::vector<std::uint32_t> rows(end - begin);
    std::iota(rows.begin(), rows.end(), static_cast<std::uint32_t>(begin));
    std::vector<float> floats(rows.size() * raw.dim);
    to_code_space(metric, raw, rows, floats);
    const auto base = codes_of(encoded.base, books.base, begin, end);
    math::pq_encode(books.base, floats, base);
    if (!books.refine) return;
    subtract_decoded(books.base, base, floats);
    math::pq_encode(*books.refine, floats, codes_of(encoded.refine, *books.refine, begin, end));
  });
  return encoded;
}

}  // namespace cairn::build

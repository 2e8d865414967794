#include "engine/build/trainer.h"

#include <bit>
#include <vector>

namespace cairn::build {
namespace {

std::string cells_name() { return TempFiles::name("cells", 0); }
std::string books_name() { return TempFiles::name("books", 0); }

}  // namespace

Status Trainer::load_sample() {
  if (!sample_.rows.empty()) return {};
  const std::uint64_t bytes = sample_.count * job_.space.raw_row_bytes();
  CAIRN_ASSIGN(auto file, job_.temp.open(sample_name(), bytes));
  CAIRN_ASSIGN(sample_.rows, file.read_array<std::byte>(0, bytes));
  return {};
}

Result<Cells> Trainer::cells(const Budget& budget) {
  if (const Journal::Words* words = job_.journal.find(Unit::cells)) {
    CAIRN_ASSIGN(auto file, job_.temp.open(cells_name(), (*words)[0]));
    CAIRN_ASSIGN(auto floats, file.read_array<float>(0, (*words)[0] / sizeof(float)));
    return Cells(job_.space, std::move(floats), std::bit_cast<double>((*words)[1]));
  }
  CAIRN_TRY(load_sample());
  Cells cells = Cells::train(job_.space, sample_batch(),
                             {.cells = budget.partitions,
                              .members_max = static_cast<double>(budget.cell_members),
                              .vectors = static_cast<double>(job_.count),
                              .seed = job_.seed(Stream::cells)},
                             job_.workers);
  CAIRN_ASSIGN(auto writer, job_.temp.create(cells_name()));
  CAIRN_TRY(writer.append_stream(std::as_bytes(cells.centroids())));
  CAIRN_ASSIGN(const auto summary, writer.finish());
  CAIRN_TRY(job_.journal.append(
      Unit::cells, 0, {summary.stream_bytes, std::bit_cast<std::uint64_t>(cells.border())}));
  return cells;
}

Result<Codebooks> Trainer::load_books() {
  const std::uint64_t book_bytes = math::codebook_bytes(job_.space.dim);
  const std::vector<std::uint32_t>& layers = job_.options.refine_layers;
  CAIRN_ASSIGN(auto file, job_.temp.open(books_name(), book_bytes * (1 + layers.size())));
  const auto load = [&](std::uint32_t m, std::uint64_t at) -> Result<math::Codebook> {
    math::Codebook book{.shape = {.dim = job_.space.dim, .m = m}, .centroids = {}};
    CAIRN_ASSIGN(book.centroids, file.read_array<float>(at, book_bytes / sizeof(float)));
    math::pq_prepare(book);
    return book;
  };
  Codebooks books;
  CAIRN_ASSIGN(books.base, load(job_.options.code_bytes, 0));
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    CAIRN_ASSIGN(auto book, load(layers[layer], book_bytes * (1 + layer)));
    books.layers.push_back(std::move(book));
  }
  return books;
}

Result<Codebooks> Trainer::books() {
  if (job_.journal.find(Unit::codebooks) != nullptr) return load_books();
  CAIRN_TRY(load_sample());
  Codebooks books = train_codes(sample_batch(),
                                {.metric = job_.options.metric,
                                 .code_bytes = job_.options.code_bytes,
                                 .layers = job_.options.refine_layers,
                                 .seed = job_.seed(Stream::codes)},
                                job_.workers);
  CAIRN_ASSIGN(auto writer, job_.temp.create(books_name()));
  CAIRN_TRY(writer.append_stream(std::as_bytes(std::span(books.base.centroids))));
  for (const math::Codebook& layer : books.layers)
    CAIRN_TRY(writer.append_stream(std::as_bytes(std::span(layer.centroids))));
  CAIRN_TRY(writer.finish());
  CAIRN_TRY(job_.journal.append(Unit::codebooks, 0, {}));
  return books;
}

}  // namespace cairn::build

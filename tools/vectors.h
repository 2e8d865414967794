// Vectors of a file in memory, for query sets; and what verbs check of their inputs alike.
#pragma once

#include <memory>
#include <vector>

#include "engine/search/exact.h"
#include "engine/search/memory_rows.h"
#include "tools/formats/vector_reader.h"

namespace cairn::tools {

struct Shape {
  DType dtype = DType::f32;
  std::uint32_t dim = 0;
};

/// All rows of one file.
struct Vectors {
  std::string path;
  DType dtype = DType::f32;
  std::uint32_t dim = 0;
  std::vector<std::byte> bytes;

  std::size_t row_bytes() const { return std::size_t{dim} * dtype_bytes(dtype); }
  std::uint64_t count() const { return bytes.size() / row_bytes(); }
  Shape shape() const { return {dtype, dim}; }
  VectorBatch batch() const { return {bytes.data(), count(), dim, dtype}; }
};

/// Reads the whole file and checks every row for the metric. Memory grows with what is really
/// there, never with what a header says.
Result<Vectors> load_vectors(const std::string& path, Metric metric);

/// invalid_argument unless reading `bytes` of rows from row `first`, and so many labels, stays
/// among the `count` rows of `row_bytes` that there are.
Status check_range(std::uint64_t first, std::size_t bytes, std::size_t labels,
                   std::size_t row_bytes, std::uint64_t count, bool labelled);

/// reader.read() of rows that are checked for the metric; the error names file and row.
Result<std::size_t> read_checked(formats::VectorReader& reader, Metric metric,
                                 std::span<std::byte> rows);

/// invalid_argument unless the vectors of `path` have the shape of `what` ("the index"); `doing` is
/// what they are wanted for.
Status check_shape(const std::string& path, const Shape& vectors, const Shape& expected,
                   std::string_view what, std::string_view doing = "search with");

using search::MemoryRows;

/// A vector file as a RowStream.
class FileRows final : public search::RowStream {
 public:
  explicit FileRows(std::unique_ptr<formats::VectorReader> reader) : reader_(std::move(reader)) {}
  DType dtype() const override { return reader_->dtype(); }
  std::uint32_t dim() const override { return reader_->dim(); }
  std::uint64_t count() const override { return reader_->count(); }
  Result<std::size_t> read(std::span<std::byte> rows) override { return reader_->read(rows); }
  Status rewind() override { return reader_->rewind(); }

 private:
  std::unique_ptr<formats::VectorReader> reader_;
};

}  // namespace cairn::tools

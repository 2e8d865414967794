// Shared by the tests of engine/build: data by seed, a graph by brute force, and a reader that
// takes a written index apart with nothing but layout/.
#pragma once

#include <cairn/builder.h>
#include <cairn/types.h>
#include <cairn/vector_source.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "layout/manifest.h"
#include "layout/streams.h"
#include "tests/io/io_test_util.h"
#include "tests/layout/samples.h"

namespace cairn::build {

using io::must;
using io::ok;
using io::ScratchDir;
using layout::expect_error;

/// Rows that own their bytes.
struct Rows {
  std::vector<std::byte> bytes;
  std::uint32_t dim = 0;
  DType dtype = DType::u8;

  std::uint64_t count() const { return bytes.size() / (dim * dtype_bytes(dtype)); }
  VectorBatch batch() const { return {bytes.data(), count(), dim, dtype}; }
  std::span<std::byte> row(std::uint64_t i) {
    const std::size_t size = dim * dtype_bytes(dtype);
    return std::span(bytes).subspan(i * size, size);
  }
};

/// Clusters of points about centres drawn uniformly; bytes of the whole range, floats in [0, 1).
Rows random_rows(std::uint64_t count, std::uint32_t dim, DType dtype, std::uint64_t seed);
/// Copies row `from` over `to`.
void copy_row(Rows& rows, std::uint64_t from, std::uint64_t to);

/// Rows that can be read again. What a test changes of them is seen by the next read.
struct RowsSource final : VectorSource {
  explicit RowsSource(const Rows& from, std::span<const Label> names = {})
      : rows(from), labels(names.begin(), names.end()) {}
  std::uint32_t dim() const override { return rows.dim; }
  DType dtype() const override { return rows.dtype; }
  std::uint64_t count() const override { return rows.count(); }
  bool labelled() const override { return !labels.empty(); }
  Status read(std::uint64_t first, std::span<std::byte> into, std::span<Label> named) override;
  std::uint64_t stamp() const override { return stamp_now; }
  std::uint32_t edges_max() const override {
    return static_cast<std::uint32_t>(edges.size() / rows.count());
  }
  Status read_edges(std::uint64_t first, std::span<std::uint32_t> into,
                    std::span<std::uint8_t> begins) override;

  Rows rows;
  std::vector<Label> labels;
  std::vector<std::uint32_t> edges = {};  // edges_max() a row
  std::vector<std::uint8_t> starts = {};
  std::uint64_t stamp_now = 1;
  std::function<void(std::uint64_t first)> before_read = {};
};

std::vector<std::uint32_t> iota_order(std::size_t count);

/// An index folder read back slot by slot; every page, block and list is checked on the way.
struct StoredIndex {
  layout::Manifest manifest;
  std::vector<bool> occupied;  // by slot, as are the next three
  std::vector<Label> labels;
  std::vector<std::vector<std::byte>> vectors;
  std::vector<std::vector<std::uint32_t>> lists;  // ascending
  std::vector<std::vector<std::uint32_t>> nav;    // in the order of usefulness
  layout::Entries entries;
  std::map<Label, std::uint32_t> slot_of_label;  // the labels file
  std::vector<std::byte> codes;                  // stream
  std::vector<std::vector<std::byte>> refine;    // streams of the layers

  /// Slots that hold a vector and cannot be walked to from the entry points.
  std::uint64_t unreachable() const;
  /// Slots that hold a vector and have no in-edge.
  std::uint64_t without_in_edge() const;
};
StoredIndex read_index(const std::string& folder);

/// Every file of a folder by name.
std::map<std::string, std::vector<std::byte>> read_files(const std::string& folder);

/// Builds an index of `rows` at `folder`; the test ends when that fails.
BuildReport build_index(const std::string& folder, const Rows& rows, const BuildOptions& options,
                        std::span<const Label> labels = {});

/// Fails unless the folder holds all of `rows` under `labels`, each reachable and each with an
/// in-edge, blocks and navigation hold the same edges, and the labels file finds every slot.
void expect_whole(const StoredIndex& index, const Rows& rows, std::span<const Label> labels);

}  // namespace cairn::build

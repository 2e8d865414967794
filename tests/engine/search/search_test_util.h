// Shared by the tests of an index on disk: a folder built once a process, and exact answers.
#pragma once

#include <cairn/index.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "layout/manifest.h"
#include "layout/node_block.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::search::testing {

using build::must;
using build::ok;
using build::Rows;
using build::ScratchDir;
using io::in_child;

/// Whether `result` is an error of that kind.
template <class T>
::testing::AssertionResult fails_with(const Result<T>& result, ErrorCode code) {
  if (!result && result.error().code == code) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << (result ? "succeeded" : result.error().to_string())
                                       << ", expected " << error_name(code);
}

struct IndexSpec {
  std::uint64_t count = 3000;
  std::uint32_t dim = 16;
  DType dtype = DType::u8;
  Metric metric = Metric::l2;
  std::uint32_t degree = 24;
  std::uint64_t seed = 7;
};

/// An index folder and what is in it. Label of row i: label_of(i).
struct BuiltIndex {
  ScratchDir dir;
  std::string folder;
  Rows rows;
  IndexSpec spec;

  static Label label_of(std::uint64_t row) { return (row * 2654435761u) ^ 0x5555u; }
  VectorView row(std::uint64_t i) const { return rows.batch().row(i); }
};

/// Builds; the test ends when that fails.
std::unique_ptr<BuiltIndex> build_index(const IndexSpec& spec = {});

/// A folder that tests only read, built once a process.
const BuiltIndex& shared_index();

std::unique_ptr<Index> open_index(const BuiltIndex& built, const OpenOptions& options = {});

/// The smallest memory limit that the folder opens with, as the error of a smaller one says: no
/// edges in RAM.
std::uint64_t smallest_limit(const std::string& folder);

/// A request for row i with list size enough to be exact nearly always.
SearchRequest request_for(const BuiltIndex& built, std::uint64_t row, std::uint32_t k = 10);

/// The k nearest by exact distance, ties by label.
std::vector<Neighbor> exact_answer(const BuiltIndex& built, const SearchRequest& request);

/// Labels and distances, for comparison.
bool same_answer(const SearchResult& a, const SearchResult& b);

/// Answers of one request a row, of rows 0 to count - 1; the test fails on an error.
std::vector<SearchResult> answers(const Index& index, const BuiltIndex& built, std::uint64_t count);

/// A file of the index by role name, e.g. "codes".
std::string file_of(const std::string& folder, const std::string& role);

/// A copy of a folder's files in another.
void copy_folder(const std::string& from, const std::string& to);

/// Flips one bit of a file.
void flip_bit(const std::string& path, std::uint64_t byte, unsigned bit = 3);

layout::Manifest read_manifest(const std::string& folder);

/// See merge_segments.h; the test fails on an error.
void merge_segments(const std::string& from, const std::string& into);

/// Changes every block of the only segment and seals it again: a bug's work, not a disk's.
using BlockChange = std::function<void(const layout::BlockShape& shape, std::span<std::byte> block,
                                       std::uint32_t first_slot)>;
void rewrite_blocks(const std::string& folder, const BlockChange& change);

}  // namespace cairn::search::testing

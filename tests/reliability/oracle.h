// Seeded vectors and queries, and the exact distance between any of them: what every answer of a
// campaign is held against.
#pragma once

#include <cairn/index.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace cairn::reliability {

struct OracleSpec {
  std::uint64_t count = 1500;
  std::uint32_t dim = 24;
  DType dtype = DType::u8;
  Metric metric = Metric::l2;
  std::uint32_t queries = 8;
  std::uint64_t seed = 1;
};

class Oracle {
 public:
  /// Elements are whole numbers, of f32 too, so that sums of their products are exact in any order.
  explicit Oracle(const OracleSpec& spec);

  const OracleSpec& spec() const { return spec_; }
  std::uint64_t count() const { return spec_.count; }
  /// Rows [first, first + count).
  VectorBatch rows(std::uint64_t first, std::uint64_t count) const;
  VectorView row(std::uint64_t i) const { return rows(i, 1).row(0); }
  VectorView query(std::size_t i) const;
  /// No order of rows or slots.
  const std::vector<Label>& labels() const { return labels_; }

  /// Distance of a query to a row, as computed without the engine but for its last bit.
  float distance(std::size_t query, std::uint64_t row) const {
    return distances_[query * spec_.count + row];
  }
  /// Whether `vector` is the one of that label.
  bool is_vector(Label label, std::span<const std::byte> vector) const;

  /// Goes over all vectors in the order of disk; returns a hash of that order. An error of the
  /// scan; invalid_argument for a vector that is another one, missing or met twice.
  Result<std::uint64_t> check_scan(const Index& index) const;

  /// Why `result` cannot be the answer to `request` for that query, whatever was read; empty when
  /// it can. A list of all vectors, read to its end, is held against the true neighbours.
  std::string wrong(std::size_t query, const SearchRequest& request,
                    const SearchResult& result) const;
  /// Whether that was by a list of all vectors, read to its end.
  bool is_exact(const SearchRequest& request, const SearchResult& result) const;

 private:
  std::string wrong_order(std::size_t query, const SearchRequest& request,
                          const std::vector<Neighbor>& found) const;
  std::vector<Neighbor> nearest(std::size_t query, const SearchRequest& request) const;
  std::uint64_t admitted(const SearchRequest& request) const;

  OracleSpec spec_;
  std::vector<std::byte> rows_, queries_;
  std::vector<Label> labels_;
  std::unordered_map<Label, std::uint64_t> row_of_;
  std::vector<float> distances_;  // by query and row
};

/// A recall that is asked for by name.
struct Wish {
  std::uint32_t k;
  double recall;
};

/// Labels and distances.
bool same_neighbors(const std::vector<Neighbor>& a, const std::vector<Neighbor>& b);
/// All that an effort says.
bool same_effort(const SearchEffort& a, const SearchEffort& b);

}  // namespace cairn::reliability

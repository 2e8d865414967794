// A segment made in memory for tests and benchmarks of the search machine: vectors, real codes,
// real node blocks, navigation slices and entry lists, over whatever graph the caller gives.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/math/distance.h"
#include "engine/math/pq.h"
#include "engine/search/query.h"
#include "engine/search/segment.h"

namespace cairn::search::testing {

/// Vectors of any element type, row-major.
struct Vectors {
  DType dtype = DType::f32;
  std::uint32_t dim = 0;
  std::uint32_t count = 0;
  std::vector<std::byte> bytes;
  VectorView row(std::uint32_t i) const;
  /// As floats, of unit length under cosine.
  std::vector<float> floats(Metric metric) const;
};

/// Points around `clusters` random centres (0: none), in the range of the element type.
Vectors random_vectors(DType dtype, std::uint32_t dim, std::uint32_t count, std::uint32_t clusters,
                       std::uint64_t seed);

using Graph = std::vector<std::vector<std::uint32_t>>;

/// The `near` nearest of each (squared l2), `far` random ones, and a ring through all.
Graph brute_force_graph(const Vectors& vectors, std::uint32_t near, std::uint32_t far,
                        std::uint64_t seed);

struct SegmentOptions {
  Metric metric = Metric::l2;
  std::uint32_t m = 8;
  std::uint32_t refine_m = 0;                     // first layer of refinement; 0: none
  std::vector<std::uint32_t> more_refine_m = {};  // further layers
  std::uint32_t slots_per_block = 7;
  std::uint32_t hole_every = 0;  // leaves each hole_every-th slot empty; 0: none
  std::uint32_t nav_slices = 0;  // loaded; enough for every edge: complete
  std::uint32_t entry_lists = 8;
  std::uint32_t entry_samples = 8;           // a list
  bool entries_by_distance = false;          // each sample in the list of its nearest head
  const math::Codebook* codebook = nullptr;  // another segment's, to share; null: trains its own
  Label first_label = 1000;
  std::uint64_t seed = 1;
};

/// Owns what a Segment points to. Vector i has label first_label + i.
class SmallSegment {
 public:
  SmallSegment(Vectors vectors, const Graph& graph, const SegmentOptions& options);
  SmallSegment(const SmallSegment&) = delete;
  SmallSegment& operator=(const SmallSegment&) = delete;

  Segment view() const;
  std::span<const std::byte> page(std::uint32_t first_slot) const;
  std::span<std::byte> mutable_page(std::uint32_t first_slot);
  const Vectors& vectors() const { return vectors_; }
  std::uint32_t slot_of(std::uint32_t i) const { return slots_[i]; }
  std::uint32_t block_count() const { return slot_count_ / shape_.slots; }
  Label label_of(std::uint32_t i) const { return options_.first_label + i; }

 private:
  void assign_slots();
  void encode_codes();
  void write_blocks(const Graph& graph);
  void write_nav(const Graph& graph);
  void choose_entries();

  Vectors vectors_;
  SegmentOptions options_;
  std::uint32_t slot_count_ = 0;
  std::vector<std::uint32_t> slots_;  // of each vector
  layout::BlockShape shape_;
  math::Codebook book_;
  std::vector<std::uint8_t> codes_;
  std::vector<math::Codebook> layer_books_;
  std::vector<std::vector<std::uint8_t>> layer_codes_;
  math::LayeredCodebook refine_book_;
  std::vector<const std::uint8_t*> refine_codes_;
  std::vector<std::byte> pages_;
  std::uint32_t nav_bits_ = 0;
  bool nav_complete_ = false;
  std::vector<std::vector<std::byte>> nav_;
  std::vector<const std::byte*> nav_pointers_;
  layout::Entries entries_;
};

/// In which order a test answers the blocks that are outstanding.
enum class Order { first_in, last_in, random };

struct RunOptions {
  Order order = Order::first_in;
  std::uint64_t seed = 1;
  std::uint32_t wants_max = 64;  // room given to wants()
  double hit_share = 0;          // answered as cache hits
};

/// Drives `query` to its end, one block at a time. Fails the error through Result.
Result<SearchResult> run(Query& query, const SearchRequest& request,
                         std::span<const SmallSegment* const> owners,
                         std::span<const Segment> segments, const RunOptions& options = {});

/// The k nearest of all vectors that `allow` admits.
std::vector<Neighbor> exact_search(const SearchRequest& request, Metric metric,
                                   std::span<const SmallSegment* const> owners);

}  // namespace cairn::search::testing

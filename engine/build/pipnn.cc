#include "engine/build/pipnn.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "engine/build/candidate_rows.h"
#include "engine/build/carve.h"
#include "engine/build/leaf.h"
#include "engine/build/prune.h"

namespace cairn::build {
namespace {

// Measured on 500k real SIFT descriptors: see DESIGN.md, Build.
constexpr std::uint32_t kLeafEdges = 5;     // nearest in a leaf that become edges, each way
constexpr std::uint32_t kRowCapacity = 96;  // candidates kept for the prune, at degree 64
constexpr std::size_t kPruneChunk = 1024;

std::uint32_t row_capacity(std::uint32_t degree) {
  return std::max(kRowCapacity, degree + degree / 2);
}

CarveOptions carve_options(const GraphOptions& options) {
  CarveOptions carve;
  carve.fanouts = {7, 2};
  carve.leaf_max = 640;
  carve.leaf_target = 320;
  carve.seed = options.seed;
  return carve;
}

/// Counts finished work from many threads and lets one at a time report.
class Progress {
 public:
  Progress(const Tick& tick, const char* phase, std::uint64_t total)
      : tick_(tick), phase_(phase), total_(total) {}
  /// Whether to go on.
  bool add(std::uint64_t done) {
    const std::uint64_t now = done_.fetch_add(done) + done;
    if (!tick_ || stopped_) return !stopped_;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (lock && !tick_(phase_, now, total_)) stopped_ = true;
    return !stopped_;
  }
  bool stopped() const { return stopped_; }

 private:
  const Tick& tick_;
  const char* phase_;
  std::uint64_t total_;
  std::atomic<std::uint64_t> done_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
};

/// Candidates of a second copy from which its offers are chosen.
constexpr std::size_t kOfferCandidates = 32;

class Pruner {
 public:
  Pruner(const VectorBatch& vectors, const PruneTask& task, const GraphOptions& options,
         LinkedRows& linked)
      : vectors_(vectors), task_(task), options_(options), linked_(linked) {}

  struct Scratch {
    PruneScratch prune;
    std::vector<Candidate> row, kept;
  };

  void prune(std::uint32_t member, Scratch& scratch) const {
    linked_.rows.sorted(member, scratch.row);
    std::uint32_t degree = options_.degree;
    if (member >= task_.cores) {
      keep_news(member, scratch.row);
      degree = std::min(degree, task_.offers);
    }
    scratch.kept.resize(degree);
    linked_.kept[member] = robust_prune(vectors_, scratch.row, degree, options_.alpha,
                                        scratch.kept.data(), scratch.prune);
    linked_.rows.replace(member, std::span(scratch.kept).first(linked_.kept[member].all));
  }

 private:
  /// The nearest candidates that the owner of a second copy has not seen.
  void keep_news(std::uint32_t member, std::vector<Candidate>& row) const {
    const std::uint32_t owner = task_.other[member];
    std::erase_if(row, [&](const Candidate& candidate) {
      return candidate.id >= task_.cores || task_.other[candidate.id] == owner;
    });
    if (row.size() > kOfferCandidates) row.resize(kOfferCandidates);
  }

  const VectorBatch& vectors_;
  const PruneTask& task_;
  const GraphOptions& options_;
  LinkedRows& linked_;
};

}  // namespace

LinkedRows::LinkedRows(std::size_t count, const GraphOptions& options)
    : rows(count, row_capacity(options.degree)), kept(count) {}

std::uint64_t LinkedRows::row_bytes(std::uint32_t degree) {
  return row_capacity(degree) * CandidateRows::kSlotBytes + sizeof(Kept) + CandidateRows::kRowBytes;
}

bool link_leaves(const VectorBatch& vectors, const GraphOptions& options, const Workers& workers,
                 const Tick& tick, LinkedRows& linked) {
  CandidateRows& rows = linked.rows;
  const CarveOptions carving = carve_options(options);
  std::vector<Ids> balls = carve_top(vectors, carving, workers);
  std::uint64_t members = 0;
  for (const Ids& ball : balls) members += ball.size();
  struct Scratch {
    CarveScratch carve;
    LeafScratch leaf;
  };
  std::vector<Scratch> scratch(workers.threads());
  Progress progress(tick, "link", members);
  workers.each(balls.size(), 1, [&](std::size_t begin, std::size_t, std::uint32_t w) {
    if (progress.stopped()) return;
    const std::size_t size = balls[begin].size();
    carve(vectors, std::move(balls[begin]), carving, 1, mix_seed(options.seed, begin + 1),
          scratch[w].carve,
          [&](const Ids& leaf) { link_leaf(vectors, leaf, kLeafEdges, rows, scratch[w].leaf); });
    progress.add(size);
  });
  return !progress.stopped();
}

std::uint64_t link_scratch_bytes(std::uint32_t dim, DType dtype) {
  const CarveOptions carve = carve_options({});
  const std::uint64_t element = dtype == DType::f32 ? 4 : 2;  // bytes are packed as int16
  const std::uint64_t rows = std::uint64_t{carve.leaders_max} + carve.leaf_max;
  const std::uint64_t pairs = math::tile_ld(carve.leaf_max) * math::tile_ld(carve.leaf_max);
  return rows * (2 * dim * element + 64) + pairs * sizeof(float) + (std::uint64_t{1} << 20);
}

double link_distances(double count) {
  const CarveOptions carve = carve_options({});
  // A distance to a leader is a product alone; in a leaf it is selected from and inserted too.
  constexpr double kLeaderCost = 0.6;
  double memberships = 1, set = count, distances = 0;
  for (std::uint32_t level = 0; set > carve.leaf_max; ++level) {
    const double leaders =
        static_cast<double>(leader_count(carve, static_cast<std::size_t>(set), level));
    const double fanout = level < carve.fanouts.size() ? carve.fanouts[level] : 1;
    distances += kLeaderCost * memberships * leaders;
    memberships *= fanout;
    set *= fanout / leaders;
  }
  return distances + memberships * set;
}

bool prune_rows(const VectorBatch& vectors, const PruneTask& task, const GraphOptions& options,
                const Workers& workers, const Tick& tick, LinkedRows& linked) {
  const Pruner pruner(vectors, task, options, linked);
  std::vector<Pruner::Scratch> scratch(workers.threads());
  Progress progress(tick, "prune", vectors.count);
  workers.each(vectors.count, kPruneChunk,
               [&](std::size_t begin, std::size_t end, std::uint32_t w) {
                 if (progress.stopped()) return;
                 for (std::size_t i = begin; i < end; ++i)
                   pruner.prune(static_cast<std::uint32_t>(i), scratch[w]);
                 progress.add(end - begin);
               });
  return !progress.stopped();
}

}  // namespace cairn::build

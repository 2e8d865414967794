#include "engine/build/pipnn.h"

#include <atomic>
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

bool link_leaves(const VectorBatch& vectors, const GraphOptions& options, const Workers& workers,
                 const Tick& tick, CandidateRows& rows) {
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

}  // namespace

Graph build_graph(const VectorBatch& vectors, const GraphOptions& options, const Workers& workers,
                  const Tick& tick) {
  CandidateRows rows(vectors.count, std::max(kRowCapacity, options.degree + options.degree / 2));
  if (!link_leaves(vectors, options, workers, tick, rows)) return {};
  Graph graph(vectors.count, options.degree);
  struct Scratch {
    PruneScratch prune;
    std::vector<Candidate> row;
  };
  std::vector<Scratch> scratch(workers.threads());
  Progress progress(tick, "prune", vectors.count);
  workers.each(vectors.count, kPruneChunk,
               [&](std::size_t begin, std::size_t end, std::uint32_t w) {
                 if (progress.stopped()) return;
                 for (std::size_t i = begin; i < end; ++i) {
                   rows.sorted(static_cast<std::uint32_t>(i), scratch[w].row);
                   graph.degree[i] = static_cast<std::uint16_t>(
                       robust_prune(vectors, scratch[w].row, options.degree, options.alpha,
                                    graph.edges.data() + i * options.degree, scratch[w].prune));
                 }
                 progress.add(end - begin);
               });
  return progress.stopped() ? Graph{} : std::move(graph);
}

}  // namespace cairn::build

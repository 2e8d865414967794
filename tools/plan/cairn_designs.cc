// Cairn in several states of memory: by what a sample of the user's vectors measured, else by what
// other vectors needed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/plan/growth.h"
#include "tools/plan/rows.h"
#include "tools/units.h"

namespace cairn::tools::plan {
namespace {

/// Reads at a recall of 0.90, 0.95 and 0.99.
struct Reads {
  double at_90, at_95, at_99;

  double at(double recall) const {
    // Linear in the logarithm of what is missed, between the levels and beyond them.
    const auto level = [](double r) { return -std::log(std::max(1 - r, 1e-4)); };
    const bool low = recall < 0.95;
    const double x0 = low ? 0.90 : 0.95, x1 = low ? 0.95 : 0.99;
    const double y0 = low ? at_90 : at_95, y1 = low ? at_95 : at_99;
    const double t = (level(recall) - level(x0)) / (level(x1) - level(x0));
    return std::max(1.0, y0 * std::pow(y1 / y0, t));
  }
};

/// What reads were measured in such a state: on easy and on hard vectors, at so many.
struct Known {
  double count;
  Reads easy, hard;
};

// bench/RESULTS.md, recall by name: below 512 dimensions 500,000 SIFT descriptors and 331,000 words
// of GloVe; above, 100,000 generated vectors of 768. Rows: codes alone; a part of the refinement;
// all of it, or edges; all of it and 16 edges or more.
constexpr std::array<Known, 4> kFewDimensions = {{{4e5, {14.1, 19.1, 36.5}, {36.0, 62.6, 246}},
                                                  {4e5, {10.5, 13.4, 30.1}, {20.2, 38.8, 177}},
                                                  {4e5, {8.6, 9.6, 18.9}, {11.1, 12.0, 131}},
                                                  {4e5, {7.8, 8.9, 10.8}, {11.0, 13.4, 83.5}}}};
constexpr std::array<Known, 4> kManyDimensions = {{{1e5, {22.2, 32.1, 63.2}, {22.2, 32.1, 63.2}},
                                                   {1e5, {22.2, 32.1, 63.2}, {22.3, 32.2, 63.5}},
                                                   {1e5, {12.3, 17.9, 26.1}, {13.2, 17.9, 26.1}},
                                                   {1e5, {12.3, 17.6, 25.6}, {13.2, 17.9, 26.1}}}};
// Reads grow by so much with each doubling of the vectors: 0.05 to 0.16 were measured.
constexpr double kEasyGrowth = 0.06, kHardGrowth = 0.13;
// Core time of a read and all that belongs to it, and before the first.
constexpr double kCoreRead_s = 30e-6, kCoreSearch_s = 60e-6;
// Blocks under way of a lone search.
constexpr double kWidth = 4;
// The tail of a lone search over its mean, where it was not measured.
constexpr double kRoundsTail = 2;
// Bounds of a calibrated recall, in points: see Index::search.
constexpr double kRecallBelow = 0.005, kRecallAbove = 0.015;

const Known& known(const Workload& workload, const CairnState& state, std::size_t layers) {
  const auto& table = workload.dim < kKnownManyFrom ? kFewDimensions : kManyDimensions;
  if (state.loaded.layers == 0) return table[0];
  const bool all = state.loaded.layers == layers;
  if (state.nav_edges >= 16 && all) return table[3];
  return table[state.nav_edges > 0 || (all && workload.dim >= kKnownManyFrom) ? 2 : 1];
}

/// Of all reads, those that a cache does not save: blocks are wanted at random.
double uncached(const CairnState& state, double blocks_bytes) {
  if (blocks_bytes <= 0) return 1;
  return std::max(0.0, 1 - static_cast<double>(state.cache_bytes) / blocks_bytes);
}

Estimate calibrated_recall(double recall) {
  return {recall, std::max(0.0, recall - kRecallBelow), std::min(1.0, recall + kRecallAbove)};
}

SearchCost assumed_cost(const Workload& workload, const CairnState& state, std::size_t layers,
                        double block_reads) {
  const Known& of = known(workload, state, layers);
  const double doublings = std::log2(static_cast<double>(workload.count) / of.count);
  const double easy = of.easy.at(workload.recall) * std::exp(kEasyGrowth * doublings);
  const double hard = of.hard.at(workload.recall) * std::exp(kHardGrowth * doublings);
  const double blocks = std::sqrt(easy * hard);
  SearchCost cost{.recall = calibrated_recall(workload.recall),
                  .reads = {blocks * block_reads, 0.7 * std::min(easy, hard) * block_reads,
                            1.3 * std::max(easy, hard) * block_reads},
                  .core_s = {}};
  const auto core = [](double reads) { return kCoreSearch_s + kCoreRead_s * reads; };
  cost.core_s = {core(blocks), core(easy) / 2, core(hard) * 2};
  cost.alone_core_s = cost.core_s.value;
  cost.alone_core_p99_s = cost.core_s.value * kRoundsTail;
  cost.rounds = state.all_edges ? 1 : 1 + blocks / kWidth;
  cost.rounds_p99 = cost.rounds * kRoundsTail;
  return cost;
}

Series blocks_of(const SampleState& measured) {
  Series blocks;
  for (const SamplePoint& point : measured.points) blocks.push_back({point.count, point.blocks});
  return blocks;
}

/// States in which edges lead share a slope, and so do those in which blocks do: one list more or
/// less moves the slope of a state by as much as it is.
Trend trend_of_state(const Sample& sample, const SampleState& measured) {
  const bool edges = measured.loaded.slices != 0;
  std::vector<Series> alike;
  for (const SampleState& other : sample.states)
    if ((other.loaded.slices != 0) == edges) alike.push_back(blocks_of(other));
  return trend_of(alike, edges ? kEdgesLead : kBlocksLead);
}

SearchCost measured_cost(const Workload& workload, const Sample& sample,
                         const SampleState& measured, double block_reads) {
  const Series blocks = blocks_of(measured);
  const Estimate grown = grow(blocks, workload.count, trend_of_state(sample, measured));
  const double growth = grown.value / blocks.back().value;
  SearchCost cost{.recall = calibrated_recall(measured.points.back().recall),
                  .reads = grown.times(block_reads),
                  .core_s = {}};
  const double core_s = measured.core_us * 1e-6 * growth;
  cost.core_s = {core_s, core_s * grown.low / grown.value * 0.7,
                 core_s * grown.high / grown.value * 1.3};
  cost.alone_core_s = measured.alone_core_us * 1e-6 * growth;
  cost.rounds = measured.rounds * growth;
  cost.rounds_p99 = measured.rounds_p99 * growth;
  cost.alone_core_p99_s =
      cost.alone_core_s * std::max(1.0, measured.rounds_p99 / std::max(1.0, measured.rounds));
  return cost;
}

std::string name_of(const CairnState& state) { return "Cairn in " + show_bytes(state.limit_bytes); }

}  // namespace

std::vector<Design> cairn_designs(const Workload& workload, const BuildPlan& plan,
                                  const std::vector<CairnState>& states, const Sample* sample,
                                  const Blocks& blocks) {
  std::vector<Design> designs;
  std::size_t layers = 0;
  for (const CairnState& state : states)
    layers = std::max<std::size_t>(layers, state.loaded.layers);
  for (const CairnState& state : states) {
    Design design;
    design.name = name_of(state);
    design.cairn = true;
    design.state = state;
    design.ram_bytes = static_cast<double>(state.ram_bytes);
    design.disk_bytes = static_cast<double>(plan.index_bytes);
    design.build_s = plan.seconds;
    design.build_ram_bytes = static_cast<double>(plan.memory_bytes);
    design.build_disk_bytes = static_cast<double>(plan.disk_bytes);
    design.update = "rebuild";
    design.update_why = "an index is read-only: changes are a build of all vectors";
    const SampleState* measured = nullptr;
    if (sample != nullptr)
      for (const SampleState& one : sample->states)
        if (one.loaded == state.loaded) measured = &one;
    if (measured != nullptr) {
      design.search = measured_cost(workload, *sample, *measured, blocks.reads());
      design.measured = true;
      design.reaches = measured->points.back().reached;
    } else {
      design.search = assumed_cost(workload, state, layers, blocks.reads());
    }
    const double share = uncached(state, blocks.all_bytes);
    design.search.reads = design.search.reads.times(share);
    design.search.rounds *= share;
    design.search.rounds_p99 *= share;
    designs.push_back(std::move(design));
  }
  return designs;
}

}  // namespace cairn::tools::plan

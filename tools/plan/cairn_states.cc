#include "tools/plan/cairn_states.h"

#include <algorithm>
#include <array>
#include <span>

#include "engine/build/codes.h"
#include "engine/search/resident.h"

namespace cairn::tools::plan {
namespace {

// Everything else that an open index allocates, its calibration included: 30 to 90 KiB measured.
constexpr std::uint64_t kBaseBytes = 96 << 10;
// A limit is that much above what it must hold, and rounded up to this.
constexpr double kLimitMargin = 1.005;
constexpr std::uint64_t kLimitUnit = 64 << 10;
// Of a vector, the entry points take so much: a sample of a 32nd, 4 bytes each.
constexpr std::uint64_t kEntriesShare = 8;

std::uint64_t with_margin(std::uint64_t bytes) {
  const auto more = static_cast<std::uint64_t>(static_cast<double>(bytes) * kLimitMargin);
  return (more + kLimitUnit - 1) / kLimitUnit * kLimitUnit;
}

}  // namespace

CairnForm::CairnForm(const Workload& workload, const BuildOptions& options, double blocks_bytes)
    : workload_(workload),
      options_(options),
      blocks_bytes_(static_cast<std::uint64_t>(blocks_bytes)) {
  const std::uint32_t dim = workload.dim;
  const std::uint64_t count = workload.count;
  options_.metric = workload.metric;
  options_.code_bytes = std::min(options_.code_bytes, dim);
  if (options_.refine_layers.empty())
    options_.refine_layers = build::refinement_layers(
        std::min(options_.refine_bytes.value_or(build::default_refine_bytes(dim)), dim), dim,
        count);
  const auto codes = [&](std::uint32_t bytes) {
    layout::CodesPlan plan;
    plan.header = {.dim = dim, .m = bytes, .count = count};
    return plan;
  };
  search::SegmentForm form{.vectors = count,
                           .extents = 1,
                           .entries_stream_bytes = count / kEntriesShare + 64,
                           .codes = codes(options_.code_bytes),
                           .refine = {},
                           .nav = layout::NavPlan{}};
  for (const std::uint32_t layer : options_.refine_layers) form.refine.push_back(codes(layer));
  form.nav->header = {
      .count = count,
      .bits = layout::nav_bits(count),
      .slices = (options_.nav_edges + layout::kNavEdgesPerSlice - 1) / layout::kNavEdgesPerSlice};
  parts_ = search::parts_of(form);
}

std::vector<std::uint64_t> CairnForm::steps() const {
  return search::memory_steps(std::span(&parts_, 1), kBaseBytes);
}

std::uint64_t CairnForm::smallest_bytes() const { return with_margin(steps().front()); }

Result<CairnState> CairnForm::at(std::uint64_t limit_bytes) const {
  CAIRN_ASSIGN(const search::MemoryPlan plan,
               search::plan_memory(std::span(&parts_, 1), kBaseBytes, limit_bytes, blocks_bytes_));
  CairnState state{.limit_bytes = limit_bytes, .loaded = plan.segments.front()};
  for (std::uint32_t layer = 0; layer < state.loaded.layers; ++layer)
    state.refine_bytes += options_.refine_layers[layer];
  state.nav_edges = state.loaded.slices * layout::kNavEdgesPerSlice;
  state.all_edges = state.loaded.slices == parts_.slices;
  state.cache_bytes = plan.cache_bytes;
  state.ram_bytes = plan.loaded_bytes + plan.cache_bytes;
  return state;
}

std::vector<search::SegmentPlan> CairnForm::measured(const std::vector<CairnState>& states) const {
  std::vector<search::SegmentPlan> reachable;
  for (const std::uint64_t step : steps())
    if (const auto state = at(step)) reachable.push_back(state->loaded);
  std::vector<search::SegmentPlan> all;
  const auto add = [&](const search::SegmentPlan& plan) {
    if (std::ranges::find(all, plan) == all.end()) all.push_back(plan);
  };
  for (const CairnState& state : states) {
    const search::SegmentPlan alone{.layers = state.loaded.layers, .slices = 0};
    if (std::ranges::find(reachable, alone) != reachable.end()) add(alone);
    add(state.loaded);
  }
  return all;
}

std::vector<CairnState> CairnForm::states() const {
  std::vector<CairnState> all;
  for (const std::uint64_t step : steps())
    if (auto state = at(with_margin(step))) all.push_back(*state);
  // The smallest; two layers; all layers and one slice, two slices; everything.
  const auto layers = static_cast<std::uint32_t>(parts_.refine_bytes.size());
  const std::array<search::SegmentPlan, 5> wanted = {{{.layers = 0, .slices = 0},
                                                      {.layers = std::min(2U, layers), .slices = 0},
                                                      {.layers = layers, .slices = 1},
                                                      {.layers = layers, .slices = 2},
                                                      {.layers = layers, .slices = parts_.slices}}};
  std::vector<CairnState> chosen;
  for (const CairnState& state : all)
    if (std::ranges::find(wanted, state.loaded) != wanted.end()) chosen.push_back(state);
  if (workload_.memory_bytes)
    if (auto state = at(*workload_.memory_bytes)) chosen.push_back(*state);
  std::ranges::stable_sort(chosen, {}, &CairnState::limit_bytes);
  // Of few vectors the next step is less than what a limit is rounded up by.
  const auto same = [](const CairnState& a, const CairnState& b) {
    return a.limit_bytes == b.limit_bytes && a.loaded == b.loaded;
  };
  chosen.erase(std::unique(chosen.begin(), chosen.end(), same), chosen.end());
  return chosen;
}

}  // namespace cairn::tools::plan

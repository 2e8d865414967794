#include "tools/plan/planner.h"

#include <algorithm>
#include <utility>

#include "engine/build/builder_fs.h"
#include "engine/build/pack.h"
#include "layout/streams.h"
#include "tools/cli.h"
#include "tools/plan/growth.h"
#include "tools/plan/roomy_fs.h"

namespace cairn::tools::plan {
namespace {

// Core time of a build a vector, and what each byte of it adds: 74.6 us at 128 bytes (10M), 304 us
// at 3,072 (2M); and of measuring recall at its end. bench/RESULTS.md, building in partitions.
constexpr double kBuildVector_s = 64.6e-6, kBuildByte_s = 0.078e-6, kRecall_s = 140;
constexpr std::uint32_t kKnownNeighbours = 10;
// A build keeps its threads that busy.
constexpr double kBusy = 0.94;

/// Says what is to be built, and has no rows.
class NoRows final : public VectorSource {
 public:
  explicit NoRows(const Workload& workload) : workload_(workload) {}
  std::uint32_t dim() const override { return workload_.dim; }
  DType dtype() const override { return workload_.dtype; }
  std::uint64_t count() const override { return workload_.count; }
  Status read(std::uint64_t, std::span<std::byte>, std::span<Label>) override {
    return fail(ErrorCode::unsupported, "read vectors that are only planned");
  }
  std::uint64_t stamp() const override { return 0; }

 private:
  Workload workload_;
};

Result<BuildPlan> assumed_build(const Workload& workload, const BuildOptions& options,
                                std::uint32_t threads) {
  if (workload.k != kKnownNeighbours)
    return fail({.code = ErrorCode::unsupported,
                 .what = "plan without a sample",
                 .found = "k = " + std::to_string(workload.k),
                 .expected = "k = 10, for which reads are known, or --sample"});
  RoomyFs fs;
  NoRows rows(workload);
  CAIRN_ASSIGN(BuildPlan plan, build::plan_build(fs, "planned", rows, options, 0, false));
  const double vector_s = kBuildVector_s + kBuildByte_s * static_cast<double>(workload.row_bytes());
  plan.seconds = (vector_s * static_cast<double>(workload.count) + kRecall_s) / threads / kBusy;
  return plan;
}

/// What of a finished index is not blocks: known to the byte, but for a few pages.
double streams_bytes(const Workload& workload, const BuildOptions& build) {
  double vector = build.code_bytes;
  for (const std::uint32_t layer : build.refine_layers) vector += layer;
  const std::uint32_t slices =
      (build.nav_edges + layout::kNavEdgesPerSlice - 1) / layout::kNavEdgesPerSlice;
  vector += slices * layout::nav_bits(workload.count);
  vector += static_cast<double>(layout::kPageBytes) / layout::kLabelsPerLeaf;
  return static_cast<double>(workload.count) * vector;
}

/// How long the lists are decides how many vectors fit into a block: by the edges that the sample's
/// indexes have, else as a build guesses.
layout::BlockShape block_shape(const Workload& workload, const BuildOptions& build,
                               const Sample* sample) {
  const double list_bytes = sample == nullptr
                                ? 2.0 * build.degree
                                : std::max(1.0, grow_evenly(sample->adjacency, workload.count));
  return build::choose_shape(static_cast<std::uint32_t>(workload.row_bytes()),
                             workload.metric == Metric::cosine, list_bytes);
}

}  // namespace

Result<Plan> make_plan(const Request& request) {
  Plan plan{.workload = request.workload,
            .threads = thread_count(request.build.threads),
            .build = {},
            .device = request.device,
            .prices = request.prices,
            .rows = {}};
  BuildOptions options = request.build;
  options.metric = request.workload.metric;
  std::optional<Sampler> sampler;
  if (request.sample) {
    CAIRN_ASSIGN(sampler, Sampler::open(request.workload, *request.sample));
    CAIRN_ASSIGN(plan.build, sampler->plan(options));
  } else {
    CAIRN_ASSIGN(plan.build, assumed_build(request.workload, options, plan.threads));
  }
  // The states do not depend on what the blocks take, but for the cache.
  const CairnForm bare(request.workload, options, 0);
  const double streams = streams_bytes(request.workload, bare.options());
  double blocks = std::max(1.0, static_cast<double>(plan.build.index_bytes) - streams);
  if (sampler) {
    CAIRN_ASSIGN(plan.sample, sampler->measure(bare.options(), bare.measured(bare.states())));
    const layout::BlockShape shape = block_shape(request.workload, options, &*plan.sample);
    blocks = static_cast<double>(request.workload.count) * shape.block_bytes / shape.slots;
    plan.build.index_bytes = static_cast<std::uint64_t>(blocks + streams);
  }
  const CairnForm form(request.workload, options, blocks);
  const std::vector<CairnState> states = form.states();
  std::vector<Design> designs = ram_designs(request.workload, plan.threads);
  const Sample* sample = plan.sample ? &*plan.sample : nullptr;
  const Blocks of_blocks{blocks, block_shape(request.workload, options, sample).block_bytes};
  for (Design& design : cairn_designs(request.workload, plan.build, states, sample, of_blocks))
    designs.push_back(std::move(design));
  plan.rows = judge(request.workload, designs, request.device, request.prices);
  return plan;
}

}  // namespace cairn::tools::plan

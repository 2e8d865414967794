#include "engine/build/assemble.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include "engine/build/carve.h"
#include "engine/build/codes.h"
#include "engine/build/distinct.h"
#include "engine/build/entries.h"
#include "engine/build/hash.h"
#include "engine/build/pack.h"
#include "engine/build/repair.h"
#include "engine/build/space.h"
#include "engine/build/write_index.h"
#include "engine/math/distance.h"

namespace cairn::build {
namespace {

// Streams of random numbers, one a purpose.
enum class Stream : std::uint64_t { adjacency = 101, entries, codes };

class Assembly {
 public:
  Assembly(Dataset& data, const BuildOptions& options, io::Fs& fs, const std::string& folder,
           Phases& phases, BuildReport& report)
      : data_(data),
        options_(options),
        fs_(fs),
        folder_(folder),
        phases_(phases),
        report_(report),
        workers_(options.threads),
        tick_(phases.tick()) {}

  Status run() {
    CAIRN_TRY(enter("check"));
    CAIRN_TRY(data_.check_labels());
    index_id_ = index_id();
    CAIRN_TRY(enter("duplicates"));
    distinct_ = find_distinct(data_.vectors(), workers_);
    CAIRN_TRY(link());
    CAIRN_TRY(enter("order"));
    CAIRN_TRY(place());
    CAIRN_TRY(enter("entries"));
    entries_ =
        choose_entries(space_->vectors(), slots_.slot_of_vector, seed(Stream::entries), workers_);
    CAIRN_TRY(enter("repair"));
    CAIRN_TRY(mend());
    CAIRN_TRY(enter("codes"));
    codes_ = make_codes(data_.vectors(), distinct_.rows, slots_.node_of_slot, code_options(),
                        workers_, tick_);
    CAIRN_TRY(phases_.check());
    CAIRN_TRY(enter("write"));
    CAIRN_TRY(write());
    CAIRN_TRY(enter("verify"));
    CAIRN_TRY(verify_written(fs_, folder_, tick_));
    return phases_.check();
  }

 private:
  Status enter(const char* phase) {
    phases_.begin(phase);
    tick_(phase, 0, data_.count());
    return phases_.check();
  }

  std::uint64_t seed(Stream stream) const {
    return mix_seed(options_.seed, static_cast<std::uint64_t>(stream));
  }
  GraphOptions graph_options() const {
    return {.degree = options_.degree, .alpha = options_.alpha, .seed = options_.seed};
  }
  CodeOptions code_options() const {
    const std::uint32_t dim = data_.vectors().dim;
    return {.metric = options_.metric,
            .code_bytes = std::min(options_.code_bytes, dim),
            .refine_bytes = std::min(options_.refine_bytes, dim),
            .seed = seed(Stream::codes)};
  }

  /// Of everything that decides the bytes of the index: kernels round differently, and the number
  /// of threads changes nothing.
  std::uint64_t index_id() {
    const CodeOptions codes = code_options();
    return Hash()
        .add_value(kBuilderVersion)
        .add(std::as_bytes(std::span(math::kernel_path())))
        .add_value(options_.metric)
        .add_value(data_.vectors().dtype)
        .add_value(data_.vectors().dim)
        .add_value(data_.count())
        .add_value(codes.code_bytes)
        .add_value(codes.refine_bytes)
        .add_value(options_.degree)
        .add_value(options_.seed)
        .add_value(std::bit_cast<std::uint64_t>(options_.alpha))
        .add_value(data_.digest())
        .value();
  }

  Status link() {
    CAIRN_TRY(enter("graph"));
    space_.emplace(options_.metric, data_.vectors(), distinct_.rows, workers_);
    linked_ = build_graph(space_->vectors(), graph_options(), workers_, tick_);
    return phases_.check();
  }

  /// The graph of slots in the order that packs shared edges into blocks of `group` slots.
  void order(std::uint32_t group) {
    slots_ = assign_slots(
        distinct_, locality_order(space_->vectors(), linked_, group, graph_options(), workers_));
    graph_ = expand_graph(linked_, distinct_, slots_, workers_);
  }

  layout::BlockShape shape(double adjacency_bytes) const {
    return choose_shape(static_cast<std::uint32_t>(data_.vectors().row_bytes()),
                        options_.metric == Metric::cosine, adjacency_bytes);
  }

  /// What a list takes encoded is known only in an order, and the order wants to know how many
  /// slots a block has: guess, order, measure, and order again if the guess was wrong.
  Status place() {
    const auto& degree = linked_.degree;
    const double edges = std::accumulate(degree.begin(), degree.end(), 0.0);
    const std::uint32_t guess = shape(2 + 2 * edges / static_cast<double>(linked_.count())).slots;
    order(guess);
    shape_ = shape(mean_adjacency_bytes(graph_, seed(Stream::adjacency)));
    if (shape_.slots != guess) order(shape_.slots);
    linked_ = {};
    if (!make_pinned_fit(graph_, shape_))
      return fail(ErrorCode::over_limit, "no block holds a vector and its pinned edges");
    report_.dropped_edges = fit_blocks(graph_, shape_, workers_);
    return {};
  }

  Status mend() {
    CAIRN_ASSIGN(const RepairReport mended,
                 repair(graph_, shape_, {space_->vectors(), slots_.vector_of_slot}, entries_));
    report_.repair_edges = mended.edges;
    report_.dropped_edges += mended.dropped;
    phases_.log("repair: " + std::to_string(mended.edges) + " edges in " +
                std::to_string(mended.passes) + " passes");
    space_.reset();
    return {};
  }

  Status write() {
    const IndexParts parts{.metric = options_.metric,
                           .vectors = data_.vectors(),
                           .labels = data_.labels(),
                           .node_of_slot = slots_.node_of_slot,
                           .graph = &graph_,
                           .shape = shape_,
                           .codes = &codes_->base,
                           .refine = codes_->refine ? &*codes_->refine : nullptr,
                           .entries = &entries_,
                           .index_id = index_id_,
                           .seed = options_.seed,
                           .dropped_edges = report_.dropped_edges};
    CAIRN_ASSIGN(const auto manifest, write_index(fs_, folder_, parts, workers_, tick_));
    const layout::SegmentRecord& segment = manifest.segments.front();
    report_.vectors = segment.vector_count;
    report_.duplicates = distinct_.duplicates.size();
    report_.edges = segment.edge_count;
    report_.blocks = segment.slot_count / segment.slots_per_block;
    report_.slots_per_block = segment.slots_per_block;
    report_.mean_degree =
        static_cast<double>(segment.edge_count) / static_cast<double>(segment.vector_count);
    report_.disk_bytes = manifest.header.total_bytes;
    for (const auto& file : manifest.files) report_.disk_bytes += file.pages * file.page_bytes;
    return {};
  }

  Dataset& data_;
  const BuildOptions& options_;
  io::Fs& fs_;
  const std::string& folder_;
  Phases& phases_;
  BuildReport& report_;
  Workers workers_;
  Tick tick_;

  std::uint64_t index_id_ = 0;
  Distinct distinct_;
  std::optional<BuildSpace> space_;
  Graph linked_;  // over distinct vectors
  Slots slots_;
  Graph graph_;  // over slots
  layout::BlockShape shape_;
  layout::Entries entries_;
  std::optional<Codes> codes_;
};

}  // namespace

Status assemble(Dataset& data, const BuildOptions& options, io::Fs& fs, const std::string& folder,
                Phases& phases, BuildReport& report) {
  return Assembly(data, options, fs, folder, phases, report).run();
}

}  // namespace cairn::build

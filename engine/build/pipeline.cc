#include "engine/build/pipeline.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/build/budget.h"
#include "engine/build/cells.h"
#include "engine/build/codes.h"
#include "engine/build/entries.h"
#include "engine/build/graph_files.h"
#include "engine/build/hash.h"
#include "engine/build/job.h"
#include "engine/build/label_runs.h"
#include "engine/build/link_cell.h"
#include "engine/build/measure_recall.h"
#include "engine/build/members.h"
#include "engine/build/merge_cell.h"
#include "engine/build/parameters.h"
#include "engine/build/repair.h"
#include "engine/build/sample.h"
#include "engine/build/scatter.h"
#include "engine/build/spool.h"
#include "engine/build/trainer.h"
#include "engine/build/write_index.h"
#include "engine/math/distance.h"

namespace cairn::build {
namespace {

class Pipeline {
 public:
  Pipeline(VectorSource& source, const BuildOptions& options, io::Fs& fs, const std::string& folder,
           Phases& phases, BuildReport& report, Journal& journal)
      : source_(source),
        fs_(fs),
        phases_(phases),
        report_(report),
        job_{.temp = {fs, folder, parameters_hash(source, options)},
             .journal = journal,
             .options = options,
             .space = {options.metric, source.dtype(), source.dim(), 0},
             .count = source.count(),
             .labelled = source.labelled(),
             .kept_edges = options.keep_edges ? source.edges_max() : 0,
             .workers = Workers(options.threads),
             .link_workers = Workers(1),
             .tick = phases.tick()} {}

  Status run() {
    CAIRN_TRY(check_head());
    CAIRN_TRY(enter("read"));
    CAIRN_TRY(read());
    if (job_.journal.find(Unit::done) == nullptr) {
      CAIRN_TRY(build());
    } else {
      // Since it was read back an earlier run ended, and its files may have been anybody's.
      CAIRN_TRY(read_back());
    }
    take_figures(*job_.journal.find(Unit::done));
    CAIRN_TRY(remove_temporaries());
    return phases_.check();
  }

 private:
  Status build() {
    CAIRN_TRY(enter("train"));
    CAIRN_TRY(train());
    CAIRN_TRY(enter("scatter"));
    CAIRN_TRY(spread());
    CAIRN_TRY(enter("link"));
    CAIRN_TRY(link());
    CAIRN_TRY(enter("merge"));
    CAIRN_TRY(merge());
    CAIRN_TRY(enter("repair"));
    CAIRN_TRY(mend());
    CAIRN_TRY(enter("write"));
    CAIRN_TRY(write());
    CAIRN_TRY(read_back());
    if (job_.options.calibration_rows != 0) CAIRN_TRY(enter("recall"));
    CAIRN_TRY(measure_recall(job_, manifest_, [this](const auto& line) { phases_.log(line); }));
    fill_report();
    return job_.journal.append(Unit::done, 0, figures());
  }

  Status read_back() {
    CAIRN_TRY(enter("verify"));
    CAIRN_TRY(verify_written(fs_, job_.temp.folder(), job_.tick));
    return phases_.check();
  }

  Status enter(const char* phase) {
    phases_.begin(phase);
    job_.tick(phase, 0, job_.count);
    return phases_.check();
  }

  // ---- what the whole build depends on

  /// The first record: what this build is, and the budget that its units were cut by.
  Status check_head() {
    const Journal::Words* head = job_.journal.find(Unit::head);
    CAIRN_ASSIGN(budget_, make_budget(job_.space, job_.count, job_.options, job_.kept_edges));
    job_.link_workers = Workers(link_threads(job_.space, job_.options));
    // Without a sample nothing depends on what an earlier run was.
    if (head == nullptr || job_.journal.find(Unit::sample) == nullptr)
      return job_.journal.append(
          Unit::head, 0,
          {parameters_hash(source_, job_.options), source_.stamp(), budget_.partitions,
           budget_.members_max, budget_.scatter_rows, budget_.cell_members});
    if ((*head)[0] != parameters_hash(source_, job_.options)) return other_build("options");
    if (std::min((*head)[3], job_.count) > std::min(budget_.members_max, job_.count))
      return fail({.code = ErrorCode::over_limit,
                   .what = "go on with a build that was begun with more memory, in",
                   .file = job_.temp.folder(),
                   .found = std::to_string(job_.options.memory_bytes) + " bytes",
                   .expected = "the memory it was begun with, or a fresh build"});
    same_stamp_ = (*head)[1] == source_.stamp();
    budget_.partitions = static_cast<std::uint32_t>((*head)[2]);
    budget_.members_max = (*head)[3];
    budget_.scatter_rows = (*head)[4];
    budget_.cell_members = (*head)[5];
    phases_.log("goes on: " + std::to_string(job_.journal.size()) + " units done");
    return {};
  }

  tl::unexpected<Error> other_build(const std::string& what) const {
    return fail({.code = ErrorCode::already_exists,
                 .what = "build where an unfinished build has other " + what,
                 .file = job_.temp.folder(),
                 .expected = "the same options and vectors, or a fresh build"});
  }

  // ---- read

  Status read() {
    if (const Journal::Words* words = job_.journal.find(Unit::sample)) {
      job_.space.squared_norm_max = std::bit_cast<double>((*words)[0]);
      sample_.count = (*words)[1];
      sample_.digests.assign(words->begin() + 2, words->end());
      if (!same_stamp_) CAIRN_TRY(compare_input());
      return {};
    }
    CAIRN_ASSIGN(sample_, take_sample(source_, {job_.space.metric, job_.seed(Stream::sample)},
                                      job_.workers, job_.tick));
    job_.space.squared_norm_max = sample_.squared_norm_max;
    CAIRN_ASSIGN(auto writer, job_.temp.create(Trainer::sample_name()));
    CAIRN_TRY(writer.append_stream(sample_.rows));
    CAIRN_TRY(writer.finish());
    Journal::Words words{std::bit_cast<std::uint64_t>(sample_.squared_norm_max), sample_.count};
    words.insert(words.end(), sample_.digests.begin(), sample_.digests.end());
    return job_.journal.append(Unit::sample, 0, std::move(words));
  }

  /// The source says that it may have changed: has it?
  Status compare_input() {
    const std::uint64_t at_once = digest_rows(job_.space.raw_row_bytes());
    std::vector<std::byte> rows(std::min(at_once, job_.count) * job_.space.raw_row_bytes());
    std::vector<Label> labels(job_.labelled ? std::min(at_once, job_.count) : 0);
    for (std::uint64_t first = 0; first < job_.count; first += at_once) {
      const std::uint64_t n = std::min(at_once, job_.count - first);
      CAIRN_TRY(read_again(source_, first, sample_.digests,
                           std::span(rows).first(n * job_.space.raw_row_bytes()),
                           std::span(labels).first(labels.empty() ? 0 : n), job_.workers));
      CAIRN_TRY(job_.report("read", first + n, job_.count));
    }
    return {};
  }

  std::uint64_t index_id() const {
    Hash hash;
    hash.add_value(parameters_hash(source_, job_.options)).add_value(budget_.partitions);
    for (const std::uint64_t digest : sample_digests_) hash.add_value(digest);
    return hash.add(std::as_bytes(cells_->centroids())).value();
  }

  Status train() {
    sample_digests_ = std::move(sample_.digests);
    Trainer trainer(job_, std::move(sample_));
    CAIRN_ASSIGN(cells_, trainer.cells(budget_));
    CAIRN_ASSIGN(books_, trainer.books());
    return {};
  }

  // ---- partitions

  Status spread() {
    scattered_.emplace(job_, cells_->count(), budget_.scatter_rows);
    CAIRN_TRY(scatter(job_, source_, *cells_, sample_digests_, *scattered_));
    CAIRN_TRY(Spool::remove(job_.temp));
    if (!job_.labelled) return {};
    CAIRN_TRY(gather_label_runs(job_, budget_.scatter_rows));
    if (job_.journal.find(Unit::merge, 0) != nullptr) return {};
    std::optional<std::pair<Label, std::uint32_t>> last;
    return merge_label_runs(
        job_, budget_.scatter_rows, [&](Label label, std::uint32_t row) -> Status {
          if (last && last->first == label) {
            CAIRN_TRY(job_.journal.append(Unit::unusable, 0, {}));
            return fail({.code = ErrorCode::invalid_argument,
                         .what = "label " + std::to_string(label),
                         .found = source_.row_name(last->second) + " and " + source_.row_name(row),
                         .expected = "one row a label"});
          }
          last = {label, row};
          return {};
        });
  }

  Status link() {
    std::vector<std::uint64_t> members(cells_->count() + std::size_t{1});
    for (std::uint32_t cell = 0; cell < cells_->count(); ++cell)
      members[cell + 1] = members[cell] + scattered_->count(Copy::core, cell) +
                          scattered_->count(Copy::second, cell);
    report_.copies = static_cast<double>(members.back()) / static_cast<double>(job_.count);
    // The fullest cell first: it says how long lists are, from which follows the shape of blocks.
    std::uint32_t fullest = 0;
    for (std::uint32_t cell = 0; cell < cells_->count(); ++cell)
      if (scattered_->count(Copy::core, cell) > scattered_->count(Copy::core, fullest))
        fullest = cell;
    CAIRN_TRY(link_one(fullest, fullest, members));
    for (std::uint32_t cell = 0; cell < cells_->count(); ++cell) {
      CAIRN_TRY(link_one(cell, fullest, members));
      CAIRN_TRY(scattered_->release(Copy::second, cell));
      linked_.push_back(LinkedCell::from(*job_.journal.find(Unit::link, cell)));
      CAIRN_TRY(job_.report("link", members[cell + 1], members.back()));
    }
    shape_ = layout::BlockShape{.block_bytes = static_cast<std::uint32_t>(linked_[0].block_bytes),
                                .slots = static_cast<std::uint32_t>(linked_[0].slots_per_block),
                                .row_bytes = static_cast<std::uint32_t>(job_.space.raw_row_bytes()),
                                .has_norms = job_.space.metric == Metric::cosine};
    plan_ = SlotPlan(linked_, shape_);
    return {};
  }

  Status link_one(std::uint32_t cell, std::uint32_t fullest,
                  const std::vector<std::uint64_t>& members) {
    if (job_.journal.find(Unit::link, cell) != nullptr) return {};
    return link_cell(job_, *scattered_, {cell, fullest, budget_.members_max},
                     cell_tick(members, cell));
  }

  /// Of the members of all cells: linking a cell is most of its work, pruning the rest.
  Tick cell_tick(const std::vector<std::uint64_t>& members, std::uint32_t cell) const {
    return [this, &members, cell](std::string_view step, std::uint64_t done, std::uint64_t total) {
      const auto all = static_cast<double>(members[cell + 1] - members[cell]);
      const double share =
          static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(1, total));
      const double part = step == "prune" ? 0.7 + 0.3 * share : 0.7 * share;
      return job_.tick("link", members[cell] + static_cast<std::uint64_t>(all * part),
                       members.back());
    };
  }

  Status merge() {
    CAIRN_ASSIGN(slot_of_row_, load_slots(job_, linked_, plan_));
    lists_ = ListShape::of(job_.options.degree, plan_.total(), shape_);
    const MergeInput input{.cells = linked_,
                           .plan = plan_,
                           .slot_of_row = slot_of_row_,
                           .shape = shape_,
                           .lists = lists_};
    for (std::uint32_t cell = 0; cell < plan_.cells(); ++cell) {
      if (job_.journal.find(Unit::merge, cell) == nullptr) {
        CAIRN_TRY(merge_cell(job_, input, cell));
      } else {
        CAIRN_TRY(job_.temp.remove(TempFiles::name("lists", cell)));
      }
      const Journal::Words& words = *job_.journal.find(Unit::merge, cell);
      edges_ += words[0];
      dropped_ += words[1];
      CAIRN_TRY(job_.report("merge", plan_.begin(cell) + plan_.places(cell), plan_.total()));
    }
    for (std::uint32_t cell = 0; cell < plan_.cells(); ++cell)
      CAIRN_TRY(job_.temp.remove(TempFiles::name("inbox", cell)));
    graph_.emplace(job_.temp, plan_, lists_);
    return {};
  }

  // ---- entries and repair

  Result<layout::Entries> entries() {
    std::uint64_t count = 0;
    for (const LinkedCell& cell : linked_) count += cell.entries;
    const EntrySamples samples = [&](const auto& visit) -> Status {
      for (std::uint32_t cell = 0; cell < linked_.size(); ++cell) {
        const std::uint64_t n = linked_[cell].entries;
        if (n == 0) continue;
        const std::uint64_t vectors = n * job_.space.row_bytes();
        CAIRN_ASSIGN(auto file, job_.temp.open(TempFiles::name("entries", cell), n * 4 + vectors));
        CAIRN_ASSIGN(auto slots, file.template read_array<std::uint32_t>(0, n));
        CAIRN_ASSIGN(const auto rows, file.template read_array<std::byte>(n * 4, vectors));
        for (std::uint32_t& slot : slots) slot += static_cast<std::uint32_t>(plan_.begin(cell));
        visit({{rows.data(), n, job_.space.row_dim(), job_.space.row_dtype()}, slots});
      }
      return {};
    };
    return choose_entries(count, job_.space.row_dim(), samples, job_.seed(Stream::entries),
                          job_.workers);
  }

  Status mend() {
    CAIRN_ASSIGN(entries_, entries());
    if (const Journal::Words* words = job_.journal.find(Unit::repair)) {
      const auto all = std::span(*words);
      report_.walk_passes = static_cast<std::uint32_t>(all[0]);
      repair_dropped_ = all[1];
      pins_ = Pins::from(all.subspan(2));
      return {};
    }
    const WithVectors with_vectors = [&](std::uint32_t cell, const auto& use) {
      return with_cell_vectors(cell, use);
    };
    CAIRN_ASSIGN(RepairReport mended,
                 repair(*graph_, plan_, shape_, entries_, with_vectors, job_.tick));
    pins_ = std::move(mended.pins);
    repair_dropped_ = mended.dropped;
    report_.walk_passes = mended.passes;
    Journal::Words words{mended.passes, mended.dropped};
    const auto pins = pins_.words();
    words.insert(words.end(), pins.begin(), pins.end());
    phases_.log("repair: " + std::to_string(pins_.count()) + " edges in " +
                std::to_string(mended.passes) + " passes");
    return job_.journal.append(Unit::repair, 0, std::move(words));
  }

  Status with_cell_vectors(std::uint32_t cell,
                           const std::function<Status(const CellVectors&)>& use) {
    CAIRN_ASSIGN(const Members members, load_cores(job_, *scattered_, cell));
    CellVectors vectors{plan_.begin(cell), std::vector<std::uint32_t>(plan_.slots(cell)),
                        members.vectors};
    const auto place = [&](std::uint32_t row) -> std::uint32_t& {
      return vectors.slot_row[slot_of_row_[row] - vectors.first_slot];
    };
    for (std::uint32_t i = 0; i < members.cores; ++i) place(members.rows[i]) = i;
    for (const Duplicate& duplicate : members.duplicates) place(duplicate.row) = duplicate.of;
    return use(vectors);
  }

  // ---- write

  Status write() {
    const IndexParts parts{.scattered = *scattered_,
                           .plan = plan_,
                           .slot_of_row = slot_of_row_,
                           .graph = *graph_,
                           .pins = pins_,
                           .shape = shape_,
                           .books = books_,
                           .entries = entries_,
                           .index_id = index_id(),
                           .edges = edges_ + pins_.count() - repair_dropped_,
                           .dropped = dropped_ + repair_dropped_,
                           .window_bytes = budget_.window_bytes};
    CAIRN_ASSIGN(manifest_, write_index(job_, parts));
    std::vector<std::uint32_t>().swap(slot_of_row_);
    return {};
  }

  // ---- what the report says, kept so that it can be said by a run that only publishes

  std::array<std::uint64_t*, 9> counts() {
    return {&report_.vectors,       &report_.duplicates,   &report_.edges,
            &report_.dropped_edges, &report_.repair_edges, &report_.blocks,
            &report_.disk_bytes,    &partitions_,          &slots_per_block_};
  }
  Journal::Words figures() {
    Journal::Words words{std::bit_cast<std::uint64_t>(report_.copies), report_.walk_passes};
    for (const std::uint64_t* count : counts()) words.push_back(*count);
    return words;
  }
  void take_figures(const Journal::Words& words) {
    report_.copies = std::bit_cast<double>(words[0]);
    report_.walk_passes = static_cast<std::uint32_t>(words[1]);
    std::size_t at = 2;
    for (std::uint64_t* count : counts()) *count = words[at++];
    report_.partitions = static_cast<std::uint32_t>(partitions_);
    report_.slots_per_block = static_cast<std::uint32_t>(slots_per_block_);
    report_.mean_degree = static_cast<double>(report_.edges) / static_cast<double>(report_.vectors);
  }
  void fill_report() {
    const layout::SegmentRecord& segment = manifest_.segments.front();
    report_.vectors = segment.vector_count;
    for (const LinkedCell& cell : linked_) report_.duplicates += cell.duplicates;
    report_.edges = segment.edge_count;
    report_.dropped_edges = segment.dropped_edges;
    report_.repair_edges = pins_.count();
    report_.blocks = segment.slot_count / segment.slots_per_block;
    partitions_ = cells_->count();
    slots_per_block_ = segment.slots_per_block;
    report_.disk_bytes = manifest_.header.total_bytes;
    for (const auto& file : manifest_.files) report_.disk_bytes += file.pages * file.page_bytes;
  }

  Status remove_temporaries() {
    CAIRN_ASSIGN(const auto names, fs_.list(job_.temp.folder()));
    for (const std::string& name : names)
      if (name.ends_with(kTemporarySuffix)) CAIRN_TRY(job_.temp.remove(name));
    return {};
  }

  VectorSource& source_;
  io::Fs& fs_;
  Phases& phases_;
  BuildReport& report_;
  Job job_;
  Budget budget_;
  bool same_stamp_ = true;
  Sample sample_;
  std::vector<std::uint64_t> sample_digests_;
  std::optional<Cells> cells_;
  Codebooks books_;
  std::optional<Scattered> scattered_;
  std::vector<LinkedCell> linked_;
  layout::BlockShape shape_;
  SlotPlan plan_;
  ListShape lists_;
  std::vector<std::uint32_t> slot_of_row_;
  layout::Manifest manifest_;  // of the written index
  std::optional<GraphFiles> graph_;
  layout::Entries entries_;
  Pins pins_;
  std::uint64_t edges_ = 0, dropped_ = 0, repair_dropped_ = 0;
  std::uint64_t partitions_ = 0, slots_per_block_ = 0;
};

}  // namespace

Status build_in(VectorSource& source, const BuildOptions& options, io::Fs& fs, Journal& journal,
                const std::string& folder, Phases& phases, BuildReport& report) {
  return Pipeline(source, options, fs, folder, phases, report, journal).run();
}

}  // namespace cairn::build

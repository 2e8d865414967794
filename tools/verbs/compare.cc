// cairn compare: an index of another library beside the one that was imported from it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/compare/report.h"
#include "tools/figures.h"
#include "tools/index_options.h"
#include "tools/json_line.h"
#include "tools/progress.h"
#include "tools/recall/truth.h"
#include "tools/vectors.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

constexpr std::uint64_t kLookedAt = 256;  // elements, for whether both hold the same
constexpr std::size_t kWorst = 20;
constexpr std::uint32_t kUsualEf = 100;             // where neither the user nor the file says
constexpr std::uint64_t kContextBytes = 256 << 10;  // of a searching thread, beside its blocks

struct Options {
  IndexOptions index;
  std::string old, from, queries, groundtruth;
  std::uint32_t k = 10;
  std::uint64_t queries_max = 0;  // 0: all
  std::uint32_t usual = 0;        // ef, efSearch or nprobe; 0: what the file says
  std::vector<std::uint32_t> efforts, list_sizes;
  std::vector<double> recalls;
  bool json = false;
};

/// Queries and what is right, which the rest only refers to.
struct Asked {
  Vectors vectors;
  std::vector<float> kth_distance;
};

Status ask(const Options& options, const Index& index, Asked& asked, Questions& questions) {
  const IndexStats stats = index.stats();
  CAIRN_ASSIGN(asked.vectors, load_vectors(options.queries, stats.metric));
  CAIRN_TRY(
      check_shape(options.queries, asked.vectors.shape(), {stats.dtype, stats.dim}, "the index"));
  questions.queries = asked.vectors.batch();
  if (questions.queries.count == 0 || stats.vector_count == 0)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "compare",
                 .file = questions.queries.count == 0 ? options.queries : options.index.folder,
                 .found = "nothing in it",
                 .expected = "queries, and vectors to find"});
  const std::uint64_t count = options.queries_max != 0 ? options.queries_max : ~std::uint64_t{0};
  VectorBatch batch = questions.queries;
  if (options.groundtruth.empty()) batch.count = std::min(batch.count, count);
  CAIRN_ASSIGN(asked.kth_distance, true_kth_distances(index, batch, options.k,
                                                      {options.groundtruth, options.index.quiet}));
  questions.queries.count = std::min(questions.queries.count, count);
  questions.kth_distance = asked.kth_distance;
  questions.k = static_cast<std::uint32_t>(std::min<std::uint64_t>(options.k, stats.vector_count));
  questions.kind = {stats.metric, stats.dtype};
  return {};
}

/// An index of codes has no vectors as they were added, and so no distances to them.
Status check_truth(const Options& options, const formats::IndexFacts& facts) {
  if (options.groundtruth.empty() || facts.decoded_from.empty()) return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = "compare by ground truth of vectors as they were added",
               .file = options.old,
               .found = "vectors decoded from " + facts.decoded_from,
               .expected = "--groundtruth left out, so that those are searched exactly"});
}

/// What both hold, as far as that can be seen without loading it.
Result<IndexFile> check_old(const Options& options, const Index& index, Comparison& all) {
  const IndexStats stats = index.stats();
  IndexFile file{.path = options.old, .format = *parse_index_format(options.from)};
  if (file.format == IndexFormat::hnswlib) {
    file.dim = stats.dim;
    file.dtype = stats.dtype;
  }
  file.metric = stats.metric;
  CAIRN_TRY(check_loadable(file));
  CAIRN_ASSIGN(const auto reader, open_index_file(file));
  all.old.facts = reader->facts();
  CAIRN_TRY(check_shape(options.old, {all.old.facts.dtype, all.old.facts.dim},
                        {stats.dtype, stats.dim}, "the index", "compare with"));
  CAIRN_TRY(check_truth(options, all.old.facts));
  CAIRN_ASSIGN(all.same, look_for_same(index, *reader, options.old, kLookedAt));
  return file;
}

std::uint64_t growth_since(std::uint64_t bytes) {
  const std::uint64_t now = resident_bytes();
  return now - std::min(now, bytes);
}

/// Ascending, with the usual one; 0 alone where there is none to choose.
std::vector<std::uint32_t> efforts_of(const Options& options, const OldIndex& old,
                                      std::uint32_t usual) {
  if (old.effort_name().empty()) return {0};
  const bool by_lists = old.effort_name() == "nprobe";
  std::set<std::uint32_t> efforts(options.efforts.begin(), options.efforts.end());
  constexpr std::uint64_t kLadder = 7;
  if (efforts.empty())
    for (std::uint64_t i = 0; i < kLadder; ++i)
      efforts.insert(static_cast<std::uint32_t>(
          std::min<std::uint64_t>(old.effort_max(), (by_lists ? 1ULL : options.k) << i)));
  efforts.insert(usual);
  std::set<std::uint32_t> possible;
  for (const std::uint32_t effort : efforts) possible.insert(std::min(effort, old.effort_max()));
  return {possible.begin(), possible.end()};
}

/// Memory is that of its first search too, which takes what later ones use again.
Status measure_theirs(const Options& options, const IndexFile& file, Comparison& all) {
  OldSide& side = all.old;
  const std::uint64_t before = resident_bytes();
  CAIRN_ASSIGN(const auto old, load_old_index(file, side.facts));
  {
    std::vector<Neighbor> found;
    CAIRN_TRY(old->search(all.questions.queries.row(0), all.questions.k, found));
  }
  side.resident_bytes = growth_since(before);
  side.layout_bytes = old->layout_bytes();
  side.library = file.format == IndexFormat::faiss ? "FAISS" : options.from;
  side.build = old->build();
  side.effort_name = old->effort_name();
  std::uint32_t usual = options.usual != 0 ? options.usual : old->effort();
  if (usual == 0) usual = kUsualEf;
  usual = std::min(usual, old->effort_max());
  for (const std::uint32_t effort : efforts_of(options, *old, usual)) {
    Progress progress{fmt::format("{} {} {}", side.library, side.effort_name, effort),
                      all.questions.queries.count, options.index.quiet};
    if (effort == usual || effort == 0) side.usual = side.rows.size();
    CAIRN_ASSIGN(SideRow row,
                 measure_old(*old, all.questions, effort, [&](std::uint64_t done) -> Status {
                   progress.update(done);
                   return {};
                 }));
    side.rows.push_back(std::move(row));
  }
  return {};
}

std::vector<std::uint32_t> own_efforts(const Options& options, bool by_recall) {
  std::vector<std::uint32_t> efforts = options.list_sizes;
  for (const double recall : options.recalls)
    efforts.push_back(static_cast<std::uint32_t>(std::clamp(1000 * recall + .5, 1., 1000.)));
  if (!efforts.empty()) return efforts;
  if (by_recall) return {900, 950, 980, 990};
  for (std::uint32_t list = options.k; efforts.size() < 5; list *= 2) efforts.push_back(list);
  return efforts;
}

/// By recall asked for where that is possible, and where what was calibrated does not reach so far
/// by list sizes.
Status measure_ours(const Options& options, const Index& index, OwnRows& asked, OwnRows& lists,
                    Comparison& all) {
  const SideRow& old = all.old.rows[all.old.usual];
  OwnSide& side = all.own;
  side.stats = index.stats();
  const bool by_recall =
      !options.recalls.empty() || (options.list_sizes.empty() && side.stats.calibrated);
  OwnRows& first = by_recall ? asked : lists;
  for (const std::uint32_t effort : own_efforts(options, by_recall))
    CAIRN_TRY(first.measure(effort));
  CAIRN_ASSIGN(side.match, first.least(old.row.recall));
  if (by_recall && side.match == nullptr) {
    CAIRN_TRY(lists.measure(asked.rows().rbegin()->second.row.list_size));
    CAIRN_ASSIGN(side.match, lists.least(old.row.recall));
  }
  for (const OwnRows* rows : {&asked, &lists})
    for (const auto& [effort, row] : rows->rows()) side.rows.push_back(&row);
  side.shown = side.match != nullptr ? side.match : best_of(side.rows);
  all.queries = compare_queries(old, *side.shown, all.questions, kWorst);
  return {};
}

/// Opens ours, and what a first search adds; the other is gone by then.
Result<std::unique_ptr<Index>> open_ours(const Options& options, Comparison& all) {
  const std::uint64_t before = resident_bytes();
  CAIRN_ASSIGN(auto index, open_index(options.index));
  SearchRequest first;
  first.query = all.questions.queries.row(0);
  first.k = all.questions.k;
  const auto found = index->search(first);
  if (!found) return fail(found.error());
  all.own.resident_bytes = growth_since(before);
  all.own.context_bytes =
      std::uint64_t{OpenOptions{}.io_depth} * index->stats().block_bytes + kContextBytes;
  return index;
}

Status compare(const Options& options) {
  Comparison all;
  Asked asked;
  IndexFile file;
  {
    CAIRN_ASSIGN(const auto index, open_index(options.index));
    CAIRN_ASSIGN(file, check_old(options, *index, all));
    CAIRN_TRY(ask(options, *index, asked, all.questions));
  }
  CAIRN_TRY(measure_theirs(options, file, all));
  CAIRN_ASSIGN(const auto index, open_ours(options, all));
  std::optional<Progress> progress;
  const auto started = [&](const std::string& what) -> Tick {
    progress.emplace(what, all.questions.queries.count, options.index.quiet);
    return [&progress](std::uint64_t done) -> Status {
      progress->update(done);
      return {};
    };
  };
  OwnRows asked_for(*index, all.questions, true, [&](std::uint32_t effort) {
    return started(fmt::format("Cairn recall {:g}", effort / 1000.0));
  });
  OwnRows lists(*index, all.questions, false, [&](std::uint32_t effort) {
    return started(fmt::format("Cairn list {}", effort));
  });
  CAIRN_TRY(measure_ours(options, *index, asked_for, lists, all));
  progress.reset();
  print(options.json ? json_line(report_json(all)) : report_text(all));
  return {};
}

void declare_efforts(CLI::App& command, Options& options) {
  command
      .add_option("--ef,--nprobe", options.usual,
                  "What you search it with today, ef, efSearch or nprobe; default: what the file "
                  "says, else 100")
      ->check(at_least(1));
  command
      .add_option("--curve", options.efforts,
                  "E1,E2,... its other rows; default: from k, or of nprobe 1, seven doublings")
      ->delimiter(',')
      ->check(at_least(1));
  command
      .add_option("--list-size", options.list_sizes,
                  "L1,L2,... rows of ours; default, where the index is not calibrated: from k, "
                  "five doublings")
      ->delimiter(',')
      ->check(at_least(1));
  command
      .add_option("--recall", options.recalls,
                  "R1,R2,... rows of ours by recall asked for, to a thousandth; default, where it "
                  "is calibrated: 0.9,0.95,0.98,0.99")
      ->delimiter(',')
      ->check(within(0.001, 1))
      ->excludes("--list-size");
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  add_index_options(command, options->index);
  command.add_option("--old", options->old, "The file the index was imported from")->required();
  command.add_option("--from", options->from, "hnswlib or faiss: whose file it is")
      ->required()
      ->check(CLI::IsMember({"hnswlib", "faiss", "usearch"}));
  command.add_option("--queries", options->queries, "Queries, of the index's dimension and type")
      ->required();
  command.add_option("--queries-max", options->queries_max, "Ask only the first so many")
      ->check(at_least(1));
  command.add_option("--groundtruth", options->groundtruth,
                     "Exact neighbours, from `cairn groundtruth`; else computed from the index");
  command.add_option("-k", options->k, "Neighbours a query, default 10")->check(at_least(1));
  declare_efforts(command, *options);
  add_json(command, options->json);
  return [options] { return compare(*options); };
}

}  // namespace

Verb compare_verb() {
  return {
      "compare", "Measure an imported index beside the one it came from",
      "Loads the file with the library that wrote it, asks both the same queries one after the\n"
      "other, and finds the least list size, or recall to ask for, at which ours is at least\n"
      "as good. Needs the memory that the old index needs. Its last line is for whoever\n"
      "decides.\n\n",
      "  cairn compare --index words.cairn --old words.bin --from hnswlib --ef 100 \\\n"
      "      --queries query.fbin --memory 60B/v",
      declare};
}

}  // namespace cairn::tools

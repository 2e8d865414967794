// cairn inspect and cairn verify: what an index is, and whether it is whole.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/figures.h"
#include "tools/index_options.h"
#include "tools/json_line.h"
#include "tools/progress.h"
#include "tools/table.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

constexpr std::size_t kDegreeBins = 8;  // rows of the histogram that a person reads

struct Options {
  IndexOptions index;
  bool json = false;
};

void print_degrees(const std::vector<std::uint64_t>& histogram) {
  const std::size_t width =
      std::max<std::size_t>(1, (histogram.size() + kDegreeBins - 1) / kDegreeBins);
  std::uint64_t most = 1;
  std::vector<std::uint64_t> bins;
  for (std::size_t d = 0; d < histogram.size(); d += width) {
    std::uint64_t nodes = 0;
    for (std::size_t i = d; i < std::min(histogram.size(), d + width); ++i) nodes += histogram[i];
    bins.push_back(nodes);
    most = std::max(most, nodes);
  }
  print("out-degree\n");
  for (std::size_t b = 0; b < bins.size(); ++b)
    print(fmt::format("  {:>3} - {:<3} {:>12}  {}\n", b * width, (b + 1) * width - 1,
                      show_count(bins[b]), std::string(40 * bins[b] / most, '#')));
}

void print_report(const IndexStats& stats, const StructureReport& report) {
  print(fmt::format("{} vectors of {} x {}, metric {}, {} segment(s), degree at most {}\n",
                    show_count(stats.vector_count), stats.dim, dtype_name(stats.dtype),
                    metric_name(stats.metric), stats.segment_count, stats.degree_max));
  print(fmt::format("{} blocks of {}, {} places each, {:.1f} % filled\n", show_count(report.blocks),
                    show_bytes(stats.block_bytes), stats.slots_per_block,
                    100 * share(report.vectors, report.places)));
  print(fmt::format("{} edges ({:.1f} a vector, {:.2f} bytes each), {:.1f} % inside their block\n",
                    show_count(report.edges), share(report.edges, report.vectors),
                    share(report.adjacency_bytes, report.edges),
                    100 * share(report.edges_inside_block, report.edges)));
  print_degrees(report.degree_histogram);
  Table table({"part", "bytes", "a vector"});
  std::uint64_t total = 0;
  for (const StructureReport::Part& part : report.parts) {
    table.add({part.name, show_count(part.bytes),
               fmt::format("{:.1f}", share(part.bytes, report.vectors))});
    total += part.bytes;
  }
  table.add({"all", show_count(total), fmt::format("{:.1f}", share(total, report.vectors))});
  print(table.text());
}

void print_report_json(const IndexStats& stats, const StructureReport& report) {
  nlohmann::ordered_json parts = nlohmann::ordered_json::object();
  for (const StructureReport::Part& part : report.parts) parts[part.name] = part.bytes;
  const nlohmann::ordered_json object = {{"vectors", stats.vector_count},
                                         {"dim", stats.dim},
                                         {"dtype", dtype_name(stats.dtype)},
                                         {"metric", metric_name(stats.metric)},
                                         {"segments", stats.segment_count},
                                         {"code_bytes", stats.code_bytes},
                                         {"refine_bytes", stats.refine_bytes},
                                         {"degree_max", stats.degree_max},
                                         {"blocks", report.blocks},
                                         {"block_bytes", stats.block_bytes},
                                         {"slots_per_block", stats.slots_per_block},
                                         {"places", report.places},
                                         {"edges", report.edges},
                                         {"edges_inside_block", report.edges_inside_block},
                                         {"adjacency_bytes", report.adjacency_bytes},
                                         {"degree_histogram", report.degree_histogram},
                                         {"parts", parts}};
  print(json_line(object));
}

Status inspect(const Options& options) {
  CAIRN_ASSIGN(const auto index, open_index(options.index));
  Progress progress{"inspect", 1, options.index.quiet};
  const auto show = [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); };
  CAIRN_ASSIGN(const StructureReport report, index->inspect(show));
  if (options.json)
    print_report_json(index->stats(), report);
  else
    print_report(index->stats(), report);
  return {};
}

void print_verdict_json(const VerifyReport& report) {
  nlohmann::ordered_json problems = nlohmann::ordered_json::array();
  for (const Error& problem : report.problems) problems.push_back(problem.to_string());
  const nlohmann::ordered_json object = {{"ok", report.ok()},
                                         {"blocks", report.blocks},
                                         {"vectors", report.vectors},
                                         {"edges", report.edges},
                                         {"unreachable", report.unreachable},
                                         {"without_in_edge", report.without_in_edge},
                                         {"problem_count", report.problem_count},
                                         {"problems", problems}};
  print(json_line(object));
}

Result<VerifyReport> verify_folder(const Options& options) {
  CAIRN_ASSIGN(const auto index, open_index(options.index));
  Progress progress{"verify", 1, options.index.quiet};
  VerifyOptions verify_options;
  verify_options.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total);
  };
  return index->verify(verify_options);
}

Status verify(const Options& options) {
  auto checked = verify_folder(options);
  if (!checked) {
    // An index that does not even open is a verdict too, for whoever reads standard output.
    if (options.json) {
      const nlohmann::ordered_json object = {
          {"ok", false}, {"problem_count", 1}, {"problems", {checked.error().to_string()}}};
      print(json_line(object));
    }
    return fail(std::move(checked).error());
  }
  const VerifyReport& report = *checked;
  if (options.json)
    print_verdict_json(report);
  else
    print(
        fmt::format("{} blocks, {} vectors, {} edges; {} unreachable, {} without an in-edge: {}\n",
                    show_count(report.blocks), show_count(report.vectors), show_count(report.edges),
                    show_count(report.unreachable), show_count(report.without_in_edge),
                    report.ok() ? "whole" : "DAMAGED"));
  if (report.ok()) return {};
  for (std::size_t i = 1; i < report.problems.size(); ++i)
    say(fmt::format("cairn: {}\n", report.problems[i].to_string()));
  if (report.problem_count > report.problems.size())
    say(fmt::format("cairn: and {} problems more\n",
                    show_count(report.problem_count - report.problems.size())));
  return fail(report.problems.front());
}

template <Status (*Work)(const Options&)>
Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  command.add_option("folder", options->index.folder, "Folder of the index")->required();
  add_memory(command, options->index);
  add_json(command, options->json);
  add_quiet(command, options->index.quiet);
  return [options] { return Work(*options); };
}

}  // namespace

Verb inspect_verb() {
  return {"inspect", "Show what an index is", "One sequential pass over the blocks.\n\n",
          "  cairn inspect photos.cairn", declare<inspect>};
}

Verb verify_verb() {
  return {"verify", "Check every checksum and every invariant of an index",
          "Ids, degrees, labels, and that every vector can be walked to from the entry points.\n"
          "Exit code 1, naming file and block, when something is wrong.\n\n",
          "  cairn verify photos.cairn", declare<verify>};
}

}  // namespace cairn::tools

// cairn build: an index folder from a file of vectors.
#include <cairn/builder.h>
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/formats/label_file.h"
#include "tools/formats/vector_reader.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/table.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  std::string input, index, labels;
  BuildOptions build;
  bool quiet = false, json = false;
};

/// Streams the input into the builder.
Status add_all(formats::VectorReader& reader, const std::string& labels_path, Builder& builder,
               Progress& progress) {
  std::vector<Label> labels;
  if (!labels_path.empty()) {
    CAIRN_ASSIGN(labels, formats::read_labels(labels_path, reader.count()));
  }
  std::vector<std::byte> rows(formats::rows_per_chunk(reader.row_bytes()) * reader.row_bytes());
  while (true) {
    CAIRN_TRY(check_interrupt());
    const std::uint64_t first = reader.position();
    CAIRN_ASSIGN(const std::size_t count, reader.read(rows));
    if (count == 0) return {};
    const VectorBatch batch{rows.data(), count, reader.dim(), reader.dtype()};
    const auto part = labels.empty() ? std::span<const Label>{}
                                     : std::span<const Label>(labels).subspan(first, count);
    if (auto added = builder.add(batch, part); !added)
      return fail(std::move(added.error()).in_file(reader.path()));
    progress.update(reader.position());
  }
}

void print_json(const BuildReport& report) {
  nlohmann::ordered_json phases = nlohmann::ordered_json::array();
  for (const BuildReport::Phase& phase : report.phases)
    phases.push_back({{"name", phase.name}, {"wall_s", phase.wall_s}, {"cpu_s", phase.cpu_s}});
  const nlohmann::ordered_json object = {{"vectors", report.vectors},
                                         {"duplicates", report.duplicates},
                                         {"edges", report.edges},
                                         {"mean_degree", report.mean_degree},
                                         {"dropped_edges", report.dropped_edges},
                                         {"repair_edges", report.repair_edges},
                                         {"blocks", report.blocks},
                                         {"slots_per_block", report.slots_per_block},
                                         {"disk_bytes", report.disk_bytes},
                                         {"phases", phases}};
  print(object.dump() + "\n");
}

void print_table(const BuildReport& report) {
  Table table({"phase", "wall s", "core s", "core us/vector"});
  const auto n = static_cast<double>(report.vectors);
  double wall_s = 0, cpu_s = 0;
  for (const BuildReport::Phase& phase : report.phases) {
    wall_s += phase.wall_s;
    cpu_s += phase.cpu_s;
    table.add({phase.name, fmt::format("{:.1f}", phase.wall_s), fmt::format("{:.1f}", phase.cpu_s),
               fmt::format("{:.1f}", phase.cpu_s / n * 1e6)});
  }
  table.add({"all", fmt::format("{:.1f}", wall_s), fmt::format("{:.1f}", cpu_s),
             fmt::format("{:.1f}", cpu_s / n * 1e6)});
  print(table.text());
  print(
      fmt::format("{} vectors ({} exact duplicates), {:.1f} edges each, {} a block; {} on disk; "
                  "{} edges did not fit, {} added for reachability\n",
                  show_count(report.vectors), show_count(report.duplicates), report.mean_degree,
                  report.slots_per_block, show_bytes(report.disk_bytes),
                  show_count(report.dropped_edges), show_count(report.repair_edges)));
}

Status build(Options& options) {
  install_interrupt();
  CAIRN_ASSIGN(const auto reader, formats::VectorReader::open(options.input));
  Progress progress{"build", reader->count(), options.quiet};
  std::string phase;
  options.build.progress = [&](const BuildProgress& step) {
    if (phase != step.phase) {
      phase = step.phase;
      progress.restart("build: " + phase, step.total);
    }
    progress.update(step.done, step.total);
    return bool(check_interrupt());
  };
  if (!options.quiet)
    options.build.log = [](const std::string& line) { say("cairn: " + line + "\n"); };
  CAIRN_ASSIGN(const auto builder,
               Builder::create(options.index, reader->dim(), reader->dtype(), options.build));
  CAIRN_TRY(add_all(*reader, options.labels, *builder, progress));
  CAIRN_ASSIGN(const BuildReport report, builder->finish());
  if (options.json)
    print_json(report);
  else if (!options.quiet)
    print_table(report);
  return {};
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  command.add_option("--input", options->input, "Vectors, in any format")->required();
  command.add_option("--index", options->index, "New folder")->required();
  add_metric(command, options->build.metric);
  command.add_option("--codes", options->build.code_bytes, "Base code, bytes a vector, default 32")
      ->check(at_least(1));
  command
      .add_option("--refine", options->build.refine_bytes,
                  "Residual code on top, bytes a vector, default 32; 0: none")
      ->check(at_least(0));
  command.add_option("--degree", options->build.degree, "Most edges of a node, default 64")
      ->check(at_least(8));
  add_threads(command, options->build.threads);
  command.add_option("--seed", options->build.seed, "Same seed, same bytes; default 1")
      ->check(at_least(0));
  command.add_option("--labels", options->labels,
                     "64-bit labels: text, one a line, or a .u64bin file: u32 count, u32 1, "
                     "then a u64 each, little-endian");
  add_json(command, options->json);
  add_quiet(command, options->quiet);
  return [options] { return build(*options); };
}

}  // namespace

Verb build_verb() {
  return {"build", "Build an index folder from vectors",
          "The folder appears whole, by one rename, or not at all. The same input, options and\n"
          "seed give the same bytes whatever the number of threads.\n\n",
          "  cairn build --input base.u8bin --index photos.cairn\n"
          "  cairn build --input base.fbin --index words.cairn --metric cosine --codes 50",
          declare};
}

}  // namespace cairn::tools

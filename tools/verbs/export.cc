// cairn export: an index as a file of vectors, or as one that hnswlib loads.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/export/export_hnswlib.h"
#include "tools/export/export_vectors.h"
#include "tools/index_options.h"
#include "tools/interrupt.h"
#include "tools/json_line.h"
#include "tools/progress.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  IndexOptions index;
  std::string output, to;
  std::string labels;
  std::optional<DType> dtype;
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;
  std::uint32_t ef_construction = 200, threads = 0;
  bool json = false;
};

Status to_hnswlib(const Options& options) {
  HnswlibExport how{.output = options.output,
                    .dtype = options.dtype,
                    .ef_construction = options.ef_construction,
                    .threads = options.threads};
  Progress progress{"export", 1, options.index.quiet};
  how.progress = [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); };
  CAIRN_ASSIGN(const HnswlibExported done, export_hnswlib(options.index.folder, how));
  if (options.json)
    print(json_line(nlohmann::ordered_json{{"elements", done.elements},
                                           {"links", done.links},
                                           {"M", done.degree},
                                           {"level_max", done.level_max},
                                           {"dtype", dtype_name(done.dtype)},
                                           {"metric", metric_name(done.metric)}}));
  else if (!options.index.quiet)
    print(fmt::format(
        "{} elements of {} for hnswlib's {} space, M {}, {:.1f} links each, levels "
        "to {}\n",
        show_count(done.elements), dtype_name(done.dtype), metric_name(done.metric), done.degree,
        static_cast<double>(done.links) / static_cast<double>(done.elements), done.level_max));
  return {};
}

Status to_vectors(const Options& options) {
  CAIRN_ASSIGN(const auto index, open_index(options.index));
  Progress progress{"export", 1, options.index.quiet};
  VectorExport how{
      .output = options.output, .labels = options.labels, .memory_bytes = options.memory_bytes};
  how.progress = [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); };
  CAIRN_ASSIGN(const VectorExported done, export_vectors(*index, how));
  if (options.json)
    print(json_line(nlohmann::ordered_json{{"vectors", done.vectors},
                                           {"labels_are_rows", done.labels_are_rows},
                                           {"passes", done.passes}}));
  else if (!options.index.quiet)
    print(fmt::format("{} vectors, ascending by label{}\n", show_count(done.vectors),
                      done.labels_are_rows     ? "; a label is its row"
                      : options.labels.empty() ? "; --labels FILE would write which"
                                               : ""));
  return {};
}

Status run(Options& options) {
  install_interrupt();
  if (options.to.empty()) options.to = "vectors";
  return options.to == "hnswlib" ? to_hnswlib(options) : to_vectors(options);
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  add_index_access(command, options->index);
  command.add_option("OUTPUT", options->output, kOutputHelp)->required();
  command.add_option("--to", options->to, "hnswlib, or vectors: the extension is the format")
      ->check(CLI::IsMember({"hnswlib", "vectors"}))
      ->default_str("vectors");
  command.add_option("--labels", options->labels,
                     "Of vectors: file of their labels to write, text or .u64bin");
  command
      .add_option_function<std::string>(
          "--dtype", [options](const std::string& name) { options->dtype = parse_dtype(name); },
          "For hnswlib: f32 where its space of integers would take u8")
      ->check(CLI::IsMember({"f32", "u8"}));
  command
      .add_option("--ef-construction", options->ef_construction,
                  "For hnswlib: what later insertions into the file will use, default 200")
      ->check(at_least(1));
  add_bytes(command, "--memory", options->memory_bytes,
            "Of vectors: most that are held on their way, default 1G; the index is read once for "
            "each such part");
  add_threads(command, options->threads);
  add_json(command, options->json);
  return [options] { return run(*options); };
}

}  // namespace

Verb export_verb() {
  return {
      "export", "Write an index as a file of vectors or for hnswlib",
      "The way back. Vectors are written ascending by label; where labels are not 0, 1, 2, ...\n"
      "--labels writes them beside. For hnswlib the edges of the index become level 0, and\n"
      "levels above are linked anew; load the file with the space that the output names.\n\n",
      "  cairn export --index photos.cairn photos.fbin\n"
      "  cairn export --index words.cairn words.npy --labels words.u64bin\n"
      "  cairn export --index words.cairn --to hnswlib words.bin",
      declare};
}

}  // namespace cairn::tools

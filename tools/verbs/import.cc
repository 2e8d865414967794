// cairn import: an index folder from an index of another library.
#include <memory>

#include "tools/build/build_command.h"
#include "tools/import/open_index_file.h"
#include "tools/interrupt.h"
#include "tools/vector_files.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

constexpr std::uint64_t kBridgeShare = 4;

struct Options {
  std::vector<std::string> files, labels;
  std::string from, graph = "rebuild";
  std::optional<std::uint32_t> dim, degree;
  std::optional<DType> dtype;
  std::optional<Metric> metric;
  BuildCommand command;
};

Status import_vectors(Options& options) {
  CAIRN_ASSIGN(const auto source, VectorFiles::open(options.files, options.labels));
  options.command.build.metric = options.metric.value_or(Metric::l2);
  options.command.build.degree = options.degree.value_or(options.command.build.degree);
  return run_build_command(options.command, {.source = *source});
}

Status import_index(Options& options) {
  if (!options.labels.empty())
    return fail(ErrorCode::invalid_argument,
                "--labels with --from " + options.from + ", whose labels are kept");
  if (options.files.size() != 1)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "import an index of " + options.from,
                 .found = std::to_string(options.files.size()) + " files",
                 .expected = "one"});
  const IndexFile file{.path = options.files.front(),
                       .format = *parse_index_format(options.from),
                       .dim = options.dim,
                       .dtype = options.dtype,
                       .metric = options.metric};
  BuildOptions& build = options.command.build;
  build.keep_edges = options.graph == "keep";
  IndexSource::Options how{.edges = build.keep_edges};
  if (build.memory_bytes != 0) how.bridges_max_bytes = build.memory_bytes / kBridgeShare;
  CAIRN_ASSIGN(auto reader, open_index_file(file));
  CAIRN_ASSIGN(const auto source, IndexSource::create(file.path, std::move(reader), how));
  const formats::IndexFacts& facts = source->facts();
  build.metric = metric_of(file, facts);
  if (options.degree)
    build.degree = *options.degree;
  else if (build.keep_edges)
    build.degree = std::max(kBuildDegreeMin, facts.links_max);
  nlohmann::ordered_json json = {{"source", facts_json(facts)}};
  json["source"]["graph"] = options.graph;
  return run_build_command(
      options.command, {.source = *source, .notes = {describe(facts)}, .extra = std::move(json)});
}

Status import(Options& options) {
  install_interrupt();
  return options.from == "vectors" ? import_vectors(options) : import_index(options);
}

void declare_file(CLI::App& command, Options& options) {
  command.add_option("FILE", options.files, "What the library saved; of vectors several files")
      ->required();
  command.add_option("--from", options.from, "hnswlib, faiss, usearch, or vectors as for build")
      ->required()
      ->check(CLI::IsMember({"hnswlib", "faiss", "usearch", "vectors"}));
  declare_index(command, options.command);
  add_index_file(command, options.dim, options.dtype, options.metric);
  command
      .add_option("--graph", options.graph,
                  "rebuild: from the vectors, as `build` does; keep: the edges of the index")
      ->check(CLI::IsMember({"rebuild", "keep"}))
      ->capture_default_str();
  command.add_option("--labels", options.labels, "With --from vectors: labels as for build");
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  declare_file(command, *options);
  declare_shape(command, options->command.build, options->degree);
  declare_work(command, options->command);
  return [options] { return import(*options); };
}

}  // namespace

Verb import_verb() {
  return {
      "import", "Build an index folder from an index of another library",
      "Vectors and labels are kept, deleted ones left out. The file is read in its order, never\n"
      "loaded whole. A file of hnswlib says neither dimension nor element type nor metric:\n"
      "--dim, --dtype and --metric are required and compared with its records.\n\n"
      "hnswlib: files of saveIndex(), 0.6 to 0.8. faiss: IndexFlat, IndexHNSW, IndexIVF with\n"
      "flat, scalar or product codes, alone or in IndexIDMap or IndexPreTransform; what was\n"
      "compressed is imported as decoded, which is said. usearch: files of version 2.\n\n",
      "  cairn import --from hnswlib words.bin --dim 100 --dtype f32 --metric cosine \\\n"
      "    --index words.cairn --memory 2G\n"
      "  cairn import --from faiss photos.faiss --index photos.cairn --graph keep",
      declare};
}

}  // namespace cairn::tools

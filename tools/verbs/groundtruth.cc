// cairn groundtruth: the exact nearest neighbours of queries, in big-ann's format.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "tools/formats/result_file.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/vectors.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  std::string input, queries, output;
  std::uint32_t k = 0, threads = 0;
  Metric metric = Metric::l2;
  bool quiet = false;
};

Status write(const Options& options, const search::ExactNeighbors& exact, std::uint32_t queries) {
  CAIRN_ASSIGN(const auto writer,
               formats::ResultWriter::create(options.output, {.queries = queries, .k = exact.k}));
  for (std::size_t i = 0; i < queries; ++i) {
    const std::size_t at = i * exact.k;
    CAIRN_TRY(writer->write(std::span{exact.ids}.subspan(at, exact.k),
                            std::span{exact.distances}.subspan(at, exact.k)));
  }
  return writer->finish();
}

Status groundtruth(const Options& options) {
  install_interrupt();
  CAIRN_TRY(formats::check_not_read(options.output, {options.input, options.queries}));
  CAIRN_ASSIGN(const Vectors queries, load_vectors(options.queries, options.metric));
  CAIRN_ASSIGN(auto reader, formats::VectorReader::open(options.input));
  CAIRN_TRY(check_shape(options.queries, queries.shape(), {reader->dtype(), reader->dim()},
                        "'" + options.input + "'"));
  FileRows base{std::move(reader)};
  search::ExactOptions exact;
  exact.metric = options.metric;
  exact.k = static_cast<std::uint32_t>(std::min<std::uint64_t>(options.k, base.count()));
  exact.threads = thread_count(options.threads);
  if (exact.k < options.k && !options.quiet)
    say(fmt::format("cairn groundtruth: note: k is {}, all vectors there are\n", exact.k));
  Progress progress{"groundtruth", base.count(), options.quiet};
  exact.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total);
    return check_interrupt();
  };
  auto found = search::exact_neighbors(base, queries.batch(), exact);
  if (!found) return fail(std::move(found.error()).in_file(options.input));
  return write(options, *found, static_cast<std::uint32_t>(queries.count()));
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  command.add_option("--input", options->input, "Base vectors, in any format")->required();
  command.add_option("--queries", options->queries, "Queries of the same dimension and type")
      ->required();
  command.add_option("-k", options->k, "Neighbours of each query")->required()->check(at_least(1));
  command.add_option("--output", options->output, kResultHelp)->required();
  add_metric(command, options->metric);
  add_threads(command, options->threads);
  add_quiet(command, options->quiet);
  return [options] { return groundtruth(*options); };
}

}  // namespace

Verb groundtruth_verb() {
  return {"groundtruth", "Compute the exact nearest neighbours of queries",
          "Exhaustive, on all cores; base vectors are streamed. Ties go to the lower id; an id is\n"
          "the position in the input. Output in the ground-truth format of big-ann-benchmarks.\n\n",
          "  cairn groundtruth --input base.u8bin --queries query.u8bin -k 100 --output truth.bin",
          declare};
}

}  // namespace cairn::tools

// cairn generate: a synthetic set of any size, for scale tests.
#include <algorithm>
#include <memory>

#include "tools/formats/vector_reader.h"
#include "tools/formats/vector_writer.h"
#include "tools/generate/synthetic.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  std::uint64_t count = 0, queries = 0, seed = 1;
  std::uint32_t dim = 128;
  DType dtype = DType::u8;
  std::string output, query_output;
  bool quiet = false;
};

void fill(const Synthetic& set, Synthetic::Stream stream, std::uint64_t first, DType dtype,
          std::span<std::byte> rows) {
  if (dtype == DType::u8) {
    set.fill(stream, first, {reinterpret_cast<std::uint8_t*>(rows.data()), rows.size()});
  } else {
    set.fill(stream, first, {reinterpret_cast<float*>(rows.data()), rows.size() / sizeof(float)});
  }
}

using Writer = std::unique_ptr<formats::VectorWriter>;

Status fill_file(const Synthetic& set, Synthetic::Stream stream, const Options& options,
                 std::uint64_t count, formats::VectorWriter& writer, Progress& progress) {
  const std::size_t row_bytes = std::size_t{options.dim} * dtype_bytes(options.dtype);
  const std::size_t step = formats::rows_per_chunk(row_bytes);
  std::vector<std::byte> rows(step * row_bytes);
  for (std::uint64_t first = 0; first < count; first += step) {
    CAIRN_TRY(check_interrupt());
    const auto part_count = static_cast<std::size_t>(std::min<std::uint64_t>(step, count - first));
    const std::span<std::byte> part = std::span{rows}.first(part_count * row_bytes);
    fill(set, stream, first, options.dtype, part);
    CAIRN_TRY(writer.write(part));
    progress.update(first + part_count);
  }
  return {};
}

Status generate(const Options& options) {
  install_interrupt();
  // Both files are created first: hours of work must not end at a bad name.
  CAIRN_ASSIGN(const Writer base, formats::VectorWriter::create(
                                      options.output, {options.dtype, options.dim, options.count}));
  Writer queries;
  if (options.queries != 0) {
    CAIRN_ASSIGN(queries, formats::VectorWriter::create(
                              options.query_output, {options.dtype, options.dim, options.queries}));
  }
  const Synthetic set{options.dim, options.seed};
  Progress progress{"generate", options.count, options.quiet};
  CAIRN_TRY(fill_file(set, Synthetic::Stream::base, options, options.count, *base, progress));
  if (queries) {
    progress.restart("generate queries", options.queries);
    CAIRN_TRY(
        fill_file(set, Synthetic::Stream::queries, options, options.queries, *queries, progress));
  }
  CAIRN_TRY(base->finish());
  return queries ? queries->finish() : Status{};
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  command.add_option("--count", options->count, "Vectors")->required()->check(at_least(1));
  command.add_option("--dim", options->dim, "Dimension")
      ->required()
      ->check(at_least(1))
      ->check(CLI::Range(1U, kDimMax));
  command
      .add_option_function<std::string>(
          "--dtype", [options](const std::string& name) { options->dtype = *parse_dtype(name); },
          "u8 or f32")
      ->required()
      ->check(CLI::IsMember({"u8", "f32"}));
  command.add_option("--seed", options->seed, "Another seed, another set")
      ->required()
      ->check(at_least(0));
  command.add_option("--output", options->output, kOutputHelp)->required();
  auto* queries = command.add_option("--queries", options->queries, "Query vectors, drawn alike")
                      ->check(at_least(1));
  command
      .add_option("--query-output", options->query_output,
                  "File for the queries, replacing one of that name")
      ->needs(queries);
  queries->needs("--query-output");
  command.parse_complete_callback([options] {
    if (options->queries != 0 && formats::same_file(options->output, options->query_output))
      throw CLI::ValidationError("--query-output", "found the file of --output, expected another");
  });
  add_quiet(command, options->quiet);
  return [options] { return generate(*options); };
}

}  // namespace

Verb generate_verb() {
  return {
      "generate", "Write SYNTHETIC vectors for scale tests",
      "The data is synthetic: clusters of power-law size, low intrinsic dimension, at 128-d as\n"
      "hard to search as SIFT descriptors of photographs. Say so with any figure measured on\n"
      "it. The same arguments give the same bytes on every machine, and the first N vectors of\n"
      "a larger set are the set of N.\n\n",
      "  cairn generate --count 1000000 --dim 128 --dtype u8 --seed 1 --output base.u8bin \\\n"
      "      --queries 10000 --query-output query.u8bin",
      declare};
}

}  // namespace cairn::tools

// cairn build: an index folder from files of vectors.
#include <memory>

#include "tools/build/build_command.h"
#include "tools/interrupt.h"
#include "tools/vector_files.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  std::vector<std::string> inputs, labels;
  std::optional<std::uint32_t> degree;
  BuildCommand command;
};

Status build(Options& options) {
  install_interrupt();
  CAIRN_ASSIGN(const auto source, VectorFiles::open(options.inputs, options.labels));
  options.command.build.degree = options.degree.value_or(options.command.build.degree);
  return run_build_command(options.command, {.source = *source});
}

void declare_input(CLI::App& command, Options& options) {
  command
      .add_option("--input", options.inputs,
                  "Vectors, in any format; several files, or this option again, are numbered "
                  "through in the order given; a folder stands for all of its vector files, "
                  "sorted by name")
      ->required();
  declare_index(command, options.command);
  command.add_option(
      "--labels", options.labels,
      "64-bit labels: one file for all vectors, or one for each file of vectors in their order. "
      "Text, one a line, is held in memory, 8 bytes a vector; a .u64bin file is not: u32 count, "
      "u32 1, then a u64 each, little-endian");
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  declare_input(command, *options);
  add_metric(command, options->command.build.metric);
  declare_shape(command, options->command.build, options->degree);
  declare_work(command, options->command);
  return [options] { return build(*options); };
}

}  // namespace

Verb build_verb() {
  return {"build", "Build an index folder from vectors",
          "Before it starts it prints its plan: time, memory and disk. The folder appears whole,\n"
          "by one rename, or not at all. Whatever ends a build, the same command goes on from the\n"
          "last unit that it finished. The same input, options and seed give the same bytes\n"
          "whatever the number of threads and interruptions.\n\n",
          "  cairn build --input base.u8bin --index photos.cairn\n"
          "  cairn build --input parts/ --index big.cairn --memory 8G --disk 70G --threads 2\n"
          "  cairn build --input base.u8bin --index big.cairn --dry-run --vectors 100000000\n"
          "  cairn build --input base.fbin --index words.cairn --metric cosine --codes 50",
          declare};
}

}  // namespace cairn::tools

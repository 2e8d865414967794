// Damage to all files of an index: every changed bit is an error or has no effect on any answer,
// never a crash or a silently wrong answer, and every error and verify say where it is.
//   corruption [pages|metadata|random|structure|all] [--seed S] [--stride N] [--count N]
//              [--structures N] [--cairn PATH] [--scratch DIR]
// Answers are held against those of the whole index and against exact distances.
#include "tests/reliability/corruption.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace cairn::reliability {

SimIndexSpec small_spec(std::uint64_t seed) {
  SimIndexSpec spec;
  spec.vectors = {.count = 1200, .dim = 16, .queries = 4, .seed = seed};
  spec.build.code_bytes = 8;
  spec.build.refine_layers = {2, 6};
  spec.build.degree = 24;
  spec.build.nav_edges = 16;
  spec.build.seed = seed;
  spec.build.calibration_rows = 60;
  return spec;
}

namespace {

struct Part {
  const char* name;
  PartResult (*run)(const CorruptionOptions& options);
};
constexpr Part kParts[] = {{"pages", flip_pages},
                           {"metadata", flip_metadata},
                           {"random", change_at_random},
                           {"structure", break_structure}};

int run(const std::string& chosen, const CorruptionOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t wrong = 0;
  std::string said;
  for (const Part& part : kParts) {
    if (chosen != "all" && chosen != part.name) continue;
    const PartResult result = part.run(options);
    std::fflush(stdout);
    wrong += result.wrong;
    said += ", " + std::to_string(result.done) + " " + part.name;
  }
  if (said.empty()) return std::puts("no such part"), 2;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("corruption: seed %llu, %.0f s%s: %llu wrong\n", number(options.seed), took.count(),
              said.c_str(), number(wrong));
  return wrong == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
  CorruptionOptions options;
  std::string part = "all";
  int at = 1;
  if (argc > 1 && argv[1][0] != '-') part = argv[at++];
  for (; at + 1 < argc; at += 2) {
    const std::string name = argv[at];
    const std::uint64_t value = std::strtoull(argv[at + 1], nullptr, 10);
    if (name == "--seed") options.seed = value;
    if (name == "--stride") options.stride = std::max<std::uint64_t>(1, value);
    if (name == "--count") options.count = value;
    if (name == "--structures") options.structures = value;
    if (name == "--cairn") options.cairn = argv[at + 1];
    if (name == "--scratch") options.scratch = argv[at + 1];
  }
  return run(part, options);
}

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) { return cairn::reliability::main(argc, argv); }

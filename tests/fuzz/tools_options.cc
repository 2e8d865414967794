// Command lines: the first byte chooses the verb, the rest is its arguments, one a line. Nothing is
// run. A bad argument must be told the way CLI11 is told, which is all that tools::run() expects.
#include <sstream>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tools/verbs/verbs.h"

namespace {

using namespace cairn::tools;

/// All but `compare`, which comes with other libraries.
std::vector<Verb> verbs() {
  return {plan_verb(),        build_verb(),  export_verb(),  import_verb(),  search_verb(),
          groundtruth_verb(), recall_verb(), explain_verb(), doctor_verb(),  calibrate_verb(),
          inspect_verb(),     verify_verb(), convert_verb(), generate_verb()};
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Verb> all = verbs();
  cairn::fuzz::Input input(data, size);
  const Verb& verb = all[input.take<std::uint8_t>() % all.size()];
  CLI::App command;
  const Run run = verb.declare(command);
  FUZZ_REQUIRE(run != nullptr);
  std::vector<std::string> args = lines_of(input.text());
  std::reverse(args.begin(), args.end());  // as CLI11 wants them
  try {
    command.parse(args);
  } catch (const CLI::ParseError& error) {
    FUZZ_REQUIRE(!std::string(error.what()).empty());
    if (error.get_exit_code() == 0) FUZZ_REQUIRE(!command.help().empty());
  }
  return 0;
}

// The command line: verbs are registered here, one file each in tools/verbs. Results go to standard
// output, errors to standard error as one line. Exit codes: 0 ok, 1 failed, 2 usage.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/output.h"
#include "tools/units.h"

namespace cairn::tools {

/// As many as the library takes.
inline constexpr std::uint32_t kThreadsMax = 1024;

/// Help of options that name a file to write.
inline constexpr const char* kOutputHelp =
    "File to write, replacing one of that name; its extension is the format";
inline constexpr const char* kResultHelp =
    "File to write, replacing one of that name: u32 queries, u32 k, ids, distances";

/// What a verb does once its arguments are read.
using Run = std::function<Status()>;

struct Verb {
  const char* name;
  const char* summary;                // one line
  const char* details;                // shown by the verb's --help before the example; may be empty
  const char* example;                // one or more command lines
  Run (*declare)(CLI::App& command);  // adds the options
};

/// Parses, runs, reports: one of `verbs`, in the order of `--help`. A write to a closed pipe
/// becomes an error of that write. Exit code 1 when standard output did not take everything.
int run(int argc, const char* const* argv, const std::vector<Verb>& verbs);

/// Options that several verbs share, worded alike.
void add_quiet(CLI::App& command, bool& quiet);
void add_json(CLI::App& command, bool& json);
/// 0..kThreadsMax; the default is what `threads` holds.
void add_threads(CLI::App& command, std::uint32_t& threads);
/// Names as the library spells them.
void add_metric(CLI::App& command, Metric& metric);
/// What a file of another library may not say of itself: --dim, --dtype, --metric.
void add_index_file(CLI::App& command, std::optional<std::uint32_t>& dim,
                    std::optional<DType>& dtype, std::optional<Metric>& metric);
/// A size as parse_size() reads it.
CLI::Option* add_size(CLI::App& command, const std::string& name, std::optional<Size>& size,
                      const std::string& help);

/// A size as parse_size() reads it, in bytes alone and at least 1, into `bytes`.
CLI::Option* add_bytes(CLI::App& command, const std::string& name, std::uint64_t& bytes,
                       const std::string& help);

/// The argument is a whole number of at least `least`: CLI11 itself takes -1 for 2^64 - 1.
CLI::Validator at_least(std::uint64_t least);

/// The argument is a number from `least` to `most`: CLI11's own range takes NaN.
CLI::Validator within(double least, double most);

/// `threads`, or the processors this process may use when 0.
std::uint32_t thread_count(std::uint32_t threads);

}  // namespace cairn::tools

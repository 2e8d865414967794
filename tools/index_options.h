// How verbs open an index: the options they share, and what becomes of them.
#pragma once

#include <cairn/index.h>

#include <memory>
#include <optional>
#include <string>

#include "tools/cli.h"

namespace cairn::tools {

struct IndexOptions {
  std::string folder;
  std::optional<Size> memory = {};
  IoBackend io = IoBackend::automatic;
  bool quiet = false;
};

/// --memory SIZE
void add_memory(CLI::App& command, IndexOptions& options);
/// --index DIR --io uring|pread --quiet
void add_index_access(CLI::App& command, IndexOptions& options);
/// The same and --memory SIZE
void add_index_options(CLI::App& command, IndexOptions& options);

/// -k --list-size --slack --recall --reads-max, as of `cairn search`, into what has these members:
/// a SearchRequest, ExamineOptions.
template <class Effort>
void add_effort(CLI::App& command, Effort& effort) {
  command.add_option("-k", effort.k, "Neighbours, default 10")->check(at_least(1));
  command.add_option("--list-size", effort.list_size, "As of `cairn search`")->check(at_least(1));
  command.add_option("--slack", effort.slack, "As of `cairn search`");
  command
      .add_option("--recall", effort.recall,
                  "As of `cairn search`; default, when nothing else is given and the index is "
                  "calibrated: 0.95")
      ->excludes("--list-size")
      ->excludes("--slack");
  command.add_option("--reads-max", effort.reads_max, "As of `cairn search`")->check(at_least(1));
}

/// What --memory asks of the library.
void limit_memory(const Size& size, OpenOptions& options);

/// Opens the index; what the library logs goes to standard error unless quiet.
Result<std::unique_ptr<Index>> open_index(const IndexOptions& options);

}  // namespace cairn::tools

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

/// What --memory asks of the library.
void limit_memory(const Size& size, OpenOptions& options);

/// Opens the index; what the library logs goes to standard error unless quiet.
Result<std::unique_ptr<Index>> open_index(const IndexOptions& options);

}  // namespace cairn::tools

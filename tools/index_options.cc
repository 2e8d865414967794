#include "tools/index_options.h"

namespace cairn::tools {

void add_memory(CLI::App& command, IndexOptions& options) {
  add_size(command, "--memory", options.memory,
           "RAM for the index, e.g. 512M, 8G or 60B/v (bytes a vector); default: all that helps "
           "but the block cache, at most half of what there is");
}

void add_index_access(CLI::App& command, IndexOptions& options) {
  command.add_option("--index", options.folder, "Folder of the index")->required();
  command
      .add_option_function<std::string>(
          "--io",
          [&options](const std::string& name) {
            options.io = name == "uring" ? IoBackend::uring : IoBackend::pread;
          },
          "uring or pread; default: uring where the system allows it")
      ->check(CLI::IsMember({"uring", "pread"}));
  add_quiet(command, options.quiet);
}

void add_index_options(CLI::App& command, IndexOptions& options) {
  add_index_access(command, options);
  add_memory(command, options);
}

void limit_memory(const Size& size, OpenOptions& options) {
  if (size.per_vector)
    options.memory_limit_bytes_per_vector = size.bytes;
  else
    options.memory_limit_bytes = size.total(0);
}

Result<std::unique_ptr<Index>> open_index(const IndexOptions& options) {
  OpenOptions open;
  open.io = options.io;
  if (options.memory) limit_memory(*options.memory, open);
  if (!options.quiet) open.log = [](const std::string& line) { say("cairn: " + line + "\n"); };
  return Index::open(options.folder, open);
}

}  // namespace cairn::tools

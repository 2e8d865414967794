#include "tools/index_options.h"

namespace cairn::tools {

void add_index_options(CLI::App& command, IndexOptions& options) {
  command.add_option("--index", options.folder, "Folder of the index")->required();
  add_size(command, "--memory", options.memory,
           "RAM for the index, e.g. 512M, 8G or 60B/v (bytes a vector)");
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

Result<std::unique_ptr<Index>> open_index(const IndexOptions& options) {
  OpenOptions open;
  open.io = options.io;
  if (options.memory && options.memory->per_vector)
    open.memory_limit_bytes_per_vector = static_cast<double>(options.memory->bytes);
  else if (options.memory)
    open.memory_limit_bytes = options.memory->bytes;
  if (!options.quiet) open.log = [](const std::string& line) { say("cairn: " + line + "\n"); };
  return Index::open(options.folder, open);
}

}  // namespace cairn::tools

#include "tests/engine/search/open_in_child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace cairn::search::testing {
namespace {

constexpr char kChild[] = "--open-child";

/// Without pages of files: how much of a program is mapped around what it runs is chance.
std::uint64_t rss_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0, resident = 0, of_files = 0;
  statm >> size >> resident >> of_files;
  return (resident - of_files) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<Opened> open_here(const std::string& folder, const OpenOptions& options) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const auto index = Index::open(folder, options);
  const std::chrono::duration<double, std::milli> took = Clock::now() - start;
  if (!index) {
    std::fprintf(stderr, "%s\n", index.error().to_string().c_str());
    return std::nullopt;
  }
  const IndexStats stats = (*index)->stats();
  return Opened{.rss_bytes = rss_bytes(),
                .index_ram_bytes = stats.index_ram_bytes,
                .codes_ram_bytes = stats.codes_ram_bytes,
                .refine_ram_bytes = stats.refine_ram_bytes,
                .nav_ram_bytes = stats.nav_ram_bytes,
                .entries_ram_bytes = stats.entries_ram_bytes,
                .open_ms = took.count()};
}

}  // namespace

std::optional<Opened> open_in_child(const std::string& folder, const OpenOptions* limits) {
  std::string bytes = "-", bytes_per_vector = "-";
  if (limits != nullptr && limits->memory_limit_bytes)
    bytes = std::to_string(*limits->memory_limit_bytes);
  if (limits != nullptr && limits->memory_limit_bytes_per_vector)
    bytes_per_vector = std::to_string(*limits->memory_limit_bytes_per_vector);
  const char* name = limits != nullptr ? folder.c_str() : "";
  int ends[2];
  if (::pipe(ends) != 0) return std::nullopt;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::execl("/proc/self/exe", "child", kChild, name, bytes.c_str(), bytes_per_vector.c_str(),
            nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  Opened opened;
  const bool received = ::read(ends[0], &opened, sizeof opened) == sizeof opened;
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  return received ? std::optional(opened) : std::nullopt;
}

std::optional<int> run_as_child(int argc, char** argv) {
  if (argc != 5 || std::strcmp(argv[1], kChild) != 0) return std::nullopt;
  OpenOptions options;
  if (std::strcmp(argv[3], "-") != 0)
    options.memory_limit_bytes = std::strtoull(argv[3], nullptr, 10);
  if (std::strcmp(argv[4], "-") != 0)
    options.memory_limit_bytes_per_vector = std::strtod(argv[4], nullptr);
  const auto opened =
      argv[2][0] == '\0' ? Opened{.rss_bytes = rss_bytes()} : open_here(argv[2], options);
  // As it lies in memory: the parent is the same program.
  const bool sent = opened && ::write(STDOUT_FILENO, &*opened, sizeof *opened) == sizeof *opened;
  return sent ? 0 : 1;
}

}  // namespace cairn::search::testing

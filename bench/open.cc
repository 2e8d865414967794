// What opening an index costs: RSS of a process that holds it open against one that holds nothing,
// beside index_ram_bytes; and the time of open() beside the sequential read of as many bytes.
//   bench/open --index DIR --memory 40B/v,120B/v
#include <cairn/index.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "io/aligned_buffer.h"
#include "io/fs.h"
#include "tools/index_options.h"
#include "tools/table.h"

namespace cairn {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::uint64_t rss_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// What one child process saw.
struct Sample {
  std::uint64_t rss = 0, index_ram = 0;
  double open_ms = 0;
};

Sample measure(const std::string& folder, const tools::Size* memory) {
  Sample sample;
  if (memory == nullptr) return {.rss = rss_bytes()};
  OpenOptions options;
  tools::limit_memory(*memory, options);
  const Clock::time_point start = Clock::now();
  const auto index = Index::open(folder, options);
  sample.open_ms = ms_since(start);
  if (!index) {
    fmt::print(stderr, "{}\n", index.error().to_string());
    return sample;
  }
  sample.rss = rss_bytes();
  sample.index_ram = (*index)->stats().index_ram_bytes;
  return sample;
}

Sample in_child(const std::string& folder, const tools::Size* memory) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    const Sample sample = measure(folder, memory);
    const bool sent = write(ends[1], &sample, sizeof sample) == sizeof sample;
    _exit(sent ? 0 : 1);
  }
  Sample sample;
  if (read(ends[0], &sample, sizeof sample) != sizeof sample) sample = {};
  waitpid(child, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  return sample;
}

/// Sequential O_DIRECT read of `bytes` over the folder's files, in reads of 1 MiB.
double sequential_ms(const std::string& folder, std::uint64_t bytes) {
  constexpr std::size_t kChunk = 1u << 20;
  auto buffer = io::AlignedBuffer::create(kChunk);
  if (!buffer) return 0;
  const Clock::time_point start = Clock::now();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto file = io::posix_fs().open(entry.path().string(), true);
    if (!file) continue;
    for (std::uint64_t at = 0; at + kChunk <= (*file)->bytes() && bytes >= kChunk; at += kChunk) {
      if (!(*file)->read(at, buffer->bytes().first(kChunk))) return 0;
      bytes -= kChunk;
    }
  }
  return ms_since(start);
}

int run(const std::string& folder, const std::string& limits) {
  tools::Table table({"memory", "index_ram_bytes", "RSS", "RSS, nothing open", "difference - index",
                      "open ms", "sequential read ms"});
  for (std::size_t at = 0; at < limits.size();) {
    const std::size_t comma = std::min(limits.find(',', at), limits.size());
    const std::string text = limits.substr(at, comma - at);
    at = comma + 1;
    const auto size = tools::parse_size(text);
    if (!size) return fmt::print(stderr, "{}\n", size.error().to_string()), 2;
    const Sample nothing = in_child(folder, nullptr);
    const Sample open = in_child(folder, &*size);
    const double sequential = sequential_ms(folder, open.index_ram);
    const auto difference = static_cast<std::int64_t>(open.rss - nothing.rss - open.index_ram);
    table.add({text, tools::show_count(open.index_ram), tools::show_count(open.rss),
               tools::show_count(nothing.rss), fmt::format("{}", difference),
               fmt::format("{:.0f}", open.open_ms), fmt::format("{:.0f}", sequential)});
  }
  fmt::print("{}", table.text());
  return 0;
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  if (argc != 5 || std::string(argv[1]) != "--index" || std::string(argv[3]) != "--memory")
    return fmt::print(stderr, "usage: open --index DIR --memory SIZE[,SIZE...]\n"), 2;
  return cairn::run(argv[2], argv[4]);
}

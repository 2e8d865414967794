// What opening an index costs: RSS of a process that holds it open against one that holds nothing,
// beside index_ram_bytes; and the time of open() beside the sequential read of the pages that it
// loads, O_DIRECT both: the median of nine of each, taken in turns.
//   bench/open --index DIR --memory 40B/v,120B/v
#include <cairn/index.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "io/aligned_buffer.h"
#include "io/fs.h"
#include "layout/page.h"
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
  std::uint64_t codes = 0, refine = 0, nav = 0, entries = 0;
  double open_ms = 0;
};

std::optional<Sample> measure(const std::string& folder, const tools::Size* memory) {
  if (memory == nullptr) return Sample{.rss = rss_bytes()};
  OpenOptions options;
  tools::limit_memory(*memory, options);
  const Clock::time_point start = Clock::now();
  const auto index = Index::open(folder, options);
  const double open_ms = ms_since(start);
  if (!index) {
    fmt::print(stderr, "{}\n", index.error().to_string());
    return std::nullopt;
  }
  const IndexStats stats = (*index)->stats();
  return Sample{.rss = rss_bytes(),
                .index_ram = stats.index_ram_bytes,
                .codes = stats.codes_ram_bytes,
                .refine = stats.refine_ram_bytes,
                .nav = stats.nav_ram_bytes,
                .entries = stats.entries_ram_bytes,
                .open_ms = open_ms};
}

/// The child's side: the sample goes to standard output as it lies in memory.
int run_child(const std::string& folder, const std::string& memory) {
  const auto size = memory.empty() ? tools::Size{} : tools::parse_size(memory);
  if (!size) return fmt::print(stderr, "{}\n", size.error().to_string()), 2;
  const auto sample = measure(folder, memory.empty() ? nullptr : &*size);
  const bool sent = sample && write(STDOUT_FILENO, &*sample, sizeof *sample) == sizeof *sample;
  return sent ? 0 : 1;
}

/// What a process sees that opens the index at `memory`; nothing is opened when that is empty.
std::optional<Sample> in_child(const std::string& folder, const std::string& memory) {
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  const pid_t child = fork();
  if (child == 0) {
    // A process of its own: a forked one shares what its parent has touched of the libraries.
    dup2(ends[1], STDOUT_FILENO);
    execl("/proc/self/exe", "open", "--index", folder.c_str(), "--child", memory.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  Sample sample;
  const bool received = read(ends[0], &sample, sizeof sample) == sizeof sample;
  waitpid(child, nullptr, 0);
  close(ends[0]);
  return received ? std::optional(sample) : std::nullopt;
}

/// Reads the pages that hold the first `bytes` of each part, file after file.
std::optional<double> sequential_ms(const std::string& folder, const Sample& loaded) {
  constexpr std::size_t kChunk = 1u << 20;
  auto buffer = io::AlignedBuffer::create(kChunk);
  if (!buffer) return std::nullopt;
  const Clock::time_point start = Clock::now();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string role = entry.path().extension().string();
    const std::uint64_t bytes = role == ".codes"     ? loaded.codes
                                : role == ".refine"  ? loaded.refine
                                : role == ".nav"     ? loaded.nav
                                : role == ".entries" ? loaded.entries
                                                     : 0;
    if (bytes == 0) continue;
    const auto file = io::posix_fs().open(entry.path().string(), true);
    if (!file) return std::nullopt;
    const std::uint64_t pages = bytes / layout::kPagePayloadBytes + 1;
    const std::uint64_t end = std::min((*file)->bytes(), pages * layout::kPageBytes);
    for (std::uint64_t at = 0; at < end; at += kChunk) {
      const std::size_t size = std::min<std::uint64_t>(kChunk, end - at);
      if (!(*file)->read(at, buffer->bytes().first(size))) return std::nullopt;
    }
  }
  return ms_since(start);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

/// Adds a row; false when something failed.
bool add_row(const std::string& folder, const std::string& text, tools::Table& table) {
  constexpr int kRounds = 9;
  const auto nothing = in_child(folder, "");
  std::optional<Sample> open;
  std::vector<double> opens, reads;
  for (int round = 0; round < kRounds; ++round) {
    open = in_child(folder, text);
    if (!nothing || !open) return false;
    const auto sequential = sequential_ms(folder, *open);
    if (!sequential) return false;
    opens.push_back(open->open_ms);
    reads.push_back(*sequential);
  }
  const auto difference = static_cast<std::int64_t>(open->rss - nothing->rss - open->index_ram);
  table.add({text, tools::show_count(open->index_ram), tools::show_count(open->rss),
             tools::show_count(nothing->rss), fmt::format("{}", difference),
             fmt::format("{:.1f}", median(opens)), fmt::format("{:.1f}", median(reads)),
             fmt::format("{:.2f}", median(opens) / median(reads))});
  return true;
}

int run(const std::string& folder, const std::string& limits) {
  tools::Table table({"memory", "index_ram_bytes", "RSS", "RSS, nothing open", "difference - index",
                      "open ms", "sequential read ms", "ratio"});
  for (std::size_t at = 0; at < limits.size();) {
    const std::size_t comma = std::min(limits.find(',', at), limits.size());
    const std::string text = limits.substr(at, comma - at);
    at = comma + 1;
    if (const auto size = tools::parse_size(text); !size)
      return fmt::print(stderr, "{}\n", size.error().to_string()), 2;
    if (!add_row(folder, text, table)) {
      fmt::print(stderr, "open: no figure for {} at {}\n", folder, text);
      return 1;
    }
  }
  fmt::print("{}", table.text());
  return 0;
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  if (argc == 5 && std::string(argv[3]) == "--child") return cairn::run_child(argv[2], argv[4]);
  if (argc != 5 || std::string(argv[1]) != "--index" || std::string(argv[3]) != "--memory")
    return fmt::print(stderr, "usage: open --index DIR --memory SIZE[,SIZE...]\n"), 2;
  return cairn::run(argv[2], argv[4]);
}

// What opening an index costs: RSS of a process that holds it open against one that holds nothing,
// beside index_ram_bytes; and the time of open() beside the sequential read of the pages that it
// loads, O_DIRECT both: the median of nine of each, taken in turns.
//   bench/open --index DIR --memory 40B/v,120B/v
#include <cairn/index.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/aligned_buffer.h"
#include "io/fs.h"
#include "layout/page.h"
#include "tests/engine/search/open_in_child.h"
#include "tools/index_options.h"
#include "tools/table.h"

namespace cairn {
namespace {

using Clock = std::chrono::steady_clock;
using search::testing::open_in_child;
using search::testing::Opened;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Reads the pages that hold the first `bytes` of each part, file after file.
std::optional<double> sequential_ms(const std::string& folder, const Opened& loaded) {
  constexpr std::size_t kChunk = 1u << 20;
  auto buffer = io::AlignedBuffer::create(kChunk);
  if (!buffer) return std::nullopt;
  const Clock::time_point start = Clock::now();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string role = entry.path().extension().string();
    const std::uint64_t bytes = role == ".codes"     ? loaded.codes_ram_bytes
                                : role == ".refine"  ? loaded.refine_ram_bytes
                                : role == ".nav"     ? loaded.nav_ram_bytes
                                : role == ".entries" ? loaded.entries_ram_bytes
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
bool add_row(const std::string& folder, const std::string& text, const tools::Size& memory,
             tools::Table& table) {
  constexpr int kRounds = 9;
  OpenOptions limits;
  tools::limit_memory(memory, limits);
  const auto nothing = open_in_child(folder, nullptr);
  std::optional<Opened> open;
  std::vector<double> opens, reads;
  for (int round = 0; round < kRounds; ++round) {
    open = open_in_child(folder, &limits);
    if (!nothing || !open) return false;
    const auto sequential = sequential_ms(folder, *open);
    if (!sequential) return false;
    opens.push_back(open->open_ms);
    reads.push_back(*sequential);
  }
  const auto difference =
      static_cast<std::int64_t>(open->rss_bytes - nothing->rss_bytes - open->index_ram_bytes);
  table.add({text, tools::show_count(open->index_ram_bytes), tools::show_count(open->rss_bytes),
             tools::show_count(nothing->rss_bytes), fmt::format("{}", difference),
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
    const auto size = tools::parse_size(text);
    if (!size) return fmt::print(stderr, "{}\n", size.error().to_string()), 2;
    if (!add_row(folder, text, *size, table)) {
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
  if (const auto code = cairn::search::testing::run_as_child(argc, argv)) return *code;
  if (argc != 5 || std::string(argv[1]) != "--index" || std::string(argv[3]) != "--memory")
    return fmt::print(stderr, "usage: open --index DIR --memory SIZE[,SIZE...]\n"), 2;
  return cairn::run(argv[2], argv[4]);
}

// The tail of one client: lone searches, one after another, beside a bare io_uring loop that reads
// as many random blocks of the same file in as many dependent rounds: as many at once as the search
// had under way, and then one for each that ends. Both in turns, query by query.
//   latency --index DIR --queries FILE --memory SIZE --list-size L [--slack S] [--passes N]
#include <cairn/index.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "bench/io/bare_ring.h"
#include "io/fs.h"
#include "tools/index_options.h"
#include "tools/table.h"
#include "tools/units.h"
#include "tools/vectors.h"

namespace cairn {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kDepth = 256;
// Times the tail of the bare loop that ours may have, each by its own median.
constexpr double kTailMax = 1.3;

struct Options {
  tools::IndexOptions index;
  std::string queries;
  SearchRequest request;
  std::uint32_t passes = 3;
};

struct Sample {
  std::vector<double> us;

  double at(double share) {
    const auto nth = static_cast<std::ptrdiff_t>(share * static_cast<double>(us.size() - 1));
    std::nth_element(us.begin(), us.begin() + nth, us.end());
    return us[static_cast<std::size_t>(nth)];
  }
  double tail() { return at(0.99) / at(0.5); }
};

double us_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

Result<std::unique_ptr<io::ReadFile>> open_blocks(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".blocks")
      return io::posix_fs().open(entry.path().string(), true);
  return fail({.code = ErrorCode::not_found, .what = "a blocks file in", .file = folder});
}

/// As a search of `counters` reads: of `rounds` waits all but the first were for one more block.
void read_alike(bench::BareRing& ring, const SearchCounters& counters, std::uint64_t blocks,
                std::mt19937_64& random) {
  std::uint32_t left = counters.reads;
  const std::uint32_t later = counters.rounds > 0 ? counters.rounds - 1 : 0;
  const std::uint32_t first = std::clamp(left - std::min(left, later), 1u, kDepth);
  for (std::uint32_t slot = 0; slot < first && left > 0; ++slot, --left)
    ring.start(slot, random() % blocks);
  while (ring.in_flight() > 0)
    for (const std::uint64_t slot : ring.wait(1))
      if (left > 0) {
        ring.start(slot, random() % blocks);
        --left;
      }
}

void print(Sample& ours, Sample& bare, const SearchCounters& sum) {
  tools::Table table({"us", "p50", "p99", "p99.9", "p99 / p50"});
  for (auto& [name, sample] : {std::pair<const char*, Sample&>{"search", ours}, {"bare", bare}})
    table.add({name, fmt::format("{:.0f}", sample.at(0.5)), fmt::format("{:.0f}", sample.at(0.99)),
               fmt::format("{:.0f}", sample.at(0.999)), fmt::format("{:.2f}", sample.tail())});
  const auto mean = [&](std::uint32_t count) {
    return static_cast<double>(count) / static_cast<double>(ours.us.size());
  };
  fmt::print(
      "{}{} searches of {:.1f} reads in {:.1f} rounds; tail of a search over that of the bare "
      "loop: {:.2f}, at most {:.1f}\n",
      table.text(), ours.us.size(), mean(sum.reads), mean(sum.rounds), ours.tail() / bare.tail(),
      kTailMax);
}

Status run(Options& options) {
  CAIRN_ASSIGN(const auto index, tools::open_index(options.index));
  const IndexStats stats = index->stats();
  CAIRN_ASSIGN(const auto queries, tools::load_vectors(options.queries, stats.metric));
  CAIRN_TRY(
      tools::check_shape(options.queries, queries.shape(), {stats.dtype, stats.dim}, "the index"));
  CAIRN_ASSIGN(const auto file, open_blocks(options.index.folder));
  const auto ring = bench::BareRing::create(file->fd(), kDepth, stats.block_bytes);
  if (!ring) return fail(ErrorCode::io, "io_uring or a registration is refused");
  const std::uint64_t blocks = file->bytes() / stats.block_bytes;
  std::mt19937_64 random(1);
  Sample ours, bare;
  SearchCounters sum;
  for (std::uint32_t pass = 0; pass < options.passes; ++pass) {
    index->drop_cache();
    for (std::uint64_t i = 0; i < queries.count(); ++i) {
      options.request.query = queries.batch().row(i);
      const Clock::time_point start = Clock::now();
      CAIRN_ASSIGN(const SearchResult result, index->search(options.request));
      ours.us.push_back(us_since(start));
      sum += result.counters;
      const Clock::time_point bare_start = Clock::now();
      read_alike(*ring, result.counters, blocks, random);
      bare.us.push_back(us_since(bare_start));
    }
  }
  if (!ring->whole()) return fail(ErrorCode::io, "a bare read failed");
  print(ours, bare, sum);
  return {};
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  cairn::Options options;
  CLI::App app("The tail of lone searches beside that of bare reads of the same number");
  cairn::tools::add_index_options(app, options.index);
  app.add_option("--queries", options.queries, "of the index's dimension and type")->required();
  app.add_option("-k", options.request.k, "neighbours a query");
  app.add_option("--list-size", options.request.list_size, "as of cairn recall");
  app.add_option("--slack", options.request.slack, "as of cairn recall");
  app.add_option("--passes", options.passes, "times all queries")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  const cairn::Status status = cairn::run(options);
  if (!status) fmt::print(stderr, "latency: {}\n", status.error().to_string());
  return status ? 0 : 1;
}

// Core time of a block from disk to its results - submission, completion, checksum, and the exact
// distance of every vector in it, as a search does it - beside a bare io_uring loop over the same
// blocks: both in turns, in random order, medians over the rounds.
//   scored_read_bench --index DIR --queries FILE [--depth N] [--reads N] [--rounds N]
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <random>
#include <vector>

#include "bench/io/bare_ring.h"
#include "engine/search/query.h"
#include "engine/search/snapshot.h"
#include "tools/table.h"
#include "tools/vectors.h"

namespace cairn::search {
namespace {

// What a block from disk to its results may cost: a factor of a bare read, and us beside it.
constexpr double kFactor = 1.2, kBesideUs = 3;

struct Options {
  std::string index, queries;
  std::uint32_t depth = 32, reads = 20'000, rounds = 15;
};

double core_us() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  Bench(const Snapshot& snapshot, const tools::Vectors& queries, const Options& options)
      : snapshot_(snapshot), queries_(queries), options_(options), query_(snapshot.limits()) {}

  /// Core us a read of each way, as medians.
  struct Figures {
    double bare_us = 0, verified_us = 0, scored_us = 0;
  };

  Result<Figures> run() {
    const io::BlockFile& file = snapshot_.block_files()[0];
    const auto ring =
        cairn::bench::BareRing::create(file.file->fd(), options_.depth, file.block_bytes);
    if (!ring) return fail(ErrorCode::io, "io_uring or a registration is refused");
    const io::BlockReaderOptions reading{.buffers = options_.depth,
                                         .device = {.backend = io::Backend::uring}};
    CAIRN_ASSIGN(const auto reader, io::BlockReader::create(io::posix_fs(), snapshot_.block_files(),
                                                            reading, nullptr, nullptr));
    std::vector<double> bare, verified, scored;
    for (std::uint32_t round = 0; round < options_.rounds; ++round) {
      begin_query(round);
      const auto reads = static_cast<double>(wants_.size());
      const double at = core_us();
      read_bare(*ring);
      bare.push_back((core_us() - at) / reads);
      for (const bool scores : {false, true}) {
        const double start = core_us();
        CAIRN_TRY(read_through(*reader, scores));
        (scores ? scored : verified).push_back((core_us() - start) / reads);
      }
      if (query_.take().neighbors.size() != request_.k) return fail(ErrorCode::io, "no results");
    }
    if (!ring->whole()) return fail(ErrorCode::io, "a bare read failed");
    return Figures{median(bare), median(verified), median(scored)};
  }

 private:
  /// A search that will read all blocks: its list is final, so that a block is scored and no more.
  /// What it wants is known before the clock runs.
  void begin_query(std::uint32_t round) {
    request_ = {.query = queries_.batch().row(round % queries_.count())};
    request_.list_size = std::numeric_limits<std::uint32_t>::max();
    query_.start(request_, snapshot_.segments());
    wants_.resize(options_.reads);
    wants_.resize(query_.wants(wants_));
    std::ranges::shuffle(wants_, random_);
    blocks_.clear();
    for (std::size_t i = 0; i < wants_.size(); ++i)
      blocks_.push_back(snapshot_.locate(wants_[i].segment, wants_[i].first_slot, i));
  }

  void read_bare(cairn::bench::BareRing& ring) {
    std::size_t next = 0;
    for (std::uint64_t slot = 0; slot < options_.depth && next < blocks_.size(); ++slot)
      ring.start(slot, blocks_[next++].block);
    while (ring.in_flight() > 0)
      for (const std::uint64_t slot : ring.wait(1))
        if (next < blocks_.size()) ring.start(slot, blocks_[next++].block);
  }

  Status read_through(io::BlockReader& reader, bool scores) {
    arrivals_.resize(options_.depth);
    std::size_t next = 0, done = 0;
    while (done < blocks_.size()) {
      const std::size_t room = options_.depth - reader.outstanding();
      next +=
          reader.request(std::span(blocks_).subspan(next, std::min(room, blocks_.size() - next)));
      CAIRN_ASSIGN(const std::uint32_t got, reader.collect(arrivals_, 1, -1));
      for (io::BlockArrival& arrival : std::span(arrivals_).first(got)) {
        if (arrival.error) return fail(*arrival.error);
        if (scores)
          CAIRN_TRY(query_.absorb(wants_[arrival.token], arrival.block.bytes(), arrival.source));
        arrival = {};
      }
      done += got;
    }
    return {};
  }

  const Snapshot& snapshot_;
  const tools::Vectors& queries_;
  Options options_;
  Query query_;
  SearchRequest request_;
  std::mt19937_64 random_{1};
  std::vector<BlockWant> wants_;
  std::vector<io::BlockRequest> blocks_;
  std::vector<io::BlockArrival> arrivals_;
};

Status run(const Options& options) {
  CAIRN_ASSIGN(const auto snapshot, Snapshot::open(io::posix_fs(), options.index, {}));
  if (snapshot->block_files().size() != 1)
    return fail(ErrorCode::unsupported, "an index of several blocks files");
  CAIRN_ASSIGN(const auto queries, tools::load_vectors(options.queries, snapshot->limits().metric));
  CAIRN_TRY(tools::check_shape(options.queries, queries.shape(),
                               {snapshot->limits().dtype, snapshot->limits().dim}, "the index"));
  CAIRN_ASSIGN(const Bench::Figures us, Bench(*snapshot, queries, options).run());
  tools::Table table(
      {"core us a read", "bare io_uring", "verified", "verified and scored", "at most"});
  table.add({fmt::format("{} vectors of {} bytes, depth {}", snapshot->stats().slots_per_block,
                         queries.row_bytes(), options.depth),
             fmt::format("{:.2f}", us.bare_us), fmt::format("{:.2f}", us.verified_us),
             fmt::format("{:.2f}", us.scored_us),
             fmt::format("{:.2f}", kFactor * us.bare_us + kBesideUs)});
  fmt::print("{}", table.text());
  return {};
}

}  // namespace
}  // namespace cairn::search

int main(int argc, char** argv) {
  cairn::search::Options options;
  CLI::App app("Core time of a block from disk to its results, beside a bare read");
  app.add_option("--index", options.index, "an index of one blocks file")->required();
  app.add_option("--queries", options.queries, "of its dimension and type")->required();
  app.add_option("--depth", options.depth, "reads in flight")->check(CLI::Range(1, 1024));
  app.add_option("--reads", options.reads, "of each round, at most all blocks");
  app.add_option("--rounds", options.rounds, "medians are taken over")->check(CLI::Range(1, 10000));
  CLI11_PARSE(app, argc, argv);
  const cairn::Status status = cairn::search::run(options);
  if (!status) fmt::print(stderr, "{}\n", status.error().to_string());
  return status ? 0 : 1;
}

#include "bench/peers/measure.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "tools/figures.h"
#include "tools/formats/vector_reader.h"

namespace cairn::peers {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t rss_bytes() {
  malloc_trim(0);
  return tools::status_bytes("VmRSS");
}

tools::RecallRow measure_row(const Peer& peer, const PeerOptions& options, const Queries& queries,
                             std::uint32_t threads, AnswerTable& table) {
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    for (std::uint64_t i = next++; i < queries.rows.count; i = next++) {
      const auto start = Clock::now();
      const auto answers = peer.search(queries.rows.row(i), table.k);
      table.latency_us[i] = 1e6 * seconds_since(start);
      for (std::size_t rank = 0; rank < std::min<std::size_t>(answers.size(), table.k); ++rank)
        table.set(i, rank, answers[rank].id, answers[rank].distance);
    }
  };
  const double cpu = tools::cpu_seconds();
  const auto start = Clock::now();
  std::vector<std::thread> helpers;
  for (std::uint32_t t = 1; t < threads; ++t) helpers.emplace_back(work);
  work();
  for (auto& helper : helpers) helper.join();
  const double wall_s = seconds_since(start), cpu_s = tools::cpu_seconds() - cpu;
  double recall = 0;
  for (std::uint64_t i = 0; i < queries.rows.count; ++i)
    recall += tools::recall_of(table, i, queries.kth_distance[i],
                               {.metric = options.metric, .dtype = options.dtype});
  const tools::Latency latency = tools::latency_of(table.latency_us);
  const auto count = static_cast<double>(queries.rows.count);
  return {.threads = threads,
          .recall = recall / count,
          .qps = count / wall_s,
          .mean_us = latency.mean_us,
          .p50_us = latency.p50_us,
          .p99_us = latency.p99_us,
          .p999_us = latency.p999_us,
          .cpu_us = 1e6 * cpu_s / count};
}

}  // namespace

Result<Queries> read_queries(const Workload& work) {
  CAIRN_ASSIGN(auto reader, formats::VectorReader::open(work.queries));
  std::uint64_t count = reader->count();
  CAIRN_ASSIGN(auto kth, tools::read_kth_distances(work.groundtruth, count, work.k));
  if (work.queries_max > 0) count = std::min<std::uint64_t>(count, work.queries_max);
  Queries queries;
  queries.data.resize(count * reader->row_bytes());
  CAIRN_ASSIGN(const std::size_t got, reader->read(queries.data));
  queries.rows = {queries.data.data(), got, reader->dim(), reader->dtype()};
  queries.kth_distance.assign(kth.begin(), kth.begin() + static_cast<std::ptrdiff_t>(got));
  return queries;
}

Result<PeerOptions> read_shape(const Workload& work, Metric metric) {
  CAIRN_ASSIGN(const auto reader, formats::VectorReader::open(work.input));
  return PeerOptions{
      .metric = metric, .count = reader->count(), .dim = reader->dim(), .dtype = reader->dtype()};
}

Result<BuildFigures> measure_build(Peer& peer, const Workload& work, const PeerOptions& options) {
  CAIRN_ASSIGN(auto reader, formats::VectorReader::open(work.input));
  Status status;
  const Pass pass = [&](const auto& take) {
    status = reader->rewind();
    std::vector<std::byte> rows(formats::rows_per_chunk(reader->row_bytes()) * reader->row_bytes());
    while (status) {
      const std::uint64_t first = reader->position();
      const auto got = reader->read(rows);
      if (!got) status = fail(got.error());
      if (!got || *got == 0) return;
      take(VectorBatch{rows.data(), *got, reader->dim(), reader->dtype()}, first);
    }
  };
  const std::uint64_t rss_before = rss_bytes();
  const double cpu = tools::cpu_seconds();
  const auto start = Clock::now();
  peer.build(pass);
  CAIRN_TRY(std::move(status));
  BuildFigures figures{.wall_s = seconds_since(start)};
  figures.core_us_per_vector =
      1e6 * (tools::cpu_seconds() - cpu) / static_cast<double>(options.count);
  figures.resident_bytes = rss_bytes() - std::min(rss_before, rss_bytes());
  figures.peak_rss_bytes = tools::status_bytes("VmHWM");
  return figures;
}

Status measure_searches(Peer& peer, const Workload& work, const PeerOptions& options,
                        const Queries& queries, const BuildFigures& build, const Seen& seen) {
  for (const std::uint32_t list_size : work.list_sizes) {
    peer.set_list_size(list_size);
    for (const std::uint32_t threads : work.thread_counts) {
      AnswerTable answers(queries.rows.count, work.k);
      tools::RecallRow row = measure_row(peer, options, queries, threads, answers);
      row.list_size = list_size;
      row.index_ram_bytes = build.resident_bytes;
      CAIRN_TRY(seen(row, answers));
    }
  }
  return {};
}

}  // namespace cairn::peers

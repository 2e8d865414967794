// Core time of a random 4 KiB O_DIRECT read, by backend and depth, against a bare liburing loop:
// what the Device contract costs. Process CPU time counts the threads of the pread pool and the
// kernel's work on our account; io-wq threads are not ours and are not counted.
//
// Reads a 256 MiB file that it makes under $TMPDIR (else /tmp) and removes.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/io/bare_ring.h"
#include "io/aligned_buffer.h"
#include "io/block_reader.h"
#include "io/device.h"
#include "io/page_file.h"

namespace {

using namespace cairn;
using namespace cairn::io;

constexpr std::uint64_t kPages = 65'536;
constexpr std::uint32_t kPage = 4096;
constexpr std::uint64_t kReadsPerIteration = 256;
constexpr PageFileId kId{.identity = 7, .generation = 1};

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().to_string().c_str());
  std::exit(1);
}

/// The file of this run.
class TestFile {
 public:
  TestFile() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/cairn-bench-" +
            std::string(6, 'X');  // for mkdtemp
    if (::mkdtemp(path_.data()) == nullptr) std::exit(1);
    auto writer = must(PageWriter::create(posix_fs(), path_ + "/f", kId));
    std::vector<std::byte> chunk(1u << 20);
    std::mt19937_64 random(1);
    for (std::byte& b : chunk) b = static_cast<std::byte>(random());
    while (writer.next_page().page < kPages - 512)
      if (!writer.append_stream(chunk)) std::exit(1);
    pages_ = must(writer.finish()).pages;
    file_ = must(posix_fs().open(path_ + "/f", true));
  }
  ~TestFile() {
    // Leaving a file behind is all that a failure here could do.
    (void)!posix_fs().remove(path_ + "/f").has_value();
    (void)!posix_fs().remove(path_).has_value();
  }
  const ReadFile& file() const { return *file_; }
  std::uint64_t pages() const { return pages_; }

 private:
  std::string path_;
  std::uint64_t pages_ = 0;
  std::unique_ptr<ReadFile> file_;
};

const TestFile& test_file() {
  static const TestFile file;
  return file;
}

void report(benchmark::State& state) {
  const auto reads = static_cast<double>(state.iterations()) * kReadsPerIteration;
  state.counters["core_s/read"] =
      benchmark::Counter(reads, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void device_reads(benchmark::State& state, Backend backend, bool any_thread, bool registered,
                  bool limited = true) {
  const auto depth = static_cast<std::uint32_t>(state.range(0));
  const AlignedBuffer memory = must(AlignedBuffer::create(depth * kPage));
  const ReadFile* const files[] = {&test_file().file()};
  DeviceOptions options{.backend = backend,
                        .depth = depth,
                        .any_thread = any_thread,
                        .arena = registered ? memory.bytes() : std::span<std::byte>()};
  if (!limited) options.read_timeout_us = 0;
  const auto device = must(make_device(files, options, nullptr));
  std::mt19937_64 random(2);
  std::vector<ReadDone> done(depth);
  std::vector<ReadOp> ops;
  ops.reserve(depth);
  const auto next = [&](std::uint64_t slot) {
    ops.push_back({.bytes = kPage,
                   .offset = random() % test_file().pages() * kPage,
                   .buffer = memory.data() + slot * kPage,
                   .tag = slot});
  };
  for (std::uint64_t slot = 0; slot < depth; ++slot) next(slot);
  for (auto _ : state)
    for (std::uint64_t reads = 0; reads < kReadsPerIteration;) {
      must(device->submit(ops));
      ops.clear();
      const std::uint32_t got = must(device->reap(done, 1, -1));
      for (const ReadDone& read : std::span(done).first(got)) next(read.tag);
      reads += got;
    }
  report(state);
}

// No contract at all.
void bare_liburing(benchmark::State& state) {
  const auto depth = static_cast<unsigned>(state.range(0));
  const auto ring = bench::BareRing::create(test_file().file().fd(), depth, kPage);
  if (!ring) return state.SkipWithError("io_uring or a registration is refused");
  std::mt19937_64 random(2);
  for (std::uint64_t slot = 0; slot < depth; ++slot)
    ring->start(slot, random() % test_file().pages());
  for (auto _ : state)
    for (std::uint64_t reads = 0; reads < kReadsPerIteration;)
      for (const std::uint64_t slot : ring->wait(1)) {
        ring->start(slot, random() % test_file().pages());
        ++reads;
      }
  report(state);
  if (!ring->whole()) state.SkipWithError("a read failed");
}

// The whole door: buffers, merging, checksums; and with everything in the cache.
void block_reader(benchmark::State& state, bool cached) {
  const auto depth = static_cast<std::uint32_t>(state.range(0));
  const BlockFile files[] = {{.file = &test_file().file(), .identity = 7, .generation = 1}};
  const std::uint64_t pages = cached ? 1000 : test_file().pages();
  const auto cache = must(BlockCache::create(8u << 20, kPage));
  const auto reader = must(BlockReader::create(posix_fs(), files, {.buffers = depth},
                                               cached ? cache.get() : nullptr, nullptr));
  std::mt19937_64 random(2);
  std::vector<BlockArrival> arrivals(depth);
  std::vector<BlockRequest> requests;
  for (std::uint64_t i = 0; i < depth; ++i) requests.push_back({0, random() % pages, i});
  const auto turn = [&] {
    reader->request(requests);
    requests.clear();
    const std::uint32_t got = must(reader->collect(arrivals, 1, -1));
    for (BlockArrival& arrival : std::span(arrivals).first(got)) {
      if (arrival.error) std::exit(1);
      arrival.block = {};
      requests.push_back({0, random() % pages, arrival.token});
    }
    return got;
  };
  for (std::uint64_t reads = 0; cached && reads < 20 * pages;) reads += turn();
  for (auto _ : state)
    for (std::uint64_t reads = 0; reads < kReadsPerIteration;) reads += turn();
  report(state);
}

void depths(benchmark::internal::Benchmark* bench) {
  bench->Arg(1)->Arg(4)->Arg(32)->Arg(128)->MeasureProcessCPUTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK(bare_liburing)->Apply(depths);
BENCHMARK_CAPTURE(device_reads, uring, Backend::uring, false, false)->Apply(depths);
BENCHMARK_CAPTURE(device_reads, uring_registered, Backend::uring, false, true)->Apply(depths);
BENCHMARK_CAPTURE(device_reads, uring_any_thread, Backend::uring, true, true)->Apply(depths);
BENCHMARK_CAPTURE(device_reads, uring_registered_no_time_limit, Backend::uring, false, true, false)
    ->Apply(depths);
BENCHMARK_CAPTURE(device_reads, pread, Backend::pread, false, false)->Apply(depths);
BENCHMARK_CAPTURE(device_reads, sync, Backend::sync, false, false)->Apply(depths);
BENCHMARK_CAPTURE(block_reader, from_disk, false)->Apply(depths);
BENCHMARK_CAPTURE(block_reader, from_cache, true)->Apply(depths);

}  // namespace

BENCHMARK_MAIN();

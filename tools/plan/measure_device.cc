// Measures a device with the readers that a search uses.
#include <fmt/format.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/vfs.h>

#include <array>
#include <chrono>
#include <ctime>
#include <memory>
#include <random>

#include "io/aligned_buffer.h"
#include "io/device.h"
#include "io/fs.h"
#include "tools/cli.h"
#include "tools/figures.h"
#include "tools/plan/device.h"
#include "tools/plan/scratch.h"

namespace cairn::tools::plan {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kChunkBytes = 1 << 20;  // of writing, and of reading in order
constexpr std::uint32_t kRandomBytes = 4096;
constexpr std::array<std::uint32_t, 4> kDepths = {1, 4, 32, 128};

/// Random bytes, so that no device takes them for zeros.
Status write_file(const std::string& path, std::uint64_t bytes) {
  std::vector<std::uint64_t> chunk(kChunkBytes / sizeof(std::uint64_t));
  std::mt19937_64 random(1);
  CAIRN_ASSIGN(const auto file, io::posix_fs().create(path, io::WriteMode::direct));
  for (std::uint64_t done = 0; done < bytes; done += kChunkBytes) {
    for (std::uint64_t& word : chunk) word = random();
    CAIRN_TRY(file->append(std::as_bytes(std::span(chunk))));
  }
  CAIRN_TRY(file->sync());
  return file->close();
}

struct Shape {
  std::uint32_t depth, bytes;
  double step_s;
};

struct Read {
  double seconds = 0, core_s = 0;
  std::uint64_t reads = 0;
  std::vector<double> latency_us;
};

/// Keeps `depth` reads of `bytes` under way for `step_s`; the offsets come from `next`.
Result<Read> read_for_a_while(const io::ReadFile& file, const Shape& shape,
                              const std::function<std::uint64_t()>& next) {
  const std::uint32_t depth = shape.depth, bytes = shape.bytes;
  io::DeviceMemory reads;
  CAIRN_ASSIGN(reads.memory, io::AlignedBuffer::create(std::size_t{depth} * bytes));
  const std::array files = {&file};
  CAIRN_ASSIGN(reads.device, io::posix_fs().make_device(
                                 files, {.depth = depth, .arena = reads.memory.bytes()}, nullptr));
  io::Device* const device = reads.device.get();
  std::vector<Clock::time_point> begun(depth);
  std::vector<io::ReadDone> done(depth);
  const auto start_one = [&](std::uint64_t slot) -> Status {
    begun[slot] = Clock::now();
    const io::ReadOp op{.file = 0,
                        .bytes = bytes,
                        .offset = next() * bytes,
                        .buffer = reads.memory.data() + slot * bytes,
                        .tag = slot};
    CAIRN_TRY(device->submit({&op, 1}));
    return {};
  };
  Read read;
  const double core_start = cpu_seconds();
  const Clock::time_point start = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  for (std::uint32_t slot = 0; slot < depth; ++slot) CAIRN_TRY(start_one(slot));
  while (device->in_flight() > 0) {
    CAIRN_ASSIGN(const std::uint32_t count, device->reap(done, 1, -1));
    for (const io::ReadDone& one : std::span(done).first(count)) {
      if (one.error != 0)
        return fail({.code = ErrorCode::io,
                     .what = "read",
                     .file = file.path(),
                     .found = "error " + std::to_string(one.error)});
      const std::chrono::duration<double, std::micro> took = Clock::now() - begun[one.tag];
      read.latency_us.push_back(took.count());
      if (seconds() < shape.step_s) CAIRN_TRY(start_one(one.tag));
    }
  }
  read.seconds = seconds();
  read.core_s = cpu_seconds() - core_start;
  read.reads = read.latency_us.size();
  return read;
}

bool in_memory(const std::string& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) != 0) return false;
  return info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

}  // namespace

Result<Device> measure_device(const std::string& folder, const std::function<Status()>& tick,
                              const DeviceTrial& trial) {
  CAIRN_ASSIGN(const ScratchFolder scratch, ScratchFolder::create(folder));
  const std::string path = scratch.path() + "/reads";
  CAIRN_TRY(write_file(path, trial.file_bytes));
  CAIRN_ASSIGN(const auto file, io::posix_fs().open(path, true));
  if (file->alignment_bytes() == 1 || in_memory(path))
    return fail({.code = ErrorCode::unsupported,
                 .what = "measure the device of",
                 .file = folder,
                 .found = "a file system whose reads come from memory",
                 .expected = "a folder on the device that is to hold the index"});
  Device device{.name = "measured in " + folder,
                .date = today(),
                .cores = thread_count(0),
                .depths = {},
                .assumed = false};
  std::mt19937_64 random(2);
  for (const std::uint32_t depth : kDepths) {
    CAIRN_TRY(tick());
    CAIRN_ASSIGN(Read read, read_for_a_while(*file, {depth, kRandomBytes, trial.step_s}, [&] {
                   return random() % (trial.file_bytes / kRandomBytes);
                 }));
    const auto reads = static_cast<double>(read.reads);
    const Latency latency = latency_of(std::move(read.latency_us));
    device.depths.push_back({.depth = depth,
                             .iops = reads / read.seconds,
                             .p50_us = latency.p50_us,
                             .p99_us = latency.p99_us,
                             .core_us = read.core_s / reads * 1e6});
  }
  CAIRN_TRY(tick());
  std::uint64_t chunk = 0;
  CAIRN_ASSIGN(const Read sequential, read_for_a_while(*file, {8, kChunkBytes, trial.step_s}, [&] {
                 return chunk++ % (trial.file_bytes / kChunkBytes);
               }));
  device.bytes_per_s = static_cast<double>(sequential.reads) * kChunkBytes / sequential.seconds;
  return device;
}

}  // namespace cairn::tools::plan

// The device that blocks will be read from: stated in a file, or measured here.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::tools::plan {

/// Random 4 KiB reads with so many under way at once.
struct DeviceDepth {
  std::uint32_t depth = 0;
  double iops = 0;  // reads a second
  double p50_us = 0, p99_us = 0;
  double core_us = 0;  // of the reading core, a read
};

struct Device {
  std::string name, date;
  std::uint32_t cores = 0;
  double bytes_per_s = 0;           // read in order
  std::vector<DeviceDepth> depths;  // ascending, at least one
  bool assumed = false;             // neither stated nor measured

  /// The entry of the depth next to `depth`.
  const DeviceDepth& at(std::uint32_t depth) const;
  double iops_max() const;
};

inline constexpr std::size_t kDepthsMax = 64;

/// {"name", "date", "cores", "read_bytes_per_s", "random_4k_reads": [{"depth", "iops", "p50_us",
/// "p99_us", "core_us"}]}, all of them and nothing else. invalid_argument, naming `file`.
Result<Device> parse_device(std::string_view text, const std::string& file);
Result<Device> load_device(const std::string& path);

/// What parse_device() reads.
std::string device_text(const Device& device);

/// A local NVMe as instances have it, where nothing is known.
Device assumed_device();

struct DeviceTrial {
  std::uint64_t file_bytes = std::uint64_t{256} << 20;  // a multiple of 1 MiB
  double step_s = 0.6;                                  // of each depth, and of reading in order
};

/// Reads a scratch file in `folder`, past the page cache where the file system allows it, for some
/// three seconds, and removes it. `tick` is asked between steps. Errors of the file system,
/// no_space among them; those of `tick`.
Result<Device> measure_device(const std::string& folder, const std::function<Status()>& tick,
                              const DeviceTrial& trial = {});

}  // namespace cairn::tools::plan

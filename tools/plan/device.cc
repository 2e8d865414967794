#include "tools/plan/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/plan/json_fields.h"

namespace cairn::tools::plan {
namespace {

Result<DeviceDepth> read_depth(const Fields& fields) {
  CAIRN_TRY(fields.only({"depth", "iops", "p50_us", "p99_us", "core_us"}));
  DeviceDepth depth;
  CAIRN_ASSIGN(depth.depth, fields.whole("depth", 1, 4096));
  CAIRN_ASSIGN(depth.iops, fields.number("iops", 1, 1e12));
  CAIRN_ASSIGN(depth.p50_us, fields.number("p50_us", 0.01, 1e9));
  CAIRN_ASSIGN(depth.p99_us, fields.number("p99_us", depth.p50_us, 1e9));
  CAIRN_ASSIGN(depth.core_us, fields.number("core_us", 0, 1e6));
  return depth;
}

}  // namespace

const DeviceDepth& Device::at(std::uint32_t depth) const {
  const auto apart = [depth](const DeviceDepth& entry) {
    return std::abs(std::log2(static_cast<double>(entry.depth) / depth));
  };
  return *std::ranges::min_element(depths, {}, apart);
}

double Device::iops_max() const { return std::ranges::max(depths, {}, &DeviceDepth::iops).iops; }

Result<Device> parse_device(std::string_view text, const std::string& file) {
  CAIRN_ASSIGN(const nlohmann::json object, parse_object(text, file));
  const Fields fields(object, file, "the device");
  CAIRN_TRY(fields.only({"name", "date", "cores", "read_bytes_per_s", "random_4k_reads"}));
  Device device;
  CAIRN_ASSIGN(device.name, fields.text("name"));
  CAIRN_ASSIGN(device.date, fields.date("date"));
  CAIRN_ASSIGN(device.cores, fields.whole("cores", 1, 100'000));
  CAIRN_ASSIGN(device.bytes_per_s, fields.number("read_bytes_per_s", 1, 1e15));
  CAIRN_ASSIGN(const nlohmann::json* depths, fields.array("random_4k_reads", kDepthsMax));
  for (std::size_t i = 0; i < depths->size(); ++i) {
    const Fields entry((*depths)[i], file, fmt::format("random_4k_reads {} of the device", i + 1));
    CAIRN_ASSIGN(const DeviceDepth depth, read_depth(entry));
    if (!device.depths.empty() && depth.depth <= device.depths.back().depth)
      return entry.wrong("depth", std::to_string(depth.depth),
                         "more than " + std::to_string(device.depths.back().depth));
    device.depths.push_back(depth);
  }
  return device;
}

Result<Device> load_device(const std::string& path) {
  CAIRN_ASSIGN(const std::string text, read_small_file(path));
  return parse_device(text, path);
}

std::string device_text(const Device& device) {
  nlohmann::ordered_json depths = nlohmann::ordered_json::array();
  for (const DeviceDepth& depth : device.depths)
    depths.push_back({{"depth", depth.depth},
                      {"iops", depth.iops},
                      {"p50_us", depth.p50_us},
                      {"p99_us", depth.p99_us},
                      {"core_us", depth.core_us}});
  const nlohmann::ordered_json object = {{"name", device.name},
                                         {"date", device.date},
                                         {"cores", device.cores},
                                         {"read_bytes_per_s", device.bytes_per_s},
                                         {"random_4k_reads", depths}};
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Device assumed_device() {
  return {.name = "a local NVMe, assumed",
          .date = {},
          .cores = 4,
          .bytes_per_s = 5e8,
          .depths = {{.depth = 1, .iops = 9000, .p50_us = 110, .p99_us = 250, .core_us = 8},
                     {.depth = 4, .iops = 33000, .p50_us = 120, .p99_us = 300, .core_us = 5},
                     {.depth = 32, .iops = 100'000, .p50_us = 300, .p99_us = 900, .core_us = 4}},
          .assumed = true};
}

}  // namespace cairn::tools::plan

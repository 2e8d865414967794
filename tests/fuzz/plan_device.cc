// Descriptions of devices: what is taken is in order, and reads back as the same.
#include <string_view>

#include "tests/fuzz/fuzz.h"
#include "tools/plan/device.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::tools::plan;
  const auto device =
      parse_device(std::string_view(reinterpret_cast<const char*>(data), size), "input");
  if (!device) {
    FUZZ_REQUIRE(!device.error().to_string().empty());
    return 0;
  }
  FUZZ_REQUIRE(device->iops_max() > 0 && device->cores > 0);
  std::uint32_t before = 0;
  for (const DeviceDepth& depth : device->depths) {
    FUZZ_REQUIRE(depth.depth > before && depth.p99_us >= depth.p50_us);
    before = depth.depth;
  }
  const auto again = parse_device(device_text(*device), "again");
  FUZZ_REQUIRE(again.has_value());
  FUZZ_REQUIRE(again->depths.size() == device->depths.size());
  return 0;
}

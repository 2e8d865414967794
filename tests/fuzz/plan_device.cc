// Descriptions of devices: what is taken is in order, and reads back as the same. The input is the
// file.
#include <algorithm>

#include "tests/fuzz/scratch_file.h"
#include "tools/plan/device.h"

namespace {

using namespace cairn::tools::plan;

bool same(const DeviceDepth& a, const DeviceDepth& b) {
  return a.depth == b.depth && a.iops == b.iops && a.p50_us == b.p50_us && a.p99_us == b.p99_us &&
         a.core_us == b.core_us;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cairn::fuzz::Input input(data, size);
  const auto device = parse_device(input.text(), "input");
  const cairn::fuzz::ScratchFile stored(".json", input.rest());
  FUZZ_REQUIRE(load_device(stored.path()).has_value() == device.has_value());
  if (!device) {
    FUZZ_REQUIRE(!device.error().found.empty() && !device.error().expected.empty());
    return 0;
  }
  FUZZ_REQUIRE(device->iops_max() > 0 && device->cores > 0 && device->bytes_per_s > 0);
  std::uint32_t before = 0;
  for (const DeviceDepth& depth : device->depths) {
    FUZZ_REQUIRE(depth.depth > before && depth.p99_us >= depth.p50_us);
    FUZZ_REQUIRE(device->at(depth.depth).depth == depth.depth);
    before = depth.depth;
  }
  const auto again = parse_device(device_text(*device), "again");
  FUZZ_REQUIRE(again && again->name == device->name && again->date == device->date);
  FUZZ_REQUIRE(again->cores == device->cores && again->bytes_per_s == device->bytes_per_s);
  FUZZ_REQUIRE(std::ranges::equal(again->depths, device->depths, same));
  return 0;
}

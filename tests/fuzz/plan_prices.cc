// Price lists: what is taken is complete and within bounds.
#include <string_view>

#include "tests/fuzz/fuzz.h"
#include "tools/plan/prices.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::tools::plan;
  const auto prices =
      parse_prices(std::string_view(reinterpret_cast<const char*>(data), size), "input");
  if (!prices) {
    FUZZ_REQUIRE(!prices.error().to_string().empty());
    return 0;
  }
  FUZZ_REQUIRE(!prices->instances.empty() && prices->date.size() == 10);
  for (const Instance& instance : prices->instances) {
    FUZZ_REQUIRE(!instance.name.empty() && instance.vcpus > 0);
    FUZZ_REQUIRE(instance.memory_gib > 0 && instance.price_per_month() > 0);
    FUZZ_REQUIRE(!instance.nvme_iops_4k || (*instance.nvme_iops_4k > 0 && instance.nvme_gb > 0));
  }
  return 0;
}

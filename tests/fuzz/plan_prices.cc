// Price lists: what is taken is complete and within bounds. The input is the file.
#include <set>
#include <string>

#include "tests/fuzz/scratch_file.h"
#include "tools/plan/prices.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::tools::plan;
  const cairn::fuzz::Input input(data, size);
  const auto prices = parse_prices(input.text(), "input");
  const cairn::fuzz::ScratchFile stored(".json", input.rest());
  FUZZ_REQUIRE(load_prices(stored.path()).has_value() == prices.has_value());
  if (!prices) {
    FUZZ_REQUIRE(!prices.error().found.empty() && !prices.error().expected.empty());
    return 0;
  }
  FUZZ_REQUIRE(!prices->instances.empty() && prices->date.size() == 10);
  FUZZ_REQUIRE(!prices->currency.empty() && !prices->region.empty() && !prices->source.empty());
  std::set<std::string> names;
  for (const Instance& instance : prices->instances) {
    FUZZ_REQUIRE(!instance.name.empty() && names.insert(instance.name).second);
    FUZZ_REQUIRE(instance.vcpus > 0 && instance.memory_gib > 0 && instance.price_per_month() > 0);
    FUZZ_REQUIRE(!instance.nvme_iops_4k || (*instance.nvme_iops_4k > 0 && instance.nvme_gb > 0));
  }
  return 0;
}

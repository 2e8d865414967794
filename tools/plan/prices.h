// What machines cost: a dated list that the user can replace. Never fetched.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::tools::plan {

struct Instance {
  std::string name;
  std::uint32_t vcpus = 0;
  double memory_gib = 0;
  double nvme_gb = 0;                       // of local NVMe, 10^9 bytes; 0: none
  std::optional<double> nvme_iops_4k = {};  // random reads a second; unset: not known
  double price_per_hour = 0;

  double price_per_month() const;
};

/// Hours of a month, as providers count.
inline constexpr double kHoursPerMonth = 730;
inline constexpr std::size_t kInstancesMax = 4096;

struct PriceList {
  std::string currency, region, date, source;
  std::vector<Instance> instances;  // names differ
};

/// {"currency", "region", "date", "source", "instances": [{"name", "vcpus", "memory_gib",
/// "nvme_gb", "nvme_iops_4k" (or null), "price_per_hour"}]}, all of them and nothing else.
/// `file` is what errors name. invalid_argument.
Result<PriceList> parse_prices(std::string_view text, const std::string& file);

/// Errors of reading and of parse_prices().
Result<PriceList> load_prices(const std::string& path);

/// The list that is part of the program: tools/plan/prices.json.
std::string_view default_prices_text();

}  // namespace cairn::tools::plan

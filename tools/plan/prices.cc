#include "tools/plan/prices.h"

#include <fmt/format.h>

#include <set>

#include "tools/plan/json_fields.h"

namespace cairn::tools::plan {
namespace {

Result<Instance> read_instance(const Fields& fields) {
  CAIRN_TRY(
      fields.only({"name", "vcpus", "memory_gib", "nvme_gb", "nvme_iops_4k", "price_per_hour"}));
  Instance instance;
  CAIRN_ASSIGN(instance.name, fields.text("name"));
  CAIRN_ASSIGN(instance.vcpus, fields.whole("vcpus", 1, 100'000));
  CAIRN_ASSIGN(instance.memory_gib, fields.number("memory_gib", 0.1, 1e6));
  CAIRN_ASSIGN(instance.nvme_gb, fields.number("nvme_gb", 0, 1e9));
  CAIRN_ASSIGN(instance.nvme_iops_4k, fields.number_or_null("nvme_iops_4k", 1, 1e12));
  CAIRN_ASSIGN(instance.price_per_hour, fields.number("price_per_hour", 1e-6, 1e6));
  if (instance.nvme_iops_4k && instance.nvme_gb == 0)
    return fields.wrong("nvme_iops_4k", fmt::format("{:g}", *instance.nvme_iops_4k),
                        "null where nvme_gb is 0");
  return instance;
}

}  // namespace

double Instance::price_per_month() const { return price_per_hour * kHoursPerMonth; }

Result<PriceList> parse_prices(std::string_view text, const std::string& file) {
  CAIRN_ASSIGN(const nlohmann::json object, parse_object(text, file));
  const Fields fields(object, file, "the prices");
  CAIRN_TRY(fields.only({"currency", "region", "date", "source", "instances"}));
  PriceList prices;
  CAIRN_ASSIGN(prices.currency, fields.text("currency"));
  CAIRN_ASSIGN(prices.region, fields.text("region"));
  CAIRN_ASSIGN(prices.date, fields.date("date"));
  CAIRN_ASSIGN(prices.source, fields.text("source"));
  CAIRN_ASSIGN(const nlohmann::json* instances, fields.array("instances", kInstancesMax));
  std::set<std::string> names;
  for (std::size_t i = 0; i < instances->size(); ++i) {
    const Fields entry((*instances)[i], file, fmt::format("instance {} of the prices", i + 1));
    CAIRN_ASSIGN(const Instance instance, read_instance(entry));
    if (!names.insert(instance.name).second)
      return entry.wrong("name", "'" + instance.name + "' again", "each name once");
    prices.instances.push_back(instance);
  }
  return prices;
}

Result<PriceList> load_prices(const std::string& path) {
  CAIRN_ASSIGN(const std::string text, read_small_file(path));
  return parse_prices(text, path);
}

}  // namespace cairn::tools::plan

// Which machine holds a design and gives what is asked, and which design to take.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "tools/plan/rows.h"

namespace cairn::tools::plan {
namespace {

// What is under way of a lone search.
constexpr std::uint32_t kWidth = 4;
constexpr double kGiB = 1024.0 * 1024 * 1024, kGB = 1e9;
constexpr double kSecondsAnHour = 3600, kQueriesCounted = 1e6;
// Contexts of searching threads, a core: 64 blocks and 256 KiB, and what the process takes else.
constexpr double kContextBytes = (64 * 4 + 256 + 512) * 1024.0;

bool holds(const Instance& instance, const Design& design) {
  const double needed = design.ram_bytes + (design.cairn ? instance.vcpus * kContextBytes : 0);
  if (needed > kMemoryShare * instance.memory_gib * kGiB) return false;
  if (!design.cairn) return true;
  return instance.nvme_iops_4k.has_value() && design.disk_bytes <= instance.nvme_gb * kGB;
}

/// Of an interval what stands in its place.
using End = double Estimate::*;

/// With one end of the intervals for the middle.
SearchCost at_end(SearchCost cost, End end) {
  const double core = cost.core_s.*end / cost.core_s.value;
  const double reads = cost.reads.value > 0 ? cost.reads.*end / cost.reads.value : 1;
  cost.core_s = Estimate::exact(cost.core_s.*end);
  cost.reads = Estimate::exact(cost.reads.*end);
  cost.alone_core_s *= core;
  cost.alone_core_p99_s *= core;
  cost.rounds *= reads;
  cost.rounds_p99 *= reads;
  return cost;
}

bool fast_enough(const Workload& workload, const Service& service) {
  return !workload.qps || service.qps >= *workload.qps;
}
bool soon_enough(const Workload& workload, const Service& service) {
  return !workload.p99_s || service.p99_s <= *workload.p99_s;
}

/// What 99 of 100 searches wait at most for others, when so many come at random times: the mean
/// wait for `cores` servers (Sakasegawa, Annals of the Institute of Statistical Mathematics 29,
/// 1977, whose exponent is sqrt(2 (cores + 1)) - 1), and a wait beyond it falls off exponentially.
double queue_p99_s(double core_s, double cores, double qps) {
  constexpr double kBusyMax = 0.99;
  const double kTail = std::log(100.0);
  const double busy = std::min(kBusyMax, qps * core_s / cores);
  return kTail * core_s * std::pow(busy, std::sqrt(2 * (cores + 1)) - 1) / (cores * (1 - busy));
}

/// Of the machine at the rate asked.
Service service_at(const Workload& workload, const SearchCost& cost, const Device& device,
                   const Instance& instance) {
  Service service = serve(cost, device, instance.nvme_iops_4k.value_or(0), instance.vcpus);
  if (workload.qps) service.p99_s += queue_p99_s(cost.core_s.value, instance.vcpus, *workload.qps);
  return service;
}

Choice choice_of(const Workload& workload, const Design& design, const Device& device,
                 const Instance& instance, End end) {
  const auto at = [&](End of) {
    return service_at(workload, at_end(design.search, of), device, instance);
  };
  Choice choice{.instance = instance, .service = at(end)};
  choice.qps_met = fast_enough(workload, choice.service);
  choice.p99_met = soon_enough(workload, choice.service);
  const Service worst = at(&Estimate::high);
  choice.sure = fast_enough(workload, worst) && soon_enough(workload, worst);
  choice.per_month = instance.price_per_month();
  const double qps = std::min(workload.qps.value_or(choice.service.qps), choice.service.qps);
  choice.per_million = instance.price_per_hour / (qps * kSecondsAnHour) * kQueriesCounted;
  return choice;
}

/// As Choice says, by one point of the intervals; where that is the lower end, sure or not.
std::optional<Choice> choose(const Workload& workload, const Design& design, const Device& device,
                             const PriceList& prices, End end) {
  std::optional<Choice> best;
  const auto key = [end](const Choice& choice) {
    return std::tuple(!(choice.qps_met && choice.p99_met), end != &Estimate::low && !choice.sure,
                      choice.per_month);
  };
  for (const Instance& instance : prices.instances) {
    if (!holds(instance, design)) continue;
    const Choice choice = choice_of(workload, design, device, instance, end);
    if (!best || key(choice) < key(*best)) best = choice;
  }
  return best;
}

}  // namespace

Service serve(const SearchCost& cost, const Device& device, double iops, double cores) {
  const DeviceDepth& alone = device.at(kWidth);
  Service service;
  const double tail = alone.p99_us - alone.p50_us;
  service.mean_s = cost.rounds * alone.p50_us * 1e-6 + cost.alone_core_s;
  service.p99_s = cost.alone_core_p99_s +
                  (cost.rounds_p99 * alone.p50_us + (cost.rounds_p99 > 0 ? tail : 0)) * 1e-6;
  service.qps = kLoad * cores / cost.core_s.value;
  if (cost.reads.value > 0) service.qps = std::min(service.qps, kLoad * iops / cost.reads.value);
  return service;
}

std::vector<Row> judge(const Workload& workload, const std::vector<Design>& designs,
                       const Device& device, const PriceList& prices) {
  std::vector<Row> rows;
  for (const Design& design : designs) {
    Row row;
    row.design = design;
    if (!device.assumed)
      row.on_device = serve(design.search, device, device.iops_max(), device.cores);
    row.choice = choose(workload, design, device, prices, &Estimate::value);
    row.cheapest = choose(workload, design, device, prices, &Estimate::low);
    row.memory_met =
        !workload.memory_bytes || design.ram_bytes <= static_cast<double>(*workload.memory_bytes);
    rows.push_back(std::move(row));
  }
  // What is sure; then the least money; for the same money the most queries.
  Row* best = nullptr;
  for (Row& row : rows) {
    if (!row.meets()) continue;
    const auto key = [](const Row& of) {
      return std::tuple(!of.choice->sure, of.choice->per_month, -of.choice->service.qps);
    };
    if (best == nullptr || key(row) < key(*best)) best = &row;
  }
  if (best != nullptr) best->recommended = true;
  return rows;
}

}  // namespace cairn::tools::plan

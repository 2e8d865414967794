#include "tools/plan/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/table.h"
#include "tools/units.h"

namespace cairn::tools::plan {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024, kGB = 1e9;

/// Three digits.
std::string short_figure(double value) {
  if (value <= 0) return "0";
  if (value >= 100) return fmt::format("{:.0f}", value);
  return value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::string interval(const Estimate& of) {
  if (of.value <= 0) return "0";
  const int decimals = of.high < 20 ? 1 : 0;
  return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", of.value, decimals, of.low, decimals, of.high,
                     decimals);
}

std::string name_of(const Row& row) { return (row.recommended ? "> " : "  ") + row.design.name; }

std::string takes_table(const Plan& plan) {
  Table table({"  design", "RAM GiB", "RAM B/v", "disk GB", "build", "build GiB", "build disk GB",
               "change"});
  for (const Row& row : plan.rows) {
    const Design& design = row.design;
    table.add({name_of(row), short_figure(design.ram_bytes / kGiB),
               fmt::format("{:.0f}", design.ram_bytes / static_cast<double>(plan.workload.count)),
               short_figure(design.disk_bytes / kGB), show_duration(design.build_s),
               short_figure(design.build_ram_bytes / kGiB),
               short_figure(design.build_disk_bytes / kGB), design.update});
  }
  return table.text();
}

std::string gives_table(const Plan& plan) {
  Table table({"  design", "recall", "reads/query", "mean ms", "p99 ms", "QPS", "machine",
               plan.prices.currency + "/month", "/Mquery", "meets"});
  for (const Row& row : plan.rows) {
    const Service* service = row.choice ? &row.choice->service : nullptr;
    const SearchCost& cost = row.design.search;
    const auto of = [](bool known, double value) { return known ? short_figure(value) : "-"; };
    table.add({name_of(row),
               fmt::format("{}{:.3f}", row.design.reaches ? "" : "<",
                           row.design.reaches ? cost.recall.value : cost.recall.high),
               interval(cost.reads), of(service != nullptr, service ? service->mean_s * 1e3 : 0),
               of(service != nullptr, service ? service->p99_s * 1e3 : 0),
               service ? fmt::format("{:.0f}", service->qps) : "-",
               row.choice ? row.choice->instance.name : "none",
               of(row.choice.has_value(), row.choice ? row.choice->per_month : 0),
               row.choice ? fmt::format("{:.3f}", row.choice->per_million) : "-",
               !row.meets()       ? "no"
               : row.choice->sure ? "yes"
                                  : "maybe"});
  }
  return table.text();
}

/// What a lone index gives on the device that is stated or was measured, with its cores.
std::string device_table(const Plan& plan) {
  if (plan.device.assumed) return {};
  Table table({"  on " + plan.device.name, "mean ms", "p99 ms", "QPS"});
  for (const Row& row : plan.rows)
    table.add({name_of(row), short_figure(row.on_device->mean_s * 1e3),
               short_figure(row.on_device->p99_s * 1e3),
               fmt::format("{:.0f}", row.on_device->qps)});
  return table.text() + "\n";
}

std::string asked(const Workload& workload) {
  std::string text =
      fmt::format("{} vectors of {} x {}, metric {}; recall@{} of {:g}", show_count(workload.count),
                  workload.dim, dtype_name(workload.dtype), metric_name(workload.metric),
                  workload.k, workload.recall);
  if (workload.qps) text += fmt::format(", {:g} queries a second", *workload.qps);
  if (workload.p99_s) text += fmt::format(", p99 {:g} ms", *workload.p99_s * 1e3);
  if (workload.memory_bytes) text += ", memory " + show_bytes(*workload.memory_bytes);
  return text + "\n";
}

nlohmann::ordered_json json_of(const Estimate& of) {
  return {{"value", of.value}, {"low", of.low}, {"high", of.high}};
}

nlohmann::ordered_json json_of(const Service& of) {
  return {{"mean_s", of.mean_s}, {"p99_s", of.p99_s}, {"qps_max", of.qps}};
}

nlohmann::ordered_json json_of(const Choice& of) {
  return {{"name", of.instance.name},
          {"vcpus", of.instance.vcpus},
          {"memory_gib", of.instance.memory_gib},
          {"nvme_gb", of.instance.nvme_gb},
          {"service", json_of(of.service)},
          {"qps_met", of.qps_met},
          {"p99_met", of.p99_met},
          {"sure", of.sure},
          {"per_month", of.per_month},
          {"per_million_queries", of.per_million}};
}

nlohmann::ordered_json json_of(const Row& row) {
  const Design& design = row.design;
  nlohmann::ordered_json object = {{"design", design.name},
                                   {"measured", design.measured},
                                   {"ram_bytes", design.ram_bytes},
                                   {"disk_bytes", design.disk_bytes},
                                   {"build",
                                    {{"seconds", design.build_s},
                                     {"ram_bytes", design.build_ram_bytes},
                                     {"disk_bytes", design.build_disk_bytes}}},
                                   {"recall", json_of(design.search.recall)},
                                   {"recall_reached", design.reaches},
                                   {"reads", json_of(design.search.reads)},
                                   {"core_s", json_of(design.search.core_s)},
                                   {"rounds", design.search.rounds},
                                   {"change", design.update},
                                   {"change_why", design.update_why}};
  if (design.state)
    object["memory"] = {{"limit_bytes", design.state->limit_bytes},
                        {"refine_bytes", design.state->refine_bytes},
                        {"nav_edges", design.state->nav_edges},
                        {"cache_bytes", design.state->cache_bytes}};
  object["on_device"] = nullptr;
  if (row.on_device) object["on_device"] = json_of(*row.on_device);
  object["machine"] = nullptr;
  if (row.choice) object["machine"] = json_of(*row.choice);
  object["memory_met"] = row.memory_met;
  object["meets"] = row.meets();
  object["recommended"] = row.recommended;
  return object;
}

}  // namespace

std::vector<std::string> assumptions(const Plan& plan) {
  std::vector<std::string> lines = {
      "HNSW, IVF: bytes by their structure; times (half to twice) scaled from those of SIFT"};
  if (plan.workload.k != 10)
    lines.back() += fmt::format(", and from k = 10 to {}", plan.workload.k);
  if (plan.sample) {
    lines.push_back(fmt::format(
        "Cairn: measured here on {} rows of the sample, 1/2, 1/4 and 1/8 of them, {} queries",
        show_count(plan.sample->rows), show_count(plan.sample->queries)));
  } else {
    lines.push_back(
        plan.workload.dim < kKnownManyFrom
            ? "Cairn, no --sample: reads between those of SIFT descriptors and GloVe words,"
            : "Cairn, no --sample: reads of 100,000 generated vectors of 768 dimensions,");
    lines.back() += " 6 to 14 % more a doubling";
  }
  const Device& device = plan.device;
  const DeviceDepth& alone = device.at(4);
  lines.push_back(
      device.assumed
          ? fmt::format(
                "device: assumed, {:.0f} us a read, p99 {:.0f}; reads a second of the price list",
                alone.p50_us, alone.p99_us)
          : fmt::format(
                "device: {} ({}), {:.0f} us a read, p99 {:.0f}; {:.0f} reads a second, {} cores",
                device.name, device.date, alone.p50_us, alone.p99_us, device.iops_max(),
                device.cores));
  const PriceList& prices = plan.prices;
  lines.push_back(
      fmt::format("prices: {}, {}, of {}", prices.currency, prices.region, prices.date));
  lines.push_back(prices.source);
  lines.push_back(fmt::format(
      "QPS at {:.0f} % load; an index takes at most {:.0f} % of a machine's "
      "memory; /Mquery at {}",
      100 * kLoad, 100 * kMemoryShare, plan.workload.qps ? "the rate asked" : "the highest rate"));
  lines.push_back(plan.workload.qps
                      ? "p99: of a lone search, and of waiting for a core at the rate asked"
                      : "p99: of a lone search, which waits for no other");
  return lines;
}

std::string plan_text(const Plan& plan) {
  std::string text = asked(plan.workload) + "\n" + takes_table(plan) + "\n" + gives_table(plan) +
                     "\n" + device_table(plan);
  for (const std::string& line : assumptions(plan)) text += "- " + line + "\n";
  return text + "\n" + advice(plan) + "\n";
}

nlohmann::ordered_json plan_json(const Plan& plan) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Row& row : plan.rows) rows.push_back(json_of(row));
  const Workload& workload = plan.workload;
  nlohmann::ordered_json object = {{"count", workload.count},
                                   {"dim", workload.dim},
                                   {"dtype", dtype_name(workload.dtype)},
                                   {"metric", metric_name(workload.metric)},
                                   {"k", workload.k},
                                   {"recall", workload.recall},
                                   {"qps", nullptr},
                                   {"p99_s", nullptr},
                                   {"memory_bytes", nullptr}};
  if (workload.qps) object["qps"] = *workload.qps;
  if (workload.p99_s) object["p99_s"] = *workload.p99_s;
  if (workload.memory_bytes) object["memory_bytes"] = *workload.memory_bytes;
  object["sample"] = nullptr;
  if (plan.sample) {
    nlohmann::ordered_json states = nlohmann::ordered_json::array();
    for (const SampleState& state : plan.sample->states) {
      nlohmann::ordered_json points = nlohmann::ordered_json::array();
      for (const SamplePoint& point : state.points)
        points.push_back({{"count", point.count},
                          {"recall", point.recall},
                          {"blocks", point.blocks},
                          {"blocks_alone", point.blocks_wide},
                          {"reached", point.reached}});
      states.push_back({{"layers", state.loaded.layers},
                        {"slices", state.loaded.slices},
                        {"points", points},
                        {"found", state.found},
                        {"core_us", state.core_us},
                        {"alone_core_us", state.alone_core_us},
                        {"rounds", state.rounds},
                        {"rounds_p99", state.rounds_p99}});
    }
    object["sample"] = {{"rows", plan.sample->rows},
                        {"file_rows", plan.sample->file_rows},
                        {"queries", plan.sample->queries},
                        {"states", states}};
  }
  object["prices"] = {{"currency", plan.prices.currency},
                      {"region", plan.prices.region},
                      {"date", plan.prices.date},
                      {"source", plan.prices.source}};
  object["device"] = {{"name", plan.device.name}, {"assumed", plan.device.assumed}};
  object["assumptions"] = assumptions(plan);
  object["designs"] = rows;
  object["advice"] = advice(plan);
  return object;
}

}  // namespace cairn::tools::plan

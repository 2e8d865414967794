#include "tools/build/plan_report.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "tools/table.h"
#include "tools/units.h"

namespace cairn::tools {
namespace {

using nlohmann::ordered_json;

/// How far reality was off the plan, as a share of the plan.
std::optional<double> off_by(double planned, double measured) {
  if (!(planned > 0) || !(measured > 0)) return std::nullopt;
  return measured / planned - 1;
}

std::optional<double> off_by(std::uint64_t planned, std::uint64_t measured) {
  return off_by(static_cast<double>(planned), static_cast<double>(measured));
}

ordered_json or_null(std::optional<double> value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

/// "7 % more"
std::string show_off(double share) {
  return fmt::format("{:.0f} % {}", std::abs(100 * share), share < 0 ? "less" : "more");
}

/// Wall time of all runs; of the phases where only these are known.
double wall_seconds(const BuildReport& report) {
  if (report.wall_s > 0) return report.wall_s;
  double sum_s = 0;
  for (const BuildReport::Phase& phase : report.phases) sum_s += phase.wall_s;
  return sum_s;
}

std::string phase_table(const BuildReport& report) {
  Table table({"phase", "wall s", "core s", "core us/vector"});
  const auto n = static_cast<double>(report.vectors);
  const auto add = [&](const std::string& name, double wall_s, double cpu_s) {
    table.add({name, fmt::format("{:.1f}", wall_s), fmt::format("{:.1f}", cpu_s),
               fmt::format("{:.1f}", cpu_s / n * 1e6)});
  };
  double cpu_s = 0;
  for (const BuildReport::Phase& phase : report.phases) {
    cpu_s += phase.cpu_s;
    add(phase.name, phase.wall_s, phase.cpu_s);
  }
  add("all", wall_seconds(report), report.cpu_s > 0 ? report.cpu_s : cpu_s);
  return table.text();
}

}  // namespace

std::string plan_text(const BuildPlan& plan) {
  std::string text =
      fmt::format("plan: {} vectors in {} partition{}, {:.2f} linked copies of each\n",
                  show_count(plan.vectors), show_count(plan.partitions),
                  plan.partitions == 1 ? "" : "s", plan.copies);
  Table table({"phase", "units", "estimated"});
  std::uint64_t units = 0;
  for (const BuildPlan::Phase& phase : plan.phases) {
    units += phase.units;
    table.add({phase.name, show_count(phase.units), show_duration(phase.seconds)});
  }
  if (plan.phases.empty()) {
    text += "times: not estimated, which would take as long as so small a build\n";
  } else {
    table.add({"all", show_count(units), show_duration(plan.seconds)});
    text += table.text();
  }
  text += fmt::format("memory: {} at most; the smallest that works is {}\n",
                      show_bytes(plan.memory_bytes), show_bytes(plan.memory_min_bytes));
  text += fmt::format("disk: {} at most while it builds, {} the finished index\n",
                      show_bytes(plan.disk_bytes), show_bytes(plan.index_bytes));
  if (plan.units_done > 0)
    text += fmt::format("goes on: {} of {} units done\n", show_count(plan.units_done),
                        show_count(units));
  return text;
}

ordered_json plan_json(const BuildPlan& plan) {
  ordered_json phases = ordered_json::array();
  for (const BuildPlan::Phase& phase : plan.phases)
    phases.push_back({{"name", phase.name}, {"units", phase.units}, {"seconds", phase.seconds}});
  return {{"vectors", plan.vectors},
          {"partitions", plan.partitions},
          {"copies", plan.copies},
          {"seconds", plan.seconds},
          {"memory_bytes", plan.memory_bytes},
          {"memory_min_bytes", plan.memory_min_bytes},
          {"disk_bytes", plan.disk_bytes},
          {"index_bytes", plan.index_bytes},
          {"units_done", plan.units_done},
          {"phases", phases}};
}

std::string report_text(const BuildReport& report) {
  return phase_table(report) +
         fmt::format(
             "{} vectors ({} exact duplicates), {:.1f} edges each, {} a block; {} on disk; "
             "{} edges did not fit, {} added for reachability\n",
             show_count(report.vectors), show_count(report.duplicates), report.mean_degree,
             report.slots_per_block, show_bytes(report.disk_bytes),
             show_count(report.dropped_edges), show_count(report.repair_edges)) +
         estimate_text(report);
}

ordered_json report_json(const BuildReport& report) {
  ordered_json phases = ordered_json::array();
  for (const BuildReport::Phase& phase : report.phases)
    phases.push_back({{"name", phase.name}, {"wall_s", phase.wall_s}, {"cpu_s", phase.cpu_s}});
  const BuildPlan& plan = report.plan;
  const ordered_json error = {
      {"time",
       or_null(plan.units_done > 0 ? std::nullopt : off_by(plan.seconds, wall_seconds(report)))},
      {"memory", or_null(off_by(plan.memory_bytes, report.memory_peak_bytes))},
      {"disk", or_null(off_by(plan.disk_bytes, report.disk_peak_bytes))}};
  return {{"vectors", report.vectors},
          {"duplicates", report.duplicates},
          {"edges", report.edges},
          {"mean_degree", report.mean_degree},
          {"dropped_edges", report.dropped_edges},
          {"repair_edges", report.repair_edges},
          {"blocks", report.blocks},
          {"slots_per_block", report.slots_per_block},
          {"disk_bytes", report.disk_bytes},
          {"partitions", report.partitions},
          {"copies", report.copies},
          {"walk_passes", report.walk_passes},
          {"wall_s", report.wall_s},
          {"cpu_s", report.cpu_s},
          {"memory_peak_bytes", report.memory_peak_bytes},
          {"disk_peak_bytes", report.disk_peak_bytes},
          {"phases", phases},
          {"plan", plan_json(plan)},
          {"error", error}};
}

std::string estimate_text(const BuildReport& report) {
  const BuildPlan& plan = report.plan;
  std::string text;
  const double wall_s = wall_seconds(report);
  const auto off = off_by(plan.seconds, wall_s);
  if (off && plan.units_done > 0)
    text += fmt::format("estimated {} for the whole, this run took {}\n",
                        show_duration(plan.seconds), show_duration(wall_s));
  else if (off)
    text += fmt::format("estimated {}, took {} ({})\n", show_duration(plan.seconds),
                        show_duration(wall_s), show_off(*off));
  const auto add_bytes = [&text](const char* what, std::uint64_t planned, std::uint64_t measured) {
    if (const auto bytes_off = off_by(planned, measured))
      text += fmt::format("{}: {} planned, {} at most ({})\n", what, show_bytes(planned),
                          show_bytes(measured), show_off(*bytes_off));
  };
  add_bytes("memory", plan.memory_bytes, report.memory_peak_bytes);
  add_bytes("disk", plan.disk_bytes, report.disk_peak_bytes);
  return text;
}

}  // namespace cairn::tools

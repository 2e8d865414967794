#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/plan/report.h"
#include "tools/units.h"

namespace cairn::tools::plan {
namespace {

std::string money(const Plan& plan, double amount) {
  return fmt::format("{:.2f} {} a month", amount, plan.prices.currency);
}

std::string milliseconds(double seconds) { return fmt::format("{:.2g} ms", seconds * 1e3); }

std::string rate(double qps) {
  const double digits = std::pow(10, std::floor(std::log10(std::max(qps, 1.0))) - 1);
  return show_count(static_cast<std::uint64_t>(std::round(qps / digits) * digits));
}

/// What a row misses of what is asked.
std::string missed(const Plan& plan, const Row& row) {
  const Workload& asked = plan.workload;
  std::string text;
  const auto add = [&text](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  if (!row.design.reaches) add(fmt::format("a recall of {:g}", asked.recall));
  if (!row.memory_met) add(fmt::format("{} of memory", show_bytes(*asked.memory_bytes)));
  if (!row.choice) {
    add("a machine of the list that holds it");
    return text;
  }
  if (!row.choice->qps_met)
    add(fmt::format("{:g} queries a second ({} at most)", *asked.qps,
                    rate(row.choice->service.qps)));
  if (!row.choice->p99_met)
    add(fmt::format("a p99 of {} ({})", milliseconds(*asked.p99_s),
                    milliseconds(row.choice->service.p99_s)));
  return text;
}

std::string take(const Plan& plan, const Row& row) {
  const Design& design = row.design;
  const Choice& choice = *row.choice;
  std::string reads;
  if (design.cairn)
    reads = fmt::format("{:.1f} reads a query ({:.1f} to {:.1f}), ", design.search.reads.value,
                        design.search.reads.low, design.search.reads.high);
  return fmt::format(
      "Take {} on {} for {}: {}p99 {}, up to {} queries a second, recall {:g} - the least money of "
      "all that {} what is asked.",
      design.name, choice.instance.name, money(plan, choice.per_month), reads,
      milliseconds(choice.service.p99_s), rate(choice.service.qps), plan.workload.recall,
      choice.sure ? "surely meet" : "may meet");
}

std::string none_fits(const Plan& plan) {
  std::string text = "No design meets what is asked on a machine of the price list";
  const auto first = std::ranges::find_if(
      plan.rows, [](const Row& row) { return row.design.cairn && row.choice; });
  if (first != plan.rows.end())
    text += fmt::format(": {} misses {}", first->design.name, missed(plan, *first));
  return text + ".";
}

std::string saving(const Plan& plan, const Row& taken, const Row& hnsw) {
  if (!hnsw.choice)
    return fmt::format("HNSW in RAM needs {}, which no machine of the list has.",
                       show_bytes(static_cast<std::uint64_t>(hnsw.design.ram_bytes)));
  // The least that HNSW may cost: what is saved against that is surely saved.
  const double before = hnsw.cheapest->per_month, after = taken.choice->per_month;
  const std::string needs =
      fmt::format("HNSW in RAM takes {} and the cheapest machine on which it may do is {} at {}",
                  show_bytes(static_cast<std::uint64_t>(hnsw.design.ram_bytes)),
                  hnsw.cheapest->instance.name, money(plan, before));
  // Its memory is what is to be saved: only what it gives must be alike.
  if (!hnsw.cheapest->qps_met || !hnsw.cheapest->p99_met)
    return fmt::format("{}, but it misses {}: no saving is claimed.", needs, missed(plan, hnsw));
  if (after >= before) return needs + ": nothing is saved.";
  if (!plan.workload.qps || !plan.workload.p99_s)
    return needs +
           ": no saving is claimed, since --qps and --p99 do not both say what is fast "
           "enough.";
  if (!taken.choice->sure)
    return needs +
           ": no saving is claimed, since at the upper ends of its intervals it misses what "
           "is asked.";
  return fmt::format(
      "{}: this saves {:.0f} %{}.", needs, 100 * (1 - after / before),
      plan.device.assumed || !plan.sample ? ", if the device and the vectors are as assumed" : "");
}

/// Where a design in RAM is taken.
std::string no_saving(const Plan& plan, const Row& taken) {
  const Row* cheaper = nullptr;
  for (const Row& row : plan.rows)
    if (row.design.cairn && row.meets() && row.choice->per_month < taken.choice->per_month)
      if (cheaper == nullptr || row.choice->per_month < cheaper->choice->per_month) cheaper = &row;
  if (cheaper == nullptr) return " A disk-resident index saves nothing here.";
  return fmt::format(
      " {} on {} for {} may do as well, but not at the upper ends of its intervals: no saving is "
      "claimed{}.",
      cheaper->design.name, cheaper->choice->instance.name, money(plan, cheaper->choice->per_month),
      plan.sample ? "" : ", and --sample narrows them");
}

}  // namespace

std::string advice(const Plan& plan) {
  const auto taken = std::ranges::find_if(plan.rows, &Row::recommended);
  if (taken == plan.rows.end())
    return none_fits(plan) +
           " No saving is claimed: relax what is asked, add machines with "
           "--prices, or divide the vectors.";
  if (!taken->design.cairn) return take(plan, *taken) + no_saving(plan, *taken);
  return take(plan, *taken) + " " + saving(plan, *taken, plan.rows.front());
}

}  // namespace cairn::tools::plan

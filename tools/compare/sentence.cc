#include "tools/compare/sentence.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/units.h"

namespace cairn::tools {
namespace {

std::string ratio(double value) { return fmt::format("{:.{}f}", value, value < 9.95 ? 1 : 0); }

std::string memory(const Verdict& verdict) {
  const auto own = static_cast<double>(verdict.own_bytes);
  const auto old = static_cast<double>(std::max<std::uint64_t>(verdict.old_bytes, 1));
  return fmt::format("{} of memory instead of {} ({})", show_bytes(verdict.own_bytes),
                     show_bytes(verdict.old_bytes),
                     own <= old ? fmt::format("1/{}", ratio(old / own))
                                : fmt::format("{} times as much", ratio(own / old)));
}

std::string time(const Verdict& verdict) {
  const auto shown = [](double us) {
    return us < 1000 ? fmt::format("{:.2g} ms", us / 1000) : fmt::format("{:.1f} ms", us / 1000);
  };
  const double slower = verdict.own_us / verdict.old_us;
  const std::string how = slower >= 1.05   ? fmt::format("{} times as long", ratio(slower))
                          : slower <= 0.95 ? fmt::format("{} times as fast", ratio(1 / slower))
                                           : "as long";
  return fmt::format("a median of {} a query instead of {} ({})", shown(verdict.own_us),
                     shown(verdict.old_us), how);
}

}  // namespace

std::string sentence(const Verdict& verdict) {
  const std::string queries =
      fmt::format("{} {}", show_count(verdict.queries), verdict.queries == 1 ? "query" : "queries");
  const std::string cost = fmt::format("in {}, at {}", memory(verdict), time(verdict));
  if (verdict.reached)
    return fmt::format("Cairn answers {} {} with recall@{} {:.4f} where {} has {:.4f}, {}.",
                       verdict.queries == 1 ? "this" : "these", queries, verdict.k,
                       verdict.own_recall, verdict.old_name, verdict.old_recall, cost);
  return fmt::format(
      "Cairn does not find as much as {} on {} {}: recall@{} {:.4f} at best where that has {:.4f}, "
      "{}.",
      verdict.old_name, verdict.queries == 1 ? "this" : "these", queries, verdict.k,
      verdict.own_recall, verdict.old_recall, cost);
}

}  // namespace cairn::tools

#include "tools/recall/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "tools/units.h"

namespace cairn::tools {
namespace {

std::string whole(double value) { return fmt::format("{:.0f}", value); }

std::string microseconds(double us) {
  if (us == 0) return "-";  // of a batch
  return us < 100 ? fmt::format("{:.1f}", us) : whole(us);
}

std::string figure(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : "-";
}

template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  return *value;
}

}  // namespace

std::vector<std::string> recall_titles(std::string list_name) {
  return {std::move(list_name),
          "slack",
          "asked",
          "edges",
          "threads",
          "recall",
          "QPS",
          "mean us",
          "p50",
          "p99",
          "p99.9",
          "reads",
          "rounds",
          "cache hits",
          "shared",
          "core us",
          "codes",
          "refined",
          "exact",
          "index RAM"};
}

std::vector<std::string> recall_cells(const RecallRow& row) {
  return {std::to_string(row.list_size),
          figure(row.slack, 3),
          figure(row.asked, 3),
          row.edges ? std::to_string(*row.edges) : "-",
          std::to_string(row.threads),
          fmt::format("{:.4f}", row.recall),
          whole(row.qps),
          microseconds(row.mean_us),
          microseconds(row.p50_us),
          microseconds(row.p99_us),
          microseconds(row.p999_us),
          fmt::format("{:.2f}", row.reads),
          fmt::format("{:.2f}", row.rounds),
          figure(row.cache_hits, 2),
          figure(row.shared, 2),
          microseconds(row.cpu_us),
          figure(row.code_distances, 0),
          figure(row.refined_distances, 0),
          figure(row.exact_distances, 0),
          show_bytes(row.index_ram_bytes)};
}

nlohmann::ordered_json recall_json(const RecallRow& row) {
  return {{"list_size", row.list_size},
          {"slack", or_null(row.slack)},
          {"asked", or_null(row.asked)},
          {"edges", or_null(row.edges)},
          {"threads", row.threads},
          {"recall", row.recall},
          {"qps", row.qps},
          {"mean_us", row.mean_us},
          {"p50_us", row.p50_us},
          {"p99_us", row.p99_us},
          {"p999_us", row.p999_us},
          {"reads", row.reads},
          {"rounds", row.rounds},
          {"cache_hits", or_null(row.cache_hits)},
          {"shared", or_null(row.shared)},
          {"cpu_us", row.cpu_us},
          {"code_distances", or_null(row.code_distances)},
          {"refined_distances", or_null(row.refined_distances)},
          {"exact_distances", or_null(row.exact_distances)},
          {"index_ram_bytes", row.index_ram_bytes}};
}

}  // namespace cairn::tools

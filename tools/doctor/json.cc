#include <nlohmann/json.hpp>

#include "tools/doctor/page.h"

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  return *value;
}

template <class Counts>
Json by_reason(const Counts& counts) {
  Json object = Json::object();
  for (std::size_t r = 0; r < kMissReasons; ++r)
    object[std::string(miss_reason_name(static_cast<MissReason>(r)))] = counts[r];
  return object;
}

Json set_json(const SearchedSet& set) {
  return {{"searches", set.queries},
          {"k", set.k},
          {"recall", set.recall},
          {"recall_error", set.recall_error},
          {"reads", set.reads},
          {"code_distances", set.codes},
          {"kth_distance", set.kth_distance},
          {"entry_distance", set.entry_distance},
          {"missed", set.missed},
          {"missed_for", by_reason(set.missed_for)}};
}

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::serious:
      return "serious";
  }
  return "";
}

std::string_view state_name(CalibrationHealth::State state) {
  switch (state) {
    case CalibrationHealth::State::none:
      return "none";
    case CalibrationHealth::State::unreadable:
      return "unreadable";
    case CalibrationHealth::State::too_much:
      return "too_much";
    case CalibrationHealth::State::less:
      return "less";
    case CalibrationHealth::State::fits:
      return "fits";
  }
  return "";
}

Json calibration_json(const Examination& seen) {
  Json object = {{"state", state_name(seen.calibration.state)},
                 {"source", seen.calibration.from_rows ? "rows" : "queries"},
                 {"refine_bytes", seen.calibration.refine_bytes},
                 {"edges", seen.calibration.nav_edges},
                 {"problem", seen.calibration.problem},
                 {"recall", nullptr},
                 {"reads", nullptr}};
  if (seen.effort) {
    object["recall"] = seen.effort->recall;
    object["reads"] = seen.effort->reads;
  }
  return object;
}

Json index_json(const Examination& seen) {
  Json partitions = Json::array();
  for (const PartitionLoad& load : seen.partitions)
    partitions.push_back({{"vectors", load.vectors}, {"neighbors", load.neighbors}});
  return {{"vectors", seen.stats.vector_count},
          {"unreachable", seen.unreachable},
          {"edges", seen.structure.edges},
          {"degree_histogram", seen.structure.degree_histogram},
          {"blocks", seen.structure.blocks},
          {"places", seen.structure.places},
          {"index_ram_bytes", seen.stats.index_ram_bytes},
          {"code_bytes", seen.stats.code_bytes},
          {"refine_bytes", seen.stats.refine_bytes},
          {"refine_bytes_loaded", seen.stats.refine_bytes_loaded},
          {"nav_edges_loaded", seen.stats.nav_edges_loaded},
          {"partitions", partitions}};
}

}  // namespace

Json doctor_json(const Examination& seen, const Asked& asked,
                 const std::vector<Finding>& findings) {
  Json found = Json::array(), worst = Json::array();
  for (const Finding& finding : findings)
    found.push_back({{"name", finding.name},
                     {"severity", severity_name(finding.severity)},
                     {"weight", finding.weight},
                     {"title", finding.title},
                     {"text", finding.text},
                     {"next", finding.next}});
  for (const PoorQuery& poor : seen.worst)
    worst.push_back({{"query", poor.query},
                     {"label", or_null(poor.label)},
                     {"missed", poor.missed},
                     {"missed_for", by_reason(poor.missed_for)}});
  Json object = {{"verdict", verdict_of(findings)},
                 {"findings", found},
                 {"k", asked.k},
                 {"wanted", asked.recall},
                 {"by_recall", asked.by_recall},
                 {"list_size", seen.list_size},
                 {"slack", or_null(seen.slack)},
                 {"edges_walked", seen.edges},
                 {"usual_list", seen.usual_list},
                 {"queries", nullptr},
                 {"rows", set_json(seen.rows)},
                 {"drift", nullptr},
                 {"calibration", calibration_json(seen)},
                 {"index", index_json(seen)},
                 {"worst", worst}};
  if (seen.queries) object["queries"] = set_json(*seen.queries);
  if (seen.drift)
    object["drift"] = {{"median_ratio", seen.drift->median_ratio},
                       {"beyond_rows", seen.drift->beyond_rows}};
  return object;
}

}  // namespace cairn::tools

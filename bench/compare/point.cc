#include "bench/compare/point.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/recall/report.h"
#include "tools/table.h"
#include "tools/units.h"

namespace cairn::compare {
namespace {

using nlohmann::ordered_json;

ordered_json or_null(const std::optional<double>& value) {
  if (!value) return nullptr;
  return *value;
}

std::optional<double> optional_of(const ordered_json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<double>();
}

/// What tools::recall_json() wrote.
tools::RecallRow row_of(const ordered_json& object) {
  return {.list_size = object.at("list_size"),
          .threads = object.at("threads"),
          .slack = optional_of(object.at("slack")),
          .recall = object.at("recall"),
          .qps = object.at("qps"),
          .mean_us = object.at("mean_us"),
          .p50_us = object.at("p50_us"),
          .p99_us = object.at("p99_us"),
          .p999_us = object.at("p999_us"),
          .cpu_us = object.at("cpu_us"),
          .reads = object.at("reads"),
          .rounds = object.at("rounds"),
          .cache_hits = optional_of(object.at("cache_hits")),
          .shared = optional_of(object.at("shared")),
          .code_distances = optional_of(object.at("code_distances")),
          .refined_distances = optional_of(object.at("refined_distances")),
          .exact_distances = optional_of(object.at("exact_distances")),
          .index_ram_bytes = object.at("index_ram_bytes")};
}

std::string csv_cell(const ordered_json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  std::string quoted = "\"";
  for (const char c : value.get<std::string>()) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string build_text(const Point& point) {
  if (!point.build_wall_s || !point.build_core_us) return "index as it was given";
  return fmt::format("build, {} threads: {:.1f} core-us a vector, {}", point.row.threads,
                     *point.build_core_us, tools::show_duration(*point.build_wall_s));
}

}  // namespace

std::string Point::setting() const {
  std::string text = fmt::format("{} {}", list_name, row.list_size);
  if (row.slack) text += fmt::format(", slack {:.2f}", *row.slack);
  return text;
}

std::string Point::series() const {
  if (memory.empty()) return system;
  return batch > 0 ? fmt::format("{} {}, batch of {} reads", system, memory, batch)
                   : fmt::format("{} {}, one query at a time", system, memory);
}

ordered_json point_json(const Point& point) {
  ordered_json object = {{"system", point.system},
                         {"memory", nullptr},
                         {"batch", point.batch},
                         {"list_name", point.list_name},
                         {"queries", point.queries}};
  if (!point.memory.empty()) object["memory"] = point.memory;
  object.update(tools::recall_json(point.row));
  object["ram_bytes_per_vector"] = point.ram_bytes_per_vector();
  object["vectors"] = point.vectors;
  object["disk_bytes"] = point.disk_bytes;
  object["build_wall_s"] = or_null(point.build_wall_s);
  object["build_core_us_per_vector"] = or_null(point.build_core_us);
  object["result_file"] = point.result_file;
  object["description"] = point.description;
  return object;
}

Result<Point> parse_point(const std::string& line) try {
  const ordered_json object = ordered_json::parse(line);
  const ordered_json& memory = object.at("memory");
  return Point{.system = object.at("system"),
               .memory = memory.is_null() ? "" : memory.get<std::string>(),
               .batch = object.at("batch"),
               .list_name = object.at("list_name"),
               .row = row_of(object),
               .vectors = object.at("vectors"),
               .queries = object.at("queries"),
               .build_wall_s = optional_of(object.at("build_wall_s")),
               .build_core_us = optional_of(object.at("build_core_us_per_vector")),
               .disk_bytes = object.at("disk_bytes"),
               .description = object.at("description"),
               .result_file = object.at("result_file")};
} catch (const nlohmann::json::exception& error) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = "read a measured point",
               .found = line.substr(0, 80),
               .expected = error.what()});
}

std::string points_csv(const std::vector<Point>& points) {
  std::string text;
  for (const Point& point : points) {
    const ordered_json object = point_json(point);
    std::vector<std::string> titles, cells;
    for (const auto& [title, value] : object.items()) {
      titles.push_back(title);
      cells.push_back(csv_cell(value));
    }
    if (text.empty()) text = fmt::format("{}\n", fmt::join(titles, ","));
    text += fmt::format("{}\n", fmt::join(cells, ","));
  }
  return text;
}

std::string points_text(const std::vector<Point>& points) {
  std::string text;
  for (const Series& series : series_of(points)) {
    const Point& first = series.points.front();
    tools::Table table(tools::recall_titles(first.list_name));
    for (const Point& point : series.points) table.add(tools::recall_cells(point.row));
    text += fmt::format("{}\n  {}\n  {}; {:.1f} bytes of RAM a vector\n{}\n", series.name,
                        first.description, build_text(first), first.ram_bytes_per_vector(),
                        table.text());
  }
  return text;
}

std::vector<Series> series_of(const std::vector<Point>& points) {
  std::vector<Series> all;
  for (const Point& point : points) {
    const std::string name = point.series();
    const auto same = [&](const Series& series) { return series.name == name; };
    auto at = std::find_if(all.begin(), all.end(), same);
    if (at == all.end()) at = all.insert(all.end(), Series{name, {}});
    at->points.push_back(point);
  }
  return all;
}

}  // namespace cairn::compare

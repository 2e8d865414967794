// One measured point of one system, as it goes from the process that measured it to the one that
// reports, and into the CSV file.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/recall/measure.h"

namespace cairn::compare {

struct Point {
  std::string system = {};     // "cairn", or the name of a peer
  std::string memory = {};     // the limit that Cairn was opened with; empty of a peer
  std::uint32_t batch = 0;     // reads in flight of interleaved queries; 0: one query at a time
  std::string list_name = {};  // what list_size is called there
  tools::RecallRow row = {};
  std::uint64_t vectors = 0, queries = 0;
  std::optional<double> build_wall_s = {}, build_core_us = {};  // core time a vector
  std::uint64_t disk_bytes = 0;                                 // of Cairn's index
  std::string description = {};                                 // what it is, how it was compiled
  std::string result_file = {};                                 // relative to the output folder

  double ram_bytes_per_vector() const {
    return static_cast<double>(row.index_ram_bytes) / static_cast<double>(vectors);
  }
  /// "list 64, slack 0.10"
  std::string setting() const;
  /// "cairn 40B/v, batch of 32 reads": points of one series differ in their setting alone.
  std::string series() const;
};

nlohmann::ordered_json point_json(const Point& point);
/// invalid_argument when it is no object of point_json().
Result<Point> parse_point(const std::string& line);

/// A line of titles, then a line a point; empty where nothing is known.
std::string points_csv(const std::vector<Point>& points);

/// Every point, one table a series, under its description.
std::string points_text(const std::vector<Point>& points);

/// Points of one series under its name, in the order in which they first came.
struct Series {
  std::string name;
  std::vector<Point> points;  // never empty
};
std::vector<Series> series_of(const std::vector<Point>& points);

}  // namespace cairn::compare

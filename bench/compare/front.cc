#include "bench/compare/front.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "tools/table.h"

namespace cairn::compare {
namespace {

/// `cost` at `recall` of the front of that cost; "<=" where the whole front lies above the recall.
std::string cost_text(const std::vector<Point>& points, const Cost& cost, double recall,
                      int decimals) {
  const std::vector<Point> front = pareto_front(points, cost);
  const std::optional<double> found = cost_at(front, cost, recall);
  if (!found) return "-";
  if (*found == 0) return "0";  // reads of what is in RAM
  // QPS is a cost with its sign turned: what bounds the one from above bounds the other from below.
  const char* bound = front.front().row.recall <= recall ? "" : *found < 0 ? ">= " : "<= ";
  return fmt::format("{}{:.{}f}", bound, std::abs(*found), decimals);
}

}  // namespace

std::vector<Point> pareto_front(std::vector<Point> points, const Cost& cost) {
  std::stable_sort(points.begin(), points.end(), [&](const Point& a, const Point& b) {
    return std::pair{-a.row.recall, cost(a)} < std::pair{-b.row.recall, cost(b)};
  });
  std::vector<Point> front;
  double best = std::numeric_limits<double>::infinity();
  for (Point& point : points)
    if (cost(point) < best) {
      best = cost(point);
      front.push_back(std::move(point));
    }
  std::reverse(front.begin(), front.end());
  return front;
}

std::optional<double> cost_at(const std::vector<Point>& front, const Cost& cost, double recall) {
  const auto above = std::find_if(front.begin(), front.end(),
                                  [&](const Point& point) { return point.row.recall >= recall; });
  if (above == front.end()) return std::nullopt;
  if (above == front.begin()) return cost(*above);
  const Point& below = *(above - 1);
  const double share = (recall - below.row.recall) / (above->row.recall - below.row.recall);
  return cost(below) + share * (cost(*above) - cost(below));
}

std::string summary_text(const std::vector<Point>& points, double recall) {
  tools::Table table({fmt::format("at recall {:g}", recall), "reads", "core us", "QPS",
                      "RAM, bytes a vector", "build core us a vector"});
  for (const Series& series : series_of(points)) {
    const Point& first = series.points.front();
    table.add({series.name, cost_text(series.points, reads_cost, recall, 1),
               cost_text(series.points, core_cost, recall, 0),
               cost_text(series.points, qps_cost, recall, 0),
               fmt::format("{:.1f}", first.ram_bytes_per_vector()),
               first.build_core_us ? fmt::format("{:.0f}", *first.build_core_us) : "-"});
  }
  return table.text() +
         "Each figure is on the front of its own kind, on a straight line between the two measured "
         "points around\nthat recall; <= and >= where all points lie above it, - where none does. "
         "Core time is of all threads; QPS\ndepends on what else the machine does.\n";
}

}  // namespace cairn::compare

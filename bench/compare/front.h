// The best that a series reaches: its Pareto front, and what it costs at a given recall.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "bench/compare/point.h"

namespace cairn::compare {

/// What is to be low; for what is to be high, its negative.
using Cost = std::function<double(const Point&)>;

/// Points that no other point beats in both recall and cost, ascending in both. O(n log n).
std::vector<Point> pareto_front(std::vector<Point> points, const Cost& cost);

/// The cost of the front at `recall`: on a straight line between the two points around it. Unset
/// when the front does not reach so far; that of its first point when it begins above.
std::optional<double> cost_at(const std::vector<Point>& front, const Cost& cost, double recall);

inline double reads_cost(const Point& point) { return point.row.reads; }
inline double core_cost(const Point& point) { return point.row.cpu_us; }
inline double qps_cost(const Point& point) { return -point.row.qps; }

/// One row a series: RAM, and reads, core time and QPS at `recall`, each on its own front.
std::string summary_text(const std::vector<Point>& points, double recall);

}  // namespace cairn::compare

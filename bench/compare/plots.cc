#include "bench/compare/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>

#include "bench/compare/front.h"
#include "bench/peers/process.h"
#include "tools/units.h"

namespace cairn::compare {
namespace {

// Recall is drawn as -log10(1 - recall): each step of the axis halves or so what is missed.
constexpr std::array kRecallTicks = {0.0,  0.5,  0.7,   0.8,   0.9,   0.95,
                                     0.98, 0.99, 0.995, 0.999, 0.9999};
constexpr double kRecallMax = kRecallTicks.back();

// Dark on white and apart from each other in grey too: first Cairn's limits, then the libraries.
constexpr std::array kCairnColors = {"#9ecae1", "#6baed6", "#4292c6",
                                     "#2171b5", "#08519c", "#08306b"};
constexpr std::array kPeerColors = {"#d94801", "#fd9a3c", "#238b45", "#7a3fa0", "#666666"};
constexpr std::array kPeerMarks = {9, 11, 13, 15, 8};

double recall_place(double recall) { return -std::log10(1 - std::min(recall, kRecallMax)); }

/// One curve: named data and how it looks.
struct Curve {
  std::string title, style;
  std::vector<std::pair<double, double>> places = {};
};

/// Each series' line: Cairn's by its memory limit, a lone query dashed.
class Looks {
 public:
  explicit Looks(const std::vector<Series>& all) {
    for (const Series& series : all) {
      const Point& first = series.points.front();
      auto& names = first.memory.empty() ? peers_ : limits_;
      const std::string& name = first.memory.empty() ? first.system : first.memory;
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  const std::vector<std::string>& limits() const { return limits_; }

  std::string style(const Point& point) const {
    if (point.memory.empty()) {
      const std::size_t at = place(peers_, point.system);
      return fmt::format("lc rgb '{}' lw 1.8 pt {} ps 0.9", kPeerColors[at % kPeerColors.size()],
                         kPeerMarks[at % kPeerMarks.size()]);
    }
    const std::size_t last = std::max<std::size_t>(limits_.size(), 2) - 1;
    const std::size_t at = place(limits_, point.memory) * (kCairnColors.size() - 1) / last;
    return fmt::format("lc rgb '{}' lw 2.6 pt {} ps 0.7 dt {}", kCairnColors[at],
                       point.batch > 0 ? 7 : 6, point.batch > 0 ? "1" : "(6,4)");
  }

 private:
  static std::size_t place(const std::vector<std::string>& names, const std::string& name) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  }

  std::vector<std::string> limits_, peers_;
};

/// gnuplot's single-quoted string.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

Curve front_curve(const Series& series, const Looks& looks, const Cost& cost, double sign) {
  Curve curve{.title = series.name, .style = looks.style(series.points.front())};
  for (const Point& point : pareto_front(series.points, cost)) {
    curve.places.emplace_back(recall_place(point.row.recall), sign * cost(point));
    if (point.row.recall >= kRecallMax) break;  // the axis shows no more
  }
  return curve;
}

/// The tick at or below what nine tenths of the points reach: the rest is left of the plot.
double recall_begin(const std::vector<Curve>& curves) {
  std::vector<double> places;
  for (const Curve& curve : curves)
    for (const auto& [recall, cost] : curve.places) places.push_back(recall);
  if (places.empty()) return 0;
  std::sort(places.begin(), places.end());
  const double wanted = places[places.size() / 10];
  double begin = 0;
  for (const double tick : kRecallTicks)
    if (recall_place(tick) <= wanted && tick <= 0.9) begin = tick;
  return begin;
}

std::string data_of(const std::vector<Curve>& curves) {
  std::string text;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    text += fmt::format("$curve{} << EOD\n", i);
    for (const auto& [x, y] : curves[i].places) text += fmt::format("{:.6g} {:.6g}\n", x, y);
    text += "EOD\n";
  }
  return text;
}

std::string plot_of(const std::vector<Curve>& curves) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < curves.size(); ++i)
    parts.push_back(fmt::format("$curve{} with linespoints {} title {}", i, curves[i].style,
                                quoted(curves[i].title)));
  return fmt::format("{}", fmt::join(parts, ", \\\n     "));
}

/// What all plots begin with; gnuplot breaks no line within single quotes.
std::string head(const std::string& title, const PlotText& text) {
  std::string conditions;
  for (std::size_t at = 0; at < text.conditions.size();) {
    const std::size_t end = std::min(text.conditions.find('\n', at), text.conditions.size());
    conditions += R"(."\n".)" + quoted(text.conditions.substr(at, end - at));
    at = end + 1;
  }
  return fmt::format(
      "\nreset\nset encoding utf8\nset border 3 lc rgb '#444444'\nset tics nomirror\n"
      "set grid lt 1 lc rgb '#e4e4e4' lw 1\nset key outside right top Left reverse samplen 2.5 "
      "spacing 1.25 noenhanced\nset title {} noenhanced\n",
      quoted(title + ": " + text.dataset) + conditions);
}

/// The same picture twice; `name` is of the file, without its extension.
std::string draw(const std::string& name, const std::string& plot) {
  return fmt::format(
      "set terminal svg size 1000,560 dynamic font 'sans-serif,13' background 'white'\n"
      "set output '{0}.svg'\nplot {1}\n"
      "set terminal pngcairo size 1000,560 font 'Sans,10.5'\nset output '{0}.png'\nreplot\n"
      "unset output\n",
      name, plot);
}

std::string recall_axis(double begin, const PlotText& text) {
  std::string tics;
  for (const double tick : kRecallTicks)
    if (tick >= begin)
      tics += fmt::format("{}'{}{:g}' {:.6f}", tics.empty() ? "" : ", ",
                          tick < kRecallMax ? "" : "≥ ", tick, recall_place(tick));
  return fmt::format(
      "set xlabel 'recall@{} (log scale of the share missed)' noenhanced\n"
      "set xrange [{:.6f}:*]\nset xtics ({})\n",
      text.k, recall_place(begin), tics);
}

/// A log scale just as wide as the curves from `begin` on, with 1, 2 and 5 times each power of ten.
std::string cost_axis(const std::vector<Curve>& curves, double begin) {
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (const Curve& curve : curves)
    for (const auto& [recall, cost] : curve.places) {
      if (recall < recall_place(begin)) continue;
      least = std::min(least, cost);
      most = std::max(most, cost);
    }

  std::vector<std::string> tics;
  for (std::uint64_t power = 1; power <= 1'000'000; power *= 10)
    for (const std::uint64_t times : {1U, 2U, 5U})
      tics.push_back(fmt::format("'{}' {}", tools::show_count(times * power), times * power));
  return fmt::format("set logscale y\nset yrange [{:.6g}:{:.6g}]\nset ytics ({})\n", 0.8 * least,
                     1.25 * most, fmt::join(tics, ", "));
}

/// The least, the middle and the most memory: more curves than that hide each other.
bool drawn_in_qps(const Point& point, const Looks& looks) {
  const auto& limits = looks.limits();
  return point.memory.empty() || point.memory == limits.front() ||
         point.memory == limits[limits.size() / 2] || point.memory == limits.back();
}

std::string recall_qps(const std::vector<Series>& all, const Looks& looks, const PlotText& text) {
  std::vector<Curve> curves;
  for (const Series& series : all)
    if (drawn_in_qps(series.points.front(), looks))
      curves.push_back(front_curve(series, looks, qps_cost, -1));
  const double begin = recall_begin(curves);
  return head("Recall against throughput", text) + recall_axis(begin, text) +
         cost_axis(curves, begin) + "set ylabel 'queries a second (log scale)'\n" +
         data_of(curves) + draw("recall-qps", plot_of(curves));
}

std::string recall_reads(const std::vector<Series>& all, const Looks& looks, const PlotText& text) {
  std::vector<Curve> curves;
  for (const Series& series : all)
    if (series.points.front().batch > 0)
      curves.push_back(front_curve(series, looks, reads_cost, 1));
  if (curves.empty()) return "";
  const double begin = recall_begin(curves);
  return head("Recall against reads", text) + recall_axis(begin, text) + cost_axis(curves, begin) +
         "set ylabel 'reads of 4 KiB a query (log scale)'\n" + data_of(curves) +
         draw("recall-reads", plot_of(curves));
}

/// Cairn's curves over memory; a place a limit.
std::vector<Curve> memory_curves(const std::vector<Series>& all, double recall) {
  std::vector<Curve> curves = {
      {"cairn, batch", "lc rgb '#2171b5' lw 2.6 pt 7 ps 1", {}},
      {"cairn, one query at a time", "lc rgb '#6baed6' lw 2.6 pt 6 ps 1 dt (6,4)", {}}};
  for (const Series& series : all) {
    const Point& first = series.points.front();
    if (first.memory.empty()) continue;
    const auto reads = cost_at(pareto_front(series.points, reads_cost), reads_cost, recall);
    if (reads)
      curves[first.batch > 0 ? 0 : 1].places.emplace_back(first.ram_bytes_per_vector(), *reads);
  }
  for (Curve& curve : curves) std::sort(curve.places.begin(), curve.places.end());
  std::erase_if(curves, [](const Curve& curve) { return curve.places.empty(); });
  return curves;
}

/// Libraries in RAM that reach the recall: a stem each where its memory is, the leftmost the
/// tallest, so that no name lies on another's stem.
std::string library_stems(const std::vector<Series>& all, double recall) {
  std::vector<std::pair<double, std::string>> libraries;
  for (const Series& series : all) {
    const Point& first = series.points.front();
    if (first.memory.empty() && cost_at(pareto_front(series.points, core_cost), core_cost, recall))
      libraries.emplace_back(first.ram_bytes_per_vector(), first.system);
  }
  std::sort(libraries.begin(), libraries.end());
  std::string text;
  double height = 0.04 + 0.06 * static_cast<double>(libraries.size());
  for (const auto& [ram, name] : libraries) {
    text += fmt::format(
        "set arrow from {0:.6g}, graph 0 to {0:.6g}, graph {1:.3f} nohead lw 2 lc rgb '#d94801'\n"
        "set label '{2}, {0:.0f} B, no reads' at {0:.6g}, graph {1:.3f} left offset 0.5,0 "
        "tc rgb '#a63603' noenhanced\n",
        ram, height, name);
    height -= 0.06;
  }
  return text;
}

std::string memory_reads(const std::vector<Series>& all, const PlotText& text) {
  const std::vector<Curve> curves = memory_curves(all, text.recall);
  if (curves.empty()) return "";
  double ram_max = static_cast<double>(text.vector_bytes), ram_min = ram_max;
  for (const Series& series : all) {
    ram_max = std::max(ram_max, series.points.front().ram_bytes_per_vector());
    ram_min = std::min(ram_min, series.points.front().ram_bytes_per_vector());
  }
  std::string limits;
  for (const auto& [ram, reads] : curves.front().places) {
    limits += fmt::format(
        "set label '{1:.1f}' at {0:.6g}, {1:.6g} left offset 0.6,0.6 "
        "tc rgb '#08519c'\n",
        ram, reads);
  }
  PlotText head_text = text;
  head_text.conditions +=
      "\nreads on a straight line between the measured points around that recall";
  return head(fmt::format("Memory against reads at recall {:g}", text.recall), head_text) +
         library_stems(all, text.recall) + limits +
         fmt::format(
             "set arrow from {0}, graph 0 to {0}, graph 1 nohead dt 3 lc rgb '#888888'\n"
             "set label 'the vectors alone, {0} B' at {0}, graph 0.98 left offset 0.5,0 "
             "tc rgb '#666666'\nset logscale x\nset xrange [{1:.6g}:{2:.6g}]\n",
             text.vector_bytes, ram_min * 0.8, ram_max * 3) +
         "set xtics (10, 20, 40, 60, 85, 120, 200, 300, 500, 700, 1000, 2000, 5000, 10000)\n"
         "set xlabel 'bytes of RAM a vector (log scale)'\nset yrange [0:*]\n"
         "set offsets 0, 0, graph 0.06, 0\nset key inside\nset ylabel 'reads of 4 KiB a query'\n" +
         data_of(curves) + draw("memory-reads", plot_of(curves));
}

}  // namespace

Status check_gnuplot() {
  const int code =
      peers::run_program("gnuplot", {"gnuplot", "-e", "set terminal svg; set terminal pngcairo"});
  if (code == 0) return {};
  return fail({.code = ErrorCode::unsupported,
               .what = "draw plots",
               .found = code == 127 ? "no gnuplot" : "a gnuplot without svg or pngcairo",
               .expected = "gnuplot (Debian's gnuplot-nox), or --no-plots"});
}

std::string plot_script(const std::vector<Point>& points, const PlotText& text) {
  const std::vector<Series> all = series_of(points);
  const Looks looks(all);
  return "# gnuplot -c plots.gp FOLDER\nif (ARGC > 0) cd ARG1\n" + recall_qps(all, looks, text) +
         recall_reads(all, looks, text) + memory_reads(all, text);
}

Status draw_plots(const std::string& folder, const std::vector<Point>& points,
                  const PlotText& text) {
  const std::string script = folder + "/plots.gp";
  CAIRN_TRY(write_text(script, plot_script(points, text)));
  const int code = peers::run_program("gnuplot", {"gnuplot", "-c", script, folder});
  if (code == 0) return {};
  return fail({.code = ErrorCode::io,
               .what = "draw plots",
               .file = script,
               .found = fmt::format("gnuplot's exit code {}", code)});
}

Status write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return fail({.code = ErrorCode::io, .what = "write a report", .file = path});
}

}  // namespace cairn::compare

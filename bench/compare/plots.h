// The plots, by gnuplot: recall against QPS, recall against reads, memory against reads.
#pragma once

#include <string>
#include <vector>

#include "bench/compare/point.h"

namespace cairn::compare {

struct PlotText {
  std::string dataset;     // ends every title
  std::string conditions;  // stands below it, in lines
  double recall = 0.95;    // of the plot of memory
  std::uint32_t k = 10;
  std::uint64_t vector_bytes = 0;
};

/// unsupported unless gnuplot is there and writes SVG and PNG.
Status check_gnuplot();

/// The script that draws all three; `gnuplot -c FILE FOLDER` writes into the folder.
std::string plot_script(const std::vector<Point>& points, const PlotText& text);

/// Writes `folder`/plots.gp, runs it, and so writes `folder`/{recall-qps,recall-reads,
/// memory-reads}.{svg,png}.
Status draw_plots(const std::string& folder, const std::vector<Point>& points,
                  const PlotText& text);

/// Replaces the file.
Status write_text(const std::string& path, const std::string& text);

}  // namespace cairn::compare

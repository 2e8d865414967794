// Builds and measures one system in this process.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/compare/point.h"
#include "bench/peers/library.h"
#include "bench/peers/measure.h"

namespace cairn::compare {

struct Job {
  peers::Workload work;  // list_sizes and thread_counts are set by the functions below
  Metric metric = Metric::l2;
  std::uint32_t threads = 1;  // of builds and searches
  // Of Cairn.
  std::string index;  // folder; built with default options where there is none
  std::vector<std::string> memory;
  std::uint32_t batch_reads = 32;
  std::vector<std::uint32_t> list_sizes;        // read whole
  std::vector<std::uint32_t> slack_list_sizes;  // each with each slack
  std::vector<float> slacks;
  // Of the libraries.
  std::vector<std::uint32_t> efs, nprobes;
};

/// Takes a point and its answers; an error ends the measurement.
using Emit = std::function<Status(Point& point, const peers::AnswerTable& answers)>;

/// At every memory limit, in batches and one query at a time, every list size and slack. A limit
/// that the codes exceed is left out, and standard error says so. invalid_argument when the index
/// is not of the input's shape or metric.
Status measure_cairn(const Job& job, const Emit& emit);

/// Nothing, and standard error says so, when the library cannot hold such vectors.
Status measure_library(const peers::Library& library, const Job& job, const Emit& emit);

}  // namespace cairn::compare

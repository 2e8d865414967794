// Result files of ann-benchmarks: one HDF5 file a measured point, laid out and named as its
// `results/` folder has them, so that they can be copied there and plotted beside its own.
#pragma once

#include <string>

#include "bench/compare/point.h"
#include "bench/peers/answers.h"

namespace cairn::compare {

struct AnnRun {
  std::string dataset;
  Metric metric = Metric::l2;
};

/// results/DATASET/K/ALGORITHM[-batch]/SETTING.hdf5; a memory limit makes an algorithm of its own,
/// since ann-benchmarks draws one curve for each.
std::string ann_result_file(const AnnRun& run, const Point& point, std::uint32_t k);

/// Writes `folder`/point.result_file, and the folders above it. Datasets: `neighbors` (queries, k)
/// int32, `distances` (queries, k) float32, `times` (queries) float32 in seconds. Distances are
/// euclidean (the root of Cairn's), angular (1 - cosine) or ip (1 - dot, which ann-benchmarks does
/// not know). The times of a batch are equal shares of it, as there. `best_search_time` is the
/// inverse of QPS, so that 1 / best_search_time, what is plotted there, is what is plotted here;
/// with several threads that is less than the mean of `times`. over_limit for an id of 2^31 or
/// more; io.
Status write_ann_result(const std::string& folder, const AnnRun& run, const Point& point,
                        const peers::AnswerTable& answers);

}  // namespace cairn::compare

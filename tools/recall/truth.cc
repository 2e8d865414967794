#include "tools/recall/truth.h"

#include <algorithm>

#include "tools/cli.h"
#include "tools/progress.h"
#include "tools/recall/index_rows.h"
#include "tools/recall/measure.h"

namespace cairn::tools {

Result<std::vector<float>> true_kth_distances(const Index& index, const VectorBatch& queries,
                                              std::uint32_t k, const TruthOptions& options) {
  k = static_cast<std::uint32_t>(std::min<std::uint64_t>(k, index.stats().vector_count));
  if (!options.file.empty()) return read_kth_distances(options.file, queries.count, k);
  IndexRows rows(index);
  Progress progress{"groundtruth", rows.count(), options.quiet};
  search::ExactOptions exactly;
  exactly.metric = index.stats().metric;
  exactly.k = k;
  exactly.threads = thread_count(0);
  exactly.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total);
    return Status{};
  };
  CAIRN_ASSIGN(const search::ExactNeighbors exact, search::exact_neighbors(rows, queries, exactly));
  std::vector<float> kth(queries.count);
  for (std::size_t i = 0; i < kth.size(); ++i) kth[i] = exact.distances[i * k + k - 1];
  return kth;
}

}  // namespace cairn::tools

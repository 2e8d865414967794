#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/index_io.h>
#include <omp.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>

#include "tools/compare/faiss_build.h"
#include "tools/compare/old_index.h"
#include "tools/to_floats.h"

namespace cairn::tools {
namespace {

/// What is inside of id maps and transforms.
faiss::Index* unwrap(faiss::Index* index) {
  if (auto* map = dynamic_cast<faiss::IndexIDMap*>(index)) return unwrap(map->index);
  if (auto* chain = dynamic_cast<faiss::IndexPreTransform*>(index)) return unwrap(chain->index);
  return index;
}

Status bad_graph(const std::string& path, std::string found, std::string expected) {
  return fail({.code = ErrorCode::corrupt,
               .what = "read the graph of the FAISS index",
               .file = path,
               .found = std::move(found),
               .expected = std::move(expected)});
}

/// The library takes for granted that a link at a level leads to an element that has the level.
Status check_levels(const std::string& path, const faiss::HNSW& graph) {
  constexpr int kBeamMax = 10'000;
  if (graph.levels.empty()) return {};
  const auto level_of = [&](faiss::HNSW::storage_idx_t element) {
    return graph.levels[static_cast<std::size_t>(element)] - 1;
  };
  if (graph.max_level < 0 || graph.max_level > level_of(graph.entry_point))
    return bad_graph(
        path, "level " + std::to_string(graph.max_level),
        "at most that of its entry point, " + std::to_string(level_of(graph.entry_point)));
  if (graph.upper_beam < 1 || graph.upper_beam > kBeamMax)
    return bad_graph(path, "a beam of " + std::to_string(graph.upper_beam),
                     "1 to " + std::to_string(kBeamMax));
  for (std::size_t element = 0; element < graph.levels.size(); ++element)
    for (int level = 1; level < graph.levels[element]; ++level) {
      std::size_t at = 0, end = 0;
      graph.neighbor_range(static_cast<faiss::HNSW::idx_t>(element), level, &at, &end);
      for (; at < end && graph.neighbors[at] >= 0; ++at)
        if (level_of(graph.neighbors[at]) < level)
          return bad_graph(path,
                           "a link of element " + std::to_string(element) + " at level " +
                               std::to_string(level) + " to element " +
                               std::to_string(graph.neighbors[at]),
                           "links to elements of the level");
    }
  return {};
}

Status check_graphs(const std::string& path, faiss::Index* index) {
  index = unwrap(index);
  if (const auto* graph = dynamic_cast<faiss::IndexHNSW*>(index))
    return check_levels(path, graph->hnsw);
  if (const auto* lists = dynamic_cast<faiss::IndexIVF*>(index))
    return check_graphs(path, lists->quantizer);
  return {};
}

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  return error ? 0 : bytes;
}

class FaissIndex final : public OldIndex {
 public:
  FaissIndex(std::string path, std::unique_ptr<faiss::Index> index)
      : path_(std::move(path)),
        index_(std::move(index)),
        graph_(dynamic_cast<faiss::IndexHNSW*>(unwrap(index_.get()))),
        lists_(dynamic_cast<faiss::IndexIVF*>(unwrap(index_.get()))),
        layout_bytes_(size_of(path_)) {}

  std::string build() const override { return build_of_faiss(); }
  std::string effort_name() const override {
    return graph_ != nullptr ? "efSearch" : lists_ != nullptr ? "nprobe" : "";
  }
  std::uint32_t effort() const override {
    if (graph_ != nullptr) return static_cast<std::uint32_t>(std::max(graph_->hnsw.efSearch, 1));
    return lists_ != nullptr ? static_cast<std::uint32_t>(
                                   std::clamp<std::uint64_t>(lists_->nprobe, 1, lists_->nlist))
                             : 0;
  }
  std::uint32_t effort_max() const override {
    return static_cast<std::uint32_t>(lists_ != nullptr ? lists_->nlist
                                                        : static_cast<std::size_t>(index_->ntotal));
  }
  void set_effort(std::uint32_t effort) override {
    if (graph_ != nullptr) graph_->hnsw.efSearch = static_cast<int>(effort);
    if (lists_ != nullptr) lists_->nprobe = effort;
  }
  /// A file of FAISS holds its arrays as they lie in memory.
  std::uint64_t layout_bytes() const override { return layout_bytes_; }

  Status search(VectorView query, std::uint32_t k, std::vector<Neighbor>& found) override {
    return guard(ErrorCode::io, "search", path_, [&]() -> Status {
      omp_set_num_threads(1);  // of the calling thread: one query, one core
      query_.resize(query.dim);
      // What scales queries is in the index.
      to_floats(query, Metric::l2, query_.data());
      distances_.resize(k);
      ids_.resize(k);
      index_->search(1, query_.data(), k, distances_.data(), ids_.data());
      const bool products = index_->metric_type == faiss::METRIC_INNER_PRODUCT;
      found.clear();
      for (std::uint32_t i = 0; i < k && ids_[i] >= 0; ++i)
        found.push_back(
            {static_cast<Label>(ids_[i]), products ? 1 - distances_[i] : distances_[i]});
      return {};
    });
  }

 private:
  std::string path_;
  std::unique_ptr<faiss::Index> index_;
  faiss::IndexHNSW* graph_;  // either, or none
  faiss::IndexIVF* lists_;
  std::uint64_t layout_bytes_;
  std::vector<float> query_, distances_;
  std::vector<faiss::Index::idx_t> ids_;
};

}  // namespace

Status check_faiss(const IndexFile&) { return {}; }

Result<std::unique_ptr<OldIndex>> load_faiss(const IndexFile& file, const formats::IndexFacts&) {
  using Loaded = Result<std::unique_ptr<OldIndex>>;
  return guard(ErrorCode::corrupt, "load the FAISS index", file.path, [&]() -> Loaded {
    std::unique_ptr<faiss::Index> index(faiss::read_index(file.path.c_str()));
    CAIRN_TRY(check_graphs(file.path, index.get()));
    return std::make_unique<FaissIndex>(file.path, std::move(index));
  });
}

}  // namespace cairn::tools

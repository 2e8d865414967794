#include "tests/tools/old_samples.h"

#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVF.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <hnswlib/hnswlib.h>
#include <omp.h>

#include <memory>

#include "tools/to_floats.h"

namespace cairn::tools {
namespace {

constexpr std::size_t kM = 8, kConstruction = 100;

template <class Distance, class Element>
Found write(const std::string& path, const Sample& sample, hnswlib::SpaceInterface<Distance>* space,
            const std::vector<std::vector<Element>>& rows,
            const std::vector<std::vector<Element>>& queries) {
  hnswlib::HierarchicalNSW<Distance> index(space, rows.size() + 3, kM, kConstruction);
  for (std::size_t i = 0; i < rows.size(); ++i) index.addPoint(rows[i].data(), sample.labels[i]);
  for (const Label label : sample.deleted) index.markDelete(label);
  index.saveIndex(path);
  index.setEf(sample.effort);
  Found found;
  for (const auto& query : queries) {
    auto nearest = index.searchKnn(query.data(), sample.k);
    std::vector<Label>& labels = found.emplace_back(nearest.size());
    for (auto at = labels.rbegin(); at != labels.rend(); ++at, nearest.pop())
      *at = nearest.top().second;
  }
  return found;
}

std::vector<std::vector<float>> scaled(const Rows& rows, Metric metric) {
  std::vector<std::vector<float>> all(rows.count(), std::vector<float>(rows.dim));
  for (std::size_t i = 0; i < rows.count(); ++i)
    to_floats({rows.row(i), rows.dim, DType::f32}, metric, all[i].data());
  return all;
}

std::vector<std::vector<unsigned char>> bytes_of(const Rows& rows) {
  std::vector<std::vector<unsigned char>> all(rows.count());
  for (std::size_t i = 0; i < rows.values.size(); ++i)
    all[i / rows.dim].push_back(static_cast<unsigned char>(rows.values[i]));
  return all;
}

std::unique_ptr<faiss::Index> filled(const std::string& factory, const Sample& sample) {
  omp_set_num_threads(1);
  std::unique_ptr<faiss::Index> index(faiss::index_factory(
      static_cast<int>(sample.rows.dim), factory.c_str(),
      sample.metric == Metric::l2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT));
  const auto count = static_cast<faiss::Index::idx_t>(sample.rows.count());
  index->train(count, sample.rows.values.data());
  std::vector<faiss::Index::idx_t> ids(sample.labels.begin(), sample.labels.end());
  const bool labelled = factory.find("IDMap") != std::string::npos ||
                        dynamic_cast<faiss::IndexIVF*>(index.get()) != nullptr;
  if (labelled)
    index->add_with_ids(count, sample.rows.values.data(), ids.data());
  else
    index->add(count, sample.rows.values.data());
  return index;
}

void set_effort(faiss::Index* index, std::uint32_t effort) {
  if (auto* map = dynamic_cast<faiss::IndexIDMap*>(index)) return set_effort(map->index, effort);
  if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(index))
    graph->hnsw.efSearch = static_cast<int>(effort);
  if (auto* lists = dynamic_cast<faiss::IndexIVF*>(index)) lists->nprobe = effort;
}

}  // namespace

bool have_libraries() { return true; }

Found write_hnswlib(const std::string& path, const Sample& sample) {
  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  if (sample.metric == Metric::l2)
    space = std::make_unique<hnswlib::L2Space>(sample.rows.dim);
  else
    space = std::make_unique<hnswlib::InnerProductSpace>(sample.rows.dim);
  return write<float, float>(path, sample, space.get(), scaled(sample.rows, sample.metric),
                             scaled(sample.queries, sample.metric));
}

Found write_hnswlib_u8(const std::string& path, const Sample& sample) {
  hnswlib::L2SpaceI space(sample.rows.dim);
  return write<int, unsigned char>(path, sample, &space, bytes_of(sample.rows),
                                   bytes_of(sample.queries));
}

Found write_faiss(const std::string& path, const std::string& factory, const Sample& sample) {
  const auto index = filled(factory, sample);
  set_effort(index.get(), sample.effort);
  faiss::write_index(index.get(), path.c_str());
  Found found(sample.queries.count());
  std::vector<float> distances(sample.k);
  std::vector<faiss::Index::idx_t> ids(sample.k);
  for (std::size_t i = 0; i < found.size(); ++i) {
    index->search(1, sample.queries.row(i), sample.k, distances.data(), ids.data());
    for (const auto id : ids)
      if (id >= 0) found[i].push_back(static_cast<Label>(id));
  }
  return found;
}

void write_faiss_with_bad_link(const std::string& path, const Sample& sample) {
  const auto index = filled("HNSW8,Flat", sample);
  faiss::HNSW& graph = dynamic_cast<faiss::IndexHNSW&>(*index).hnsw;
  std::size_t high = 0, low = 0;
  while (graph.levels[high] < 2) ++high;
  while (graph.levels[low] > 1) ++low;
  std::size_t begin = 0, end = 0;
  graph.neighbor_range(static_cast<faiss::HNSW::idx_t>(high), 1, &begin, &end);
  graph.neighbors[begin] = static_cast<faiss::HNSW::storage_idx_t>(low);
  faiss::write_index(index.get(), path.c_str());
}

}  // namespace cairn::tools

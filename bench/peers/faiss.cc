#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_factory.h>
#include <omp.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "bench/peers/peer.h"
#include "tools/compare/faiss_build.h"

namespace cairn::peers {
namespace {

faiss::MetricType faiss_metric(Metric metric) {
  return metric == Metric::l2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT;
}

class Faiss : public Peer {
 public:
  Faiss(const PeerOptions& options, const std::string& factory)
      : options_(options),
        factory_(factory),
        index_(faiss::index_factory(static_cast<int>(options.dim), factory.c_str(),
                                    faiss_metric(options.metric))) {}

  std::string description() const override { return tools::build_of_faiss() + "; " + factory_; }

  void build(const Pass& pass) override {
    omp_set_num_threads(static_cast<int>(options_.threads));
    if (!index_->is_trained) train(pass);
    std::vector<float> rows;
    pass([&](const VectorBatch& batch, std::uint64_t) {
      rows.resize(batch.count * batch.dim);
      for (std::uint64_t i = 0; i < batch.count; ++i)
        to_floats(batch.row(i), options_.metric, rows.data() + i * batch.dim);
      index_->add(static_cast<faiss::Index::idx_t>(batch.count), rows.data());
    });
  }

  std::vector<Answer> search(VectorView query, std::uint32_t k) const override {
    omp_set_num_threads(1);  // of the calling thread: one query, one core
    std::vector<float> row(query.dim);
    to_floats(query, options_.metric, row.data());
    std::vector<float> distances(k);
    std::vector<faiss::Index::idx_t> ids(k);
    index_->search(1, row.data(), k, distances.data(), ids.data());
    std::vector<Answer> answers;
    for (std::uint32_t i = 0; i < k && ids[i] >= 0; ++i) {
      const double found = double{distances[i]};
      answers.push_back(
          {static_cast<std::uint64_t>(ids[i]), options_.metric == Metric::l2 ? found : 1 - found});
    }
    return answers;
  }

 protected:
  virtual std::uint64_t training_rows() const { return 0; }

  PeerOptions options_;
  std::string factory_;
  std::unique_ptr<faiss::Index> index_;

 private:
  // Evenly spaced rows: a sample without a second source of chance.
  void train(const Pass& pass) {
    const std::uint64_t wanted = std::min(options_.count, training_rows());
    std::vector<float> rows(wanted * options_.dim);
    std::uint64_t taken = 0;
    pass([&](const VectorBatch& batch, std::uint64_t first) {
      for (std::uint64_t i = 0; i < batch.count; ++i)
        if (taken < wanted && first + i >= taken * options_.count / wanted)
          to_floats(batch.row(i), options_.metric, rows.data() + taken++ * options_.dim);
    });
    index_->train(static_cast<faiss::Index::idx_t>(taken), rows.data());
  }
};

/// 4 sqrt(n) lists, rounded to a power of two: 4096 at 1M.
std::uint64_t list_count(std::uint64_t count) {
  const double wanted = 4 * std::sqrt(static_cast<double>(count));
  return std::max<std::uint64_t>(1, std::bit_floor(static_cast<std::uint64_t>(wanted * 1.42)));
}

/// PQ wants a divisor of the dimension.
std::uint32_t code_bytes(const PeerOptions& options) {
  std::uint32_t bytes = std::min(options.code_bytes, options.dim);
  while (options.dim % bytes != 0) --bytes;
  return bytes;
}

class FaissIvfPq : public Faiss {
 public:
  explicit FaissIvfPq(const PeerOptions& options)
      : Faiss(options, "IVF" + std::to_string(list_count(options.count)) + ",PQ" +
                           std::to_string(code_bytes(options)) + ",RFlat") {
    dynamic_cast<faiss::IndexRefine&>(*index_).k_factor = 4;
    // Minutes of annealing, whatever the size, for a filter that these searches do not use.
    dynamic_cast<faiss::IndexIVFPQ&>(lists()).do_polysemous_training = false;
  }

  std::string description() const override { return Faiss::description() + ", k_factor 4"; }
  void set_list_size(std::uint32_t list_size) override { lists().nprobe = list_size; }
  std::string list_name() const override { return "nprobe"; }

 protected:
  std::uint64_t training_rows() const override { return 64 * list_count(options_.count); }

 private:
  faiss::IndexIVF& lists() {
    auto& refine = dynamic_cast<faiss::IndexRefine&>(*index_);
    return dynamic_cast<faiss::IndexIVF&>(*refine.base_index);
  }
};

class FaissHnsw : public Faiss {
 public:
  explicit FaissHnsw(const PeerOptions& options)
      : Faiss(options, "HNSW" + std::to_string(options.degree) + ",Flat") {
    graph().efConstruction = static_cast<int>(options.ef_construction);
  }

  std::string description() const override {
    return Faiss::description() + ", efC=" + std::to_string(options_.ef_construction);
  }
  void set_list_size(std::uint32_t list_size) override {
    graph().efSearch = static_cast<int>(list_size);
  }
  std::string list_name() const override { return "ef"; }

 private:
  faiss::HNSW& graph() { return dynamic_cast<faiss::IndexHNSW&>(*index_).hnsw; }
};

}  // namespace

std::unique_ptr<Peer> make_faiss_ivfpq(const PeerOptions& options) {
  return std::make_unique<FaissIvfPq>(options);
}

std::unique_ptr<Peer> make_faiss_hnsw(const PeerOptions& options) {
  return std::make_unique<FaissHnsw>(options);
}

}  // namespace cairn::peers

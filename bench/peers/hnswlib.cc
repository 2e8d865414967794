#include <hnswlib/hnswlib.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "bench/peers/peer.h"

namespace cairn::peers {
namespace {

/// Distance: float over widened rows, int over the bytes as they are.
template <class Distance>
class Hnswlib : public Peer {
 public:
  Hnswlib(const PeerOptions& options, std::unique_ptr<hnswlib::SpaceInterface<Distance>> space,
          std::string what)
      : options_(options),
        space_(std::move(space)),
        what_(std::move(what)),
        graph_(space_.get(), options.count, options.degree, options.ef_construction) {}

  std::string description() const override {
    return "hnswlib (Debian's header), " + what_ + ", M=" + std::to_string(options_.degree) +
           " efC=" + std::to_string(options_.ef_construction) + ", compiled with -march=native" +
           path();
  }

  void build(const Pass& pass) override {
    pass([&](const VectorBatch& rows, std::uint64_t first) { add(rows, first); });
  }

  void set_list_size(std::uint32_t list_size) override { graph_.setEf(list_size); }
  std::string list_name() const override { return "ef"; }

  std::vector<Answer> search(VectorView query, std::uint32_t k) const override {
    std::vector<float> buffer;
    auto found = graph_.searchKnn(input(query, &buffer), k);
    std::vector<Answer> answers(found.size());
    for (auto at = answers.rbegin(); at != answers.rend(); ++at, found.pop())
      *at = {found.top().second, static_cast<double>(found.top().first)};
    return answers;
  }

 private:
  static std::string path() {
    if (std::is_same_v<Distance, int>) return ": what the compiler makes of its loop over bytes";
#if defined(USE_AVX512)
    return ": its AVX-512 path";
#elif defined(USE_AVX)
    return ": its AVX path";
#else
    return ": its SSE path";
#endif
  }

  const void* input(VectorView row, std::vector<float>* buffer) const {
    if constexpr (std::is_same_v<Distance, int>) return row.data;
    buffer->resize(row.dim);
    to_floats(row, options_.metric, buffer->data());
    return buffer->data();
  }

  void add(const VectorBatch& rows, std::uint64_t first) {
    std::atomic<std::uint64_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_mutex;
    const auto work = [&] {
      std::vector<float> buffer;
      try {
        for (std::uint64_t i = next++; i < rows.count; i = next++)
          graph_.addPoint(input(rows.row(i), &buffer), first + i);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        failure = std::current_exception();
      }
    };
    std::vector<std::thread> helpers;
    for (std::uint32_t t = 1; t < options_.threads; ++t) helpers.emplace_back(work);
    work();
    for (auto& helper : helpers) helper.join();
    if (failure) std::rethrow_exception(failure);
  }

  PeerOptions options_;
  std::unique_ptr<hnswlib::SpaceInterface<Distance>> space_;
  std::string what_;
  hnswlib::HierarchicalNSW<Distance> graph_;
};

}  // namespace

std::unique_ptr<Peer> make_hnswlib(const PeerOptions& options) {
  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  if (options.metric == Metric::l2)
    space = std::make_unique<hnswlib::L2Space>(options.dim);
  else
    space = std::make_unique<hnswlib::InnerProductSpace>(options.dim);
  return std::make_unique<Hnswlib<float>>(options, std::move(space), "f32");
}

std::unique_ptr<Peer> make_hnswlib_u8(const PeerOptions& options) {
  return std::make_unique<Hnswlib<int>>(options, std::make_unique<hnswlib::L2SpaceI>(options.dim),
                                        "u8 (L2SpaceI)");
}

}  // namespace cairn::peers

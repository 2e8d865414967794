#include <hnswlib/hnswlib.h>

#include <mutex>
#include <span>
#include <type_traits>

#include "engine/math/distance.h"
#include "tools/compare/old_index.h"
#include "tools/to_floats.h"

namespace cairn::tools {
namespace {

/// hnswlib's own spaces have the vector code that this header was compiled with: none beyond SSE in
/// a command for every x86-64. With ours, chosen at run time, it is at least as fast as compiled
/// with -march=native (SIFT, 128 dimensions, ef 100: 0.23 ms for 0.31, SSE 0.42), so that times do
/// not flatter us.
class RunTimeSpace final : public hnswlib::SpaceInterface<float> {
 public:
  RunTimeSpace(Metric metric, std::size_t dim)
      : pair_{metric == Metric::l2 ? math::l2_kernel(DType::f32) : math::dot_kernel(DType::f32),
              dim},
        distance_(metric == Metric::l2 ? value : one_minus_dot) {}

  std::size_t get_data_size() override { return pair_.dim * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return distance_; }
  void* get_dist_func_param() override { return &pair_; }

 private:
  struct Pair {
    math::PairKernel kernel;
    std::size_t dim;
  };
  static float value(const void* a, const void* b, const void* pair) {
    const auto* with = static_cast<const Pair*>(pair);
    return with->kernel(a, b, with->dim);
  }
  static float one_minus_dot(const void* a, const void* b, const void* pair) {
    return 1 - value(a, b, pair);
  }

  Pair pair_;
  hnswlib::DISTFUNC<float> distance_;
};

std::string build_of_hnswlib(bool bytes) {
  if (bytes) return "hnswlib as Debian packages it, with its own loop over bytes";
  return "hnswlib as Debian packages it, with Cairn's distances (" +
         std::string{math::kernel_path()} + ")";
}

/// Distance: float over f32, int over bytes.
template <class Distance>
class HnswlibIndex final : public OldIndex {
 public:
  using Space = hnswlib::SpaceInterface<Distance>;

  /// Throws what the library throws.
  HnswlibIndex(const IndexFile& file, const formats::IndexFacts& facts,
               std::unique_ptr<Space> space)
      : path_(file.path),
        metric_(metric_of(file, facts)),
        query_(facts.dim),
        space_(std::move(space)),
        // Room for what is there, whatever capacity the file claims.
        graph_(space_.get(), file.path, false, facts.elements) {}

  std::string build() const override { return build_of_hnswlib(std::is_same_v<Distance, int>); }
  std::string effort_name() const override { return "ef"; }
  std::uint32_t effort_max() const override {
    return static_cast<std::uint32_t>(graph_.cur_element_count);
  }
  void set_effort(std::uint32_t effort) override { graph_.setEf(effort); }

  std::uint64_t layout_bytes() const override {
    // std::unordered_map: a node of three words, malloc's own, and that of a bucket.
    constexpr std::uint64_t kLookUpBytes = 40, kVisitedBytes = sizeof(hnswlib::vl_type);
    const std::uint64_t beside = sizeof(char*) + sizeof(int) + sizeof(std::mutex) + kLookUpBytes;
    std::uint64_t levels = 0;
    for (const int level : graph_.element_levels_) levels += static_cast<std::uint64_t>(level);
    return graph_.cur_element_count * (graph_.size_data_per_element_ + beside + kVisitedBytes) +
           levels * graph_.size_links_per_element_;
  }

  Status search(VectorView query, std::uint32_t k, std::vector<Neighbor>& found) override {
    return guard(ErrorCode::io, "search", path_, [&]() -> Status {
      auto nearest = graph_.searchKnn(input(query), k);
      found.resize(nearest.size());
      for (auto at = found.rbegin(); at != found.rend(); ++at, nearest.pop())
        *at = {nearest.top().second, static_cast<float>(nearest.top().first)};
      return {};
    });
  }

  /// The library takes for granted that a link at a level leads to an element that has the level.
  Status check_levels() {
    for (std::size_t element = 0; element < graph_.cur_element_count; ++element)
      for (int level = 1; level <= graph_.element_levels_[element]; ++level) {
        auto* list = graph_.get_linklist(static_cast<hnswlib::tableint>(element), level);
        const std::span links(list + 1, graph_.getListCount(list));
        for (const hnswlib::tableint link : links)
          if (graph_.element_levels_[link] < level) return bad_link(element, level, link);
      }
    return {};
  }

 private:
  const void* input(VectorView query) {
    if constexpr (std::is_same_v<Distance, int>) return query.data;
    to_floats(query, metric_, query_.data());
    return query_.data();
  }

  Status bad_link(std::size_t element, int level, std::size_t link) const {
    return fail({.code = ErrorCode::corrupt,
                 .what = "read the links of element " + std::to_string(element) +
                         " of the hnswlib index at level " + std::to_string(level),
                 .file = path_,
                 .found = "one to element " + std::to_string(link) + ", which has levels up to " +
                          std::to_string(graph_.element_levels_[link]),
                 .expected = "links to elements of the level"});
  }

  std::string path_;
  Metric metric_;
  std::vector<float> query_;
  std::unique_ptr<Space> space_;
  hnswlib::HierarchicalNSW<Distance> graph_;
};

template <class Distance>
Result<std::unique_ptr<OldIndex>> load(const IndexFile& file, const formats::IndexFacts& facts,
                                       std::unique_ptr<hnswlib::SpaceInterface<Distance>> space) {
  using Loaded = Result<std::unique_ptr<OldIndex>>;
  return guard(ErrorCode::corrupt, "load the hnswlib index", file.path, [&]() -> Loaded {
    auto index = std::make_unique<HnswlibIndex<Distance>>(file, facts, std::move(space));
    CAIRN_TRY(index->check_levels());
    return std::unique_ptr<OldIndex>{std::move(index)};
  });
}

tl::unexpected<Error> no_space(const IndexFile& file) {
  return fail({.code = ErrorCode::unsupported,
               .what = "search an index of hnswlib",
               .file = file.path,
               .found = std::string{metric_name(*file.metric)} + " over " +
                        std::string{dtype_name(*file.dtype)},
               .expected = "f32, or l2 over u8: hnswlib has no other spaces"});
}

}  // namespace

Status check_hnswlib(const IndexFile& file) {
  const bool known =
      *file.dtype == DType::f32 || (*file.dtype == DType::u8 && *file.metric == Metric::l2);
  if (!known) return no_space(file);
  return {};
}

Result<std::unique_ptr<OldIndex>> load_hnswlib(const IndexFile& file,
                                               const formats::IndexFacts& facts) {
  if (facts.dtype == DType::u8)
    return load<int>(file, facts, std::make_unique<hnswlib::L2SpaceI>(facts.dim));
  return load<float>(file, facts,
                     std::make_unique<RunTimeSpace>(metric_of(file, facts), facts.dim));
}

}  // namespace cairn::tools

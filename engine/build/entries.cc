#include "engine/build/entries.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/build/space.h"
#include "engine/math/distance.h"
#include "engine/math/kmeans.h"

namespace cairn::build {
namespace {

constexpr std::uint32_t kListsMax = 2048;
constexpr std::uint64_t kTrainRows = 16384, kTrainRowsMin = 1024;
constexpr std::uint64_t kTrainFloats = std::uint64_t{16} << 20;
constexpr std::size_t kRowsPerTask = 1024;

std::vector<std::uint32_t> all_rows(std::uint64_t count) {
  std::vector<std::uint32_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0U);
  return rows;
}

class EntryChooser {
 public:
  EntryChooser(std::uint64_t count, std::uint32_t dim, std::uint64_t seed, const Workers& workers)
      : count_(count), dim_(dim), seed_(seed), workers_(workers) {}

  Status train(const EntrySamples& samples) {
    const auto chosen =
        draw_sample(count_, std::clamp(kTrainFloats / dim_, kTrainRowsMin, kTrainRows), seed_);
    auto next = chosen.begin();
    std::uint64_t first = 0;
    std::vector<float> floats;
    CAIRN_TRY(samples([&](const EntrySample& part) {
      std::vector<std::uint32_t> rows;
      for (; next != chosen.end() && *next < first + part.slots.size(); ++next)
        rows.push_back(static_cast<std::uint32_t>(*next - first));
      const std::size_t at = floats.size();
      floats.resize(at + rows.size() * dim_);
      to_floats(part.vectors, rows, std::span(floats).subspan(at));
      first += part.slots.size();
    }));
    const auto lists = static_cast<std::uint32_t>(std::sqrt(static_cast<double>(count_)));
    centroids_ = math::kmeans(
        floats, dim_,
        {.k = std::clamp(lists, 1U, kListsMax),
         .iterations = 8,
         .seed = seed_,
         .parallel = [&](std::size_t n, const auto& body) {
           workers_.each(n, 1, [&](std::size_t i, std::size_t, std::uint32_t) { body(i); });
         }});
    return {};
  }

  Status assign(const EntrySamples& samples) {
    return samples([&](const EntrySample& part) {
      const std::size_t at = slots_.size(), count = part.slots.size();
      slots_.insert(slots_.end(), part.slots.begin(), part.slots.end());
      list_.resize(at + count);
      distance_.resize(at + count);
      const auto rows = all_rows(count);
      workers_.each(count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
        assign_rows(part.vectors, std::span(rows).subspan(begin, end - begin), at + begin);
      });
    });
  }

  layout::Entries lists() const {
    std::vector<std::vector<std::uint32_t>> lists(centroids_.size() / dim_);
    for (std::uint32_t i = 0; i < slots_.size(); ++i) lists[list_[i]].push_back(i);
    layout::Entries entries;
    entries.begins.push_back(0);
    for (const auto& list : lists) {
      if (list.empty()) continue;
      const auto head = *std::min_element(
          list.begin(), list.end(),
          [&](std::uint32_t a, std::uint32_t b) { return distance_[a] < distance_[b]; });
      entries.heads.push_back(slots_[head]);
      for (const std::uint32_t i : list) entries.slots.push_back(slots_[i]);
      entries.begins.push_back(static_cast<std::uint32_t>(entries.slots.size()));
    }
    return entries;
  }

 private:
  void assign_rows(const VectorBatch& vectors, std::span<const std::uint32_t> rows,
                   std::size_t at) {
    std::vector<float> floats(rows.size() * dim_);
    to_floats(vectors, rows, floats);
    math::assign(floats, dim_, centroids_, std::span(list_).subspan(at, rows.size()));
    for (std::size_t i = 0; i < rows.size(); ++i)
      distance_[at + i] = l2_(floats.data() + i * dim_,
                              centroids_.data() + std::size_t{list_[at + i]} * dim_, dim_);
  }

  std::uint64_t count_;
  std::uint32_t dim_;
  std::uint64_t seed_;
  const Workers& workers_;
  math::PairKernel l2_ = math::l2_kernel(DType::f32);
  std::vector<float> centroids_;
  std::vector<std::uint32_t> slots_, list_;
  std::vector<float> distance_;  // to the list's centroid
};

}  // namespace

Result<layout::Entries> choose_entries(std::uint64_t count, std::uint32_t dim,
                                       const EntrySamples& samples, std::uint64_t seed,
                                       const Workers& workers) {
  EntryChooser chooser(count, dim, seed, workers);
  CAIRN_TRY(chooser.train(samples));
  CAIRN_TRY(chooser.assign(samples));
  return chooser.lists();
}

}  // namespace cairn::build

#include "tools/export/upper_levels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "engine/build/carve.h"

namespace cairn::tools {

std::uint32_t draw_level(std::uint64_t element, std::uint32_t degree, std::uint64_t seed) {
  const std::uint64_t drawn = build::mix_seed(seed, element) >> 11;
  const double uniform = (static_cast<double>(drawn) + 1) / 9007199254740992.0;  // (0, 1]
  return static_cast<std::uint32_t>(-std::log(uniform) / std::log(static_cast<double>(degree)));
}

UpperLevels::UpperLevels(build::Space space, std::span<const std::uint32_t> elements,
                         const VectorBatch& raw, std::uint32_t degree, std::uint64_t seed,
                         std::uint32_t threads) {
  for (std::uint64_t i = 0; i < raw.count && space.metric == Metric::ip; ++i)
    space.squared_norm_max = std::max(space.squared_norm_max, build::squared_norm(raw.row(i)));
  std::vector<std::byte> mapped(raw.count * space.row_bytes());
  space.map(raw, mapped.data());
  const auto row = [&](std::size_t i) { return mapped.data() + i * space.row_bytes(); };
  // The linking wants each vector once.
  std::vector<std::uint32_t> places;
  std::unordered_set<std::string_view> seen;
  for (std::uint32_t i = 0; i < elements.size(); ++i)
    if (seen.emplace(reinterpret_cast<const char*>(row(i)), space.row_bytes()).second)
      places.push_back(i);
  const build::Workers workers(threads);
  std::vector<std::byte> rows;
  for (std::uint32_t level = 1; !places.empty(); ++level) {
    rows.resize(places.size() * space.row_bytes());
    std::vector<std::uint32_t> members;
    for (const std::uint32_t place : places) {
      std::memcpy(rows.data() + members.size() * space.row_bytes(), row(place), space.row_bytes());
      members.push_back(elements[place]);
    }
    entry_ = members.front();
    levels_.push_back(link({rows.data(), members.size(), space.row_dim(), space.row_dtype()},
                           std::move(members), degree, build::mix_seed(seed, level), workers));
    std::erase_if(places, [&](std::uint32_t place) {
      return draw_level(elements[place], degree, seed) <= level;
    });
  }
}

UpperLevels::Level UpperLevels::link(const VectorBatch& vectors,
                                     std::vector<std::uint32_t> elements, std::uint32_t degree,
                                     std::uint64_t seed, const build::Workers& workers) {
  const build::GraphOptions options{.degree = degree, .seed = seed};
  build::LinkedRows linked(elements.size(), options);
  const build::PruneTask task{.cores = static_cast<std::uint32_t>(elements.size()), .other = {}};
  build::link_leaves(vectors, options, workers, {}, linked);
  build::prune_rows(vectors, task, options, workers, {}, linked);
  Level level{.elements = std::move(elements), .begins = {0}, .links = {}};
  for (std::uint32_t i = 0; i < level.elements.size(); ++i) {
    for (const std::uint32_t to : linked.rows.ids(i)) level.links.push_back(level.elements[to]);
    level.begins.push_back(static_cast<std::uint32_t>(level.links.size()));
  }
  return level;
}

std::uint32_t UpperLevels::level_of(std::uint32_t element) const {
  std::uint32_t level = 0;
  while (level < levels_.size() && std::binary_search(levels_[level].elements.begin(),
                                                      levels_[level].elements.end(), element))
    ++level;
  return level;
}

std::span<const std::uint32_t> UpperLevels::links(std::uint32_t element,
                                                  std::uint32_t level) const {
  const Level& on = levels_[level - 1];
  const auto at = static_cast<std::size_t>(
      std::lower_bound(on.elements.begin(), on.elements.end(), element) - on.elements.begin());
  return std::span(on.links).subspan(on.begins[at], on.begins[at + 1] - on.begins[at]);
}

}  // namespace cairn::tools

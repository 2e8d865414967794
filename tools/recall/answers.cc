#include "tools/recall/answers.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tools/figures.h"

namespace cairn::tools {
namespace {

/// Distinct ids of the places that were filled and that `wanted` takes by their distance, sorted.
template <class Wanted>
std::vector<std::int64_t> ids_of(const AnswerTable& answers, std::uint64_t query,
                                 const Wanted& wanted) {
  std::vector<std::int64_t> ids;
  for (std::uint64_t i = query * answers.k; i < (query + 1) * answers.k; ++i)
    if (std::isfinite(answers.distances[i]) && wanted(answers.distances[i]))
      ids.push_back(answers.ids[i]);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace

double recall_of(const AnswerTable& answers, std::uint64_t query, float kth_distance,
                 const AnswerKind& kind) {
  const auto ids = ids_of(answers, query, [&](float distance) {
    return counts_as_found(double{distance}, double{kth_distance}, kind.metric, kind.dtype);
  });
  return static_cast<double>(ids.size()) / answers.k;
}

double overlap_of(const AnswerTable& one, const AnswerTable& other, std::uint64_t query) {
  const auto any = [](float) { return true; };
  const auto left = ids_of(one, query, any), right = ids_of(other, query, any);
  std::vector<std::int64_t> both;
  std::set_intersection(left.begin(), left.end(), right.begin(), right.end(),
                        std::back_inserter(both));
  return static_cast<double>(both.size()) / one.k;
}

}  // namespace cairn::tools

#include "tests/reliability/oracle.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include "engine/math/distance.h"
#include "engine/math/kmeans.h"

namespace cairn::reliability {
namespace {

/// Elements of a magnitude that keeps every sum below 2^24.
std::vector<std::byte> random_rows(const OracleSpec& spec, std::uint64_t count, math::Rng& rng) {
  std::vector<std::byte> bytes(count * spec.dim * dtype_bytes(spec.dtype));
  for (std::size_t i = 0; i < count * spec.dim; ++i) {
    if (spec.dtype == DType::f32) {
      const auto value = static_cast<float>(static_cast<int>(rng.below(201)) - 100);
      std::memcpy(&bytes[i * sizeof value], &value, sizeof value);
    } else {
      bytes[i] = static_cast<std::byte>(rng.below(256));
    }
  }
  return bytes;
}

double element(VectorView row, std::size_t i) {
  if (row.dtype == DType::u8) return static_cast<const std::uint8_t*>(row.data)[i];
  if (row.dtype == DType::i8) return static_cast<const std::int8_t*>(row.data)[i];
  float value = 0;
  std::memcpy(&value, static_cast<const std::byte*>(row.data) + i * sizeof value, sizeof value);
  return value;
}

double plain_distance(Metric metric, VectorView a, VectorView b) {
  double apart = 0, dot = 0, square_a = 0, square_b = 0;
  for (std::size_t i = 0; i < a.dim; ++i) {
    const double x = element(a, i), y = element(b, i);
    apart += (x - y) * (x - y);
    dot += x * y;
    square_a += x * x;
    square_b += y * y;
  }
  if (metric == Metric::l2) return apart;
  return metric == Metric::ip ? 1 - dot : 1 - dot / std::sqrt(square_a * square_b);
}

bool is_before(const Neighbor& a, const Neighbor& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.label < b.label;
}

}  // namespace

Oracle::Oracle(const OracleSpec& spec) : spec_(spec) {
  math::Rng rng(spec.seed);
  rows_ = random_rows(spec, spec.count, rng);
  queries_ = random_rows(spec, spec.queries, rng);
  for (std::uint64_t i = 0; i < spec.count; ++i) {
    labels_.push_back((i * 2654435761u) ^ 0x5555u);
    row_of_[labels_.back()] = i;
  }
  for (std::size_t q = 0; q < spec.queries; ++q) {
    const math::Scorer scorer(spec.metric, query(q));
    for (std::uint64_t i = 0; i < spec.count; ++i) {
      const double plain = plain_distance(spec.metric, query(q), row(i));
      const float distance = scorer(row(i).data, math::inverse_norm(row(i)));
      // Under cosine alone an exact distance is no float: its last bits are the engine's.
      const double apart = spec.metric == Metric::cosine ? 1e-6 : 0;
      if (std::abs(distance - plain) > apart) {
        std::printf("WRONG: distance of row %llu: %.9g, not %.17g\n",
                    static_cast<unsigned long long>(i), static_cast<double>(distance), plain);
        std::exit(1);
      }
      distances_.push_back(distance);
    }
  }
}

VectorBatch Oracle::rows(std::uint64_t first, std::uint64_t count) const {
  const std::size_t row_bytes = spec_.dim * dtype_bytes(spec_.dtype);
  return {rows_.data() + first * row_bytes, count, spec_.dim, spec_.dtype};
}

VectorView Oracle::query(std::size_t i) const {
  return VectorBatch{queries_.data(), spec_.queries, spec_.dim, spec_.dtype}.row(i);
}

bool Oracle::is_vector(Label label, std::span<const std::byte> vector) const {
  const auto at = row_of_.find(label);
  if (at == row_of_.end()) return false;
  const VectorView right = row(at->second);
  return vector.size() == right.bytes() &&
         std::memcmp(vector.data(), right.data, right.bytes()) == 0;
}

Result<std::uint64_t> Oracle::check_scan(const Index& index) const {
  CAIRN_ASSIGN(const auto scan, index.scan());
  const std::size_t row_bytes = query(0).bytes();
  std::vector<Label> labels(64);
  std::vector<std::byte> rows(row_bytes * labels.size());
  std::set<Label> met;
  std::uint64_t order = 0;
  for (;;) {
    CAIRN_ASSIGN(const std::size_t count, scan->next(rows, labels));
    if (count == 0) break;
    for (std::size_t i = 0; i < count; ++i) {
      const bool right = is_vector(labels[i], std::span(rows).subspan(i * row_bytes, row_bytes));
      if (!right || !met.insert(labels[i]).second)
        return fail(ErrorCode::invalid_argument,
                    "a scan: label " + std::to_string(labels[i]) + " of another vector, or twice");
      order = order * 31 + labels[i];
    }
  }
  if (met.size() == count()) return order;
  return fail(ErrorCode::invalid_argument, "a scan of " + std::to_string(met.size()) + " vectors");
}

std::uint64_t Oracle::admitted(const SearchRequest& request) const {
  if (!request.allow) return spec_.count;
  return static_cast<std::uint64_t>(std::ranges::count_if(labels_, request.allow));
}

std::vector<Neighbor> Oracle::nearest(std::size_t query, const SearchRequest& request) const {
  std::vector<Neighbor> all;
  for (std::uint64_t i = 0; i < spec_.count; ++i)
    if (!request.allow || request.allow(labels_[i]))
      all.push_back({labels_[i], distance(query, i)});
  const auto k = static_cast<std::ptrdiff_t>(std::min<std::size_t>(request.k, all.size()));
  std::ranges::partial_sort(all, all.begin() + k, is_before);
  all.resize(static_cast<std::size_t>(k));
  return all;
}

std::string Oracle::wrong_order(std::size_t query, const SearchRequest& request,
                                const std::vector<Neighbor>& found) const {
  std::set<Label> met;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::string label = "label " + std::to_string(found[i].label);
    const auto at = row_of_.find(found[i].label);
    if (at == row_of_.end()) return label + ", which does not exist";
    if (!met.insert(found[i].label).second) return label + " twice";
    if (found[i].distance != distance(query, at->second)) return "distance of " + label;
    if (request.allow && !request.allow(found[i].label)) return label + ", which is not allowed";
    if (i > 0 && is_before(found[i], found[i - 1])) return "order at " + label;
  }
  return {};
}

bool Oracle::is_exact(const SearchRequest& request, const SearchResult& result) const {
  return request.list_size >= spec_.count && !request.slack && !request.recall &&
         result.stop != Stop::reads_max && result.stop != Stop::deadline;
}

std::string Oracle::wrong(std::size_t query, const SearchRequest& request,
                          const SearchResult& result) const {
  const std::vector<Neighbor>& found = result.neighbors;
  if (std::string order = wrong_order(query, request, found); !order.empty()) return order;
  const SearchCounters& counters = result.counters;
  if (request.reads_max != 0 && counters.reads > request.reads_max)
    return std::to_string(counters.reads) + " reads of " + std::to_string(request.reads_max);
  if (found.size() > request.k) return "more results than wanted";
  if (counters.exact_distances < found.size()) return "results that were never scored";
  if (result.stop == Stop::reads_max || result.stop == Stop::deadline) return {};
  const std::uint64_t there = admitted(request);
  const bool everything = is_exact(request, result);
  const bool all_wanted = result.stop == Stop::exhausted || everything || !request.allow;
  if (all_wanted && found.size() != std::min<std::uint64_t>(request.k, there))
    return std::to_string(found.size()) + " results of " + std::to_string(there);
  if (everything && !same_neighbors(found, nearest(query, request)))
    return "not the true neighbours, of a list of all vectors";
  return {};
}

bool same_neighbors(const std::vector<Neighbor>& a, const std::vector<Neighbor>& b) {
  return std::ranges::equal(a, b, [](const Neighbor& x, const Neighbor& y) {
    return x.label == y.label && x.distance == y.distance;
  });
}

bool same_effort(const SearchEffort& a, const SearchEffort& b) {
  return a.list_size == b.list_size && a.edges == b.edges && a.slack == b.slack &&
         a.slack_wide == b.slack_wide && a.recall == b.recall && a.reads == b.reads &&
         a.reads_wide == b.reads_wide && a.reached == b.reached && a.least == b.least &&
         a.least_wide == b.least_wide;
}

}  // namespace cairn::reliability

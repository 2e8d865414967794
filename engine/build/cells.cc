#include "engine/build/cells.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "engine/build/carve.h"
#include "engine/math/kmeans.h"
#include "engine/math/topk.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRowsAtOnce = 96;
constexpr std::size_t kRowsPerTask = 4096;
constexpr int kRoundsMax = 12;
// A cell of less than this share of the mean is given up, in the first rounds: later it may be what
// a split has left.
constexpr double kTiny = 1.0 / 16;
constexpr int kRoundsOfTiny = 4;
// Standard deviations of a count that the sample gives, by which a cell stays below its limit.
constexpr double kMargin = 3;

math::ParallelFor parallel_for(const Workers& workers) {
  return [&workers](std::size_t count, const std::function<void(std::size_t)>& body) {
    workers.each(count, 1, [&](std::size_t i, std::size_t, std::uint32_t) { body(i); });
  };
}

/// Distinct rows of a sample: exact duplicates are linked once wherever they are many.
std::vector<std::byte> distinct_rows(const VectorBatch& sample) {
  std::vector<std::uint32_t> rows(sample.count);
  std::iota(rows.begin(), rows.end(), 0U);
  const auto compare = [&](std::uint32_t a, std::uint32_t b) {
    return std::memcmp(sample.row(a).data, sample.row(b).data, sample.row_bytes());
  };
  std::sort(rows.begin(), rows.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int order = compare(a, b);
    return order != 0 ? order < 0 : a < b;
  });
  rows.erase(std::unique(rows.begin(), rows.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return compare(a, b) == 0; }),
             rows.end());
  std::sort(rows.begin(), rows.end());
  std::vector<std::byte> bytes(rows.size() * sample.row_bytes());
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::memcpy(bytes.data() + i * sample.row_bytes(), sample.row(rows[i]).data,
                sample.row_bytes());
  return bytes;
}

/// Rows of the build space as floats.
void map_floats(const Space& space, const VectorBatch& raw, std::vector<std::byte>& mapped,
                std::span<float> out) {
  mapped.resize(raw.count * space.row_bytes());
  space.map(raw, mapped.data());
  std::vector<std::uint32_t> rows(raw.count);
  std::iota(rows.begin(), rows.end(), 0U);
  to_floats({mapped.data(), raw.count, space.row_dim(), space.row_dtype()}, rows, out);
}

class Trainer {
 public:
  Trainer(const Space& space, const VectorBatch& sample, const CellOptions& options,
          const Workers& workers)
      : space_(space),
        options_(options),
        workers_(workers),
        bytes_(distinct_rows(sample)),
        raw_{bytes_.data(), bytes_.size() / sample.row_bytes(), sample.dim, sample.dtype},
        dim_(space.row_dim()),
        floats_(raw_.count * dim_) {
    each([&](std::size_t begin, const VectorBatch& part, Scratch& scratch) {
      map_floats(space_, part, scratch.cells.mapped,
                 std::span(floats_).subspan(begin * dim_, part.count * dim_));
    });
  }

  Cells run() {
    std::vector<float> centroids = math::kmeans(floats_, dim_,
                                                {.k = options_.cells,
                                                 .iterations = 12,
                                                 .seed = options_.seed,
                                                 .parallel = parallel_for(workers_)});
    double border = kBorderMax;
    for (int round = 0; round < kRoundsMax; ++round) {
      const Cells cells(space_, centroids, 1);
      if (cells.count() > 1) border = choose_border(cells);
      if (!split(Cells(space_, centroids, border), round < kRoundsOfTiny, centroids)) break;
    }
    return {space_, in_tour(centroids), border};
  }

 private:
  struct Scratch {
    Cells::Scratch cells;
  };

  /// Calls body(begin, rows, scratch) for parts of the sample.
  template <class Body>
  void each(const Body& body) const {
    std::vector<Scratch> scratch(workers_.threads());
    workers_.each(
        raw_.count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t w) {
          body(begin, {raw_.row(begin).data, end - begin, raw_.dim, raw_.dtype}, scratch[w]);
        });
  }

  double choose_border(const Cells& cells) const {
    std::vector<float> ratios(raw_.count);
    each([&](std::size_t begin, const VectorBatch& part, Scratch& scratch) {
      cells.ratios(part, std::span(ratios).subspan(begin, part.count), scratch.cells);
    });
    const auto share =
        static_cast<std::ptrdiff_t>(kSecondShare * static_cast<double>(ratios.size() - 1));
    std::nth_element(ratios.begin(), ratios.begin() + share, ratios.end());
    return std::min(kBorderMax, static_cast<double>(ratios[static_cast<std::size_t>(share)]));
  }

  /// Replaces every cell that is too full by several; whether anything changed.
  bool split(const Cells& cells, bool drop_tiny, std::vector<float>& centroids) const {
    std::vector<Home> homes(raw_.count);
    each([&](std::size_t begin, const VectorBatch& part, Scratch& scratch) {
      cells.assign(part, std::span(homes).subspan(begin, part.count), scratch.cells);
    });
    std::vector<std::vector<std::uint32_t>> held(cells.count());
    std::vector<double> members(cells.count());
    for (std::uint32_t i = 0; i < homes.size(); ++i) {
      held[homes[i].first].push_back(i);
      members[homes[i].first] += 1;
      if (homes[i].second != kNoCell) members[homes[i].second] += 1;
    }
    const double tiny = drop_tiny ? kTiny * static_cast<double>(raw_.count) / cells.count() : 0;
    std::vector<float> result;
    bool changed = false;
    for (std::size_t c = 0; c < cells.count(); ++c) {
      const auto own = cells.centroids().subspan(c * dim_, dim_);
      const std::uint32_t parts = parts_of(members[c], held[c].size());
      if (held[c].empty() || static_cast<double>(held[c].size()) < tiny) {
        changed = true;
      } else if (parts == 1) {
        result.insert(result.end(), own.begin(), own.end());
      } else {
        const std::vector<float> more = cut(held[c], parts);
        result.insert(result.end(), more.begin(), more.end());
        changed = true;
      }
    }
    if (result.empty()) return false;
    centroids = std::move(result);
    return changed;
  }

  /// `members`: of the sample.
  std::uint32_t parts_of(double members, std::size_t samples) const {
    const double weight = options_.vectors / static_cast<double>(raw_.count);
    const double most = weight * (members + kMargin * std::sqrt(members));
    if (options_.members_max <= 0 || most <= options_.members_max || samples < 2) return 1;
    const double parts = std::ceil(1.2 * most / options_.members_max);
    return static_cast<std::uint32_t>(std::min(parts, static_cast<double>(samples)));
  }

  std::vector<float> cut(std::span<const std::uint32_t> held, std::uint32_t parts) const {
    std::vector<float> rows;
    for (const std::uint32_t i : held) {
      const auto row = std::span(floats_).subspan(std::size_t{i} * dim_, dim_);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    return math::kmeans(rows, dim_,
                        {.k = parts, .iterations = 8, .seed = options_.seed + held.front()});
  }

  std::vector<float> in_tour(std::span<const float> centroids) const {
    math::TileSet packed;
    packed.pack({centroids.data(), centroids.size() / dim_, dim_, DType::f32});
    std::vector<float> ordered;
    for (const std::uint32_t c : tour(packed)) {
      const auto row = centroids.subspan(std::size_t{c} * dim_, dim_);
      ordered.insert(ordered.end(), row.begin(), row.end());
    }
    return ordered;
  }

  const Space& space_;
  const CellOptions& options_;
  const Workers& workers_;
  std::vector<std::byte> bytes_;  // distinct rows of the sample
  VectorBatch raw_;
  std::uint32_t dim_;
  std::vector<float> floats_;  // in the build space
};

}  // namespace

Cells::Cells(const Space& space, std::vector<float> floats, double border)
    : space_(space),
      floats_(std::move(floats)),
      border_(border),
      count_(static_cast<std::uint32_t>(floats_.size() / space.row_dim())) {
  packed_.pack({floats_.data(), count_, space.row_dim(), DType::f32});
}

Cells Cells::train(const Space& space, const VectorBatch& sample, const CellOptions& options,
                   const Workers& workers) {
  if (options.cells > 1) return Trainer(space, sample, options, workers).run();
  std::vector<float> first(space.row_dim());
  std::vector<std::byte> mapped;
  map_floats(space, {sample.data, 1, sample.dim, sample.dtype}, mapped, first);
  return {space, std::move(first), kBorderMax};
}

template <class Visit>
void Cells::nearest(const VectorBatch& raw, Scratch& scratch, const Visit& visit) const {
  const std::size_t ld = math::tile_ld(count_);
  scratch.distances.resize(kRowsAtOnce * ld);
  scratch.floats.resize(kRowsAtOnce * space_.row_dim());
  for (std::uint64_t begin = 0; begin < raw.count; begin += kRowsAtOnce) {
    const std::size_t n = std::min<std::uint64_t>(kRowsAtOnce, raw.count - begin);
    const auto floats = std::span(scratch.floats).first(n * space_.row_dim());
    map_floats(space_, {raw.row(begin).data, n, raw.dim, raw.dtype}, scratch.mapped, floats);
    scratch.rows.pack({floats.data(), n, space_.row_dim(), DType::f32});
    math::tile_l2(scratch.rows, 0, n, packed_, scratch.distances.data(), ld);
    for (std::size_t i = 0; i < n; ++i) {
      Nearest found;
      math::smallest_k(scratch.distances.data() + i * ld, count_, 2, found.cell, found.distance);
      visit(begin + i, found);
    }
  }
}

void Cells::assign(const VectorBatch& raw, std::span<Home> homes, Scratch& scratch) const {
  if (count_ == 1) {
    std::fill(homes.begin(), homes.end(), Home{});
    return;
  }
  nearest(raw, scratch, [&](std::size_t i, const Nearest& found) {
    const bool near_border = found.distance[1] <= border_ * static_cast<double>(found.distance[0]);
    homes[i] = {found.cell[0], near_border ? found.cell[1] : kNoCell};
  });
}

void Cells::ratios(const VectorBatch& raw, std::span<float> ratios, Scratch& scratch) const {
  nearest(raw, scratch, [&](std::size_t i, const Nearest& found) {
    // At a centroid there is no border near.
    ratios[i] = found.distance[0] > 0 ? found.distance[1] / found.distance[0]
                                      : std::numeric_limits<float>::max();
  });
}

}  // namespace cairn::build

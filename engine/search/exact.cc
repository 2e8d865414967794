#include "engine/search/exact.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <limits>
#include <string>

#include "engine/math/distance.h"
#include "engine/math/row_check.h"
#include "engine/math/tile.h"
#include "engine/search/nearest_heap.h"
#include "engine/workers.h"

namespace cairn::search {
namespace {

/// Queries of a tile: a multiple of 12; with kBlockRows 192 KiB of distances, which stay in L2.
constexpr std::size_t kTileQueries = 48;
constexpr std::size_t kBlockRows = 1024;
/// Base rows that are read while those before are worked on.
constexpr std::size_t kChunkBytes = std::size_t{4} << 20;
constexpr std::size_t kPassBytes = std::size_t{64} << 20;

double norm_of(VectorView row) {
  return std::sqrt(double{math::dot_kernel(row.dtype)(row.data, row.data, row.dim)});
}

/// Base vectors of one tile, packed, and what turns squared l2 into a key of the metric: see Bound.
struct Block {
  VectorBatch rows;
  std::uint64_t first_id = 0;
  math::TileSet tiles;
  std::vector<float> inverse_norms;    // used by cosine
  std::vector<float> offsets, scales;  // padded as tiles are
  double norm_max = 0;

  void prepare(Metric metric);
};

void Block::prepare(Metric metric) {
  tiles.pack(rows);
  inverse_norms.assign(rows.count, 0);
  offsets.assign(math::tile_ld(rows.count), 0);
  scales.assign(math::tile_ld(rows.count), 1);
  norm_max = 0;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const double norm = norm_of(rows.row(i));
    norm_max = std::max(norm_max, norm);
    if (metric == Metric::l2) continue;
    offsets[i] = static_cast<float>(norm * norm);
    if (metric == Metric::ip) continue;
    inverse_norms[i] = math::inverse_norm(rows.row(i));
    scales[i] = inverse_norms[i];
  }
}

/// A row can be nearer than `worst` only if (l2 - offset - shift) * scale <= limit, since
/// |q|^2 + |x|^2 - l2 = 2 q.x. The shift allows for the rounding of the tile and of the Scorer,
/// each at most (dim + 4) * 2^-24 * (|q| + |x|)^2 (see tile.h), the limit for that of 1 - dot.
struct Bound {
  float shift = 0, limit = 0;
};

Bound bound_of(Metric metric, float worst, double query_norm, double norm_max, std::uint32_t dim) {
  const double reach = (query_norm + norm_max) * (query_norm + norm_max);
  const double slack = 4 * (dim + 4.0) * 0x1p-24 * reach;
  if (metric == Metric::l2) return {static_cast<float>(slack), worst};
  const double shift = query_norm * query_norm + slack;
  const double limit = 2 * (double{worst} - 1) + 0x1p-20 * (1 + std::abs(double{worst}));
  const double scale = metric == Metric::ip ? 1 : query_norm;
  return {static_cast<float>(shift), static_cast<float>(limit * scale)};
}

/// All the queries of one reading of the base.
class Pass {
 public:
  Pass(const VectorBatch& queries, const ExactOptions& options)
      : queries_(queries),
        options_(options),
        workers_(options.threads),
        heaps_(queries.count, NearestHeap{options.k}) {
    tiles_.pack(queries);
    for (std::uint64_t i = 0; i < queries.count; ++i) norms_.push_back(norm_of(queries.row(i)));
  }

  void absorb(const VectorBatch& rows, std::uint64_t first_id);
  void append_to(ExactNeighbors& out);

 private:
  void meet(std::size_t query_begin, std::size_t query_end, std::vector<float>& tile);
  void scan(std::size_t query, const float* l2, const Block& block);

  VectorBatch queries_;
  const ExactOptions& options_;
  build::Workers workers_;
  math::TileSet tiles_;
  std::vector<double> norms_;
  std::vector<NearestHeap> heaps_;
  std::vector<Block> blocks_;
};

void Pass::absorb(const VectorBatch& rows, std::uint64_t first_id) {
  blocks_.resize((rows.count + kBlockRows - 1) / kBlockRows);
  workers_.each(blocks_.size(), 1, [&](std::size_t i, std::size_t, std::uint32_t) {
    const std::size_t begin = i * kBlockRows;
    blocks_[i].rows = {rows.row(begin).data,
                       std::min<std::uint64_t>(kBlockRows, rows.count - begin), rows.dim,
                       rows.dtype};
    blocks_[i].first_id = first_id + begin;
    blocks_[i].prepare(options_.metric);
  });
  // Several ranges a thread even out the ends; each range reads the packed chunk once.
  const std::size_t ranges = std::size_t{workers_.threads()} * 4;
  const std::size_t tiles = (queries_.count + kTileQueries - 1) / kTileQueries;
  const std::size_t range = std::max<std::size_t>(1, tiles / ranges) * kTileQueries;
  std::vector<std::vector<float>> buffers(workers_.threads());
  workers_.each(queries_.count, range,
                [&](std::size_t begin, std::size_t end, std::uint32_t worker) {
                  meet(begin, end, buffers[worker]);
                });
}

void Pass::meet(std::size_t query_begin, std::size_t query_end, std::vector<float>& tile) {
  tile.resize(kTileQueries * kBlockRows);
  for (const Block& block : blocks_) {
    const std::size_t ld = math::tile_ld(block.rows.count);
    for (std::size_t begin = query_begin; begin < query_end; begin += kTileQueries) {
      const std::size_t count = std::min(kTileQueries, query_end - begin);
      math::tile_l2(tiles_, begin, count, block.tiles, tile.data(), ld);
      for (std::size_t i = 0; i < count; ++i) scan(begin + i, tile.data() + i * ld, block);
    }
  }
}

void Pass::scan(std::size_t query, const float* l2, const Block& block) {
  NearestHeap& heap = heaps_[query];
  const VectorView vector = queries_.row(query);
  const math::Scorer scorer{options_.metric, vector};
  const auto bound_now = [&] {
    return bound_of(options_.metric, heap.worst(), norms_[query], block.norm_max, vector.dim);
  };
  Bound bound = bound_now();
  const float* offsets = block.offsets.data();
  const float* scales = block.scales.data();
  const auto far = [&](std::size_t j) {
    return (l2[j] - offsets[j] - bound.shift) * scales[j] > bound.limit;
  };
  constexpr std::size_t kStep = math::kTileColumns;
  for (std::size_t begin = 0; begin < block.rows.count; begin += kStep) {
    unsigned far_count = 0;
    for (std::size_t j = begin; j < begin + kStep; ++j) far_count += far(j) ? 1U : 0U;
    if (far_count == kStep) continue;
    const std::size_t end = std::min<std::size_t>(begin + kStep, block.rows.count);
    for (std::size_t j = begin; j < end; ++j) {
      if (far(j)) continue;
      const float distance = scorer(block.rows.row(j).data, block.inverse_norms[j]);
      heap.offer({distance, static_cast<std::uint32_t>(block.first_id + j)});
      bound = bound_now();
    }
  }
}

void Pass::append_to(ExactNeighbors& out) {
  for (NearestHeap& heap : heaps_) {
    for (const NearestHeap::Entry& entry : heap.sorted()) {
      out.ids.push_back(entry.id);
      out.distances.push_back(entry.distance);
    }
  }
}

/// Reads the base once for one Pass, the next chunk while the last is worked on.
class Reading {
 public:
  Reading(RowStream& base, const ExactOptions& options)
      : base_(base),
        metric_(options.metric),
        row_bytes_(std::size_t{base.dim()} * dtype_bytes(base.dtype())) {
    const std::size_t rows = std::max<std::size_t>(1, kChunkBytes / row_bytes_);
    for (auto& chunk : chunks_) chunk.resize(rows * row_bytes_);
  }

  /// `check`: whether rows are still to be checked.
  Status run(Pass& pass, bool check, const std::function<Status(std::uint64_t)>& progress) {
    CAIRN_TRY(base_.rewind());
    auto next = read(0);
    std::uint64_t done = 0;
    for (std::size_t turn = 0;; ++turn) {
      CAIRN_ASSIGN(const std::size_t count, next.get());
      if (count == 0) return {};
      next = read(turn + 1);
      const VectorBatch rows{chunks_[turn % 2].data(), count, base_.dim(), base_.dtype()};
      if (check) CAIRN_TRY(check_rows(rows, metric_, done, {}));
      pass.absorb(rows, done);
      done += count;
      if (progress) CAIRN_TRY(progress(done));
    }
  }

 private:
  std::future<Result<std::size_t>> read(std::size_t turn) {
    return std::async(std::launch::async,
                      [this, &chunk = chunks_[turn % 2]] { return base_.read(chunk); });
  }

  RowStream& base_;
  Metric metric_;
  std::size_t row_bytes_;
  std::vector<std::byte> chunks_[2];
};

}  // namespace

Result<ExactNeighbors> exact_neighbors(RowStream& base, const VectorBatch& queries,
                                       const ExactOptions& options) {
  if (base.count() > std::numeric_limits<std::uint32_t>::max())
    return fail({.code = ErrorCode::over_limit,
                 .what = "number base vectors",
                 .found = std::to_string(base.count()),
                 .expected = "at most 2^32 - 1"});
  ExactNeighbors out;
  out.k = options.k;
  const std::uint64_t per_pass = std::max<std::uint64_t>(1, kPassBytes / queries.row_bytes());
  const std::uint64_t passes = (queries.count + per_pass - 1) / per_pass;
  Reading reading{base, options};
  for (std::uint64_t i = 0; i < passes; ++i) {
    const std::uint64_t begin = i * per_pass;
    Pass pass{{queries.row(begin).data, std::min(per_pass, queries.count - begin), queries.dim,
               queries.dtype},
              options};
    const auto progress = [&](std::uint64_t done) -> Status {
      if (!options.progress) return {};
      return options.progress(i * base.count() + done, passes * base.count());
    };
    CAIRN_TRY(reading.run(pass, i == 0, progress));
    pass.append_to(out);
  }
  return out;
}

Status check_rows(const VectorBatch& rows, Metric metric, std::uint64_t first_row,
                  std::string_view file) {
  for (std::uint64_t i = 0; i < rows.count; ++i) {
    const auto checked =
        math::check_row(metric, rows.row(i), "use vector " + std::to_string(first_row + i));
    if (checked) continue;
    Error error = checked.error();
    error.what += " of";
    error.file = file;
    return fail(std::move(error));
  }
  return {};
}

}  // namespace cairn::search

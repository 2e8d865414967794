#include "engine/build/budget.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/build/keep_rows.h"
#include "engine/build/pipnn.h"
#include "engine/build/sample.h"
#include "engine/math/pq.h"

namespace cairn::build {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// The program, its stacks, buffers of streams, tiles and lists of the workers.
constexpr std::uint64_t kFixedBytes = 56 * kMiB;
// What of it is held at the least.
constexpr std::uint64_t kBaseBytes = 44 * kMiB;
constexpr std::uint64_t kRowsMin = 4096;  // smaller partitions lose more than they are worth
constexpr std::uint64_t kScatterBytes = 128 * kMiB;
constexpr std::uint64_t kWindowBytes = 256 * kMiB;
// Beside the map of slots while cells are merged and written: lists and offers of a cell, a chunk.
constexpr std::uint64_t kMergeBytesMin = 48 * kMiB;
// K-means gives unequal cells; those above members_max are split, and most stay well below.
constexpr double kFill = 0.8;
// Cells of about so many vectors, but no more cells than that, where memory would allow fewer:
// measured to cost no recall (DESIGN.md, Partitions).
constexpr std::uint64_t kCellRows = 65536, kCellsWanted = 64;
constexpr std::uint64_t kWorkerShare = 8;
// What k-means leaves in its fullest cell, as a multiple of the mean, is cut down to this: memory
// and the loss by a crash then follow from the number of partitions.
constexpr double kUneven = 1.5;

std::uint64_t train_bytes(const Space& space, std::uint64_t count) {
  // Raw and distinct rows, floats of them, and what k-means and codes make of those.
  const std::uint64_t elements = sample_rows(count, space.dim) * space.row_dim();
  return kFixedBytes / 2 + elements * (2 * sizeof(float) + 2 * dtype_bytes(space.dtype));
}

/// Lists, offers and maps of a core vector while its cell is merged.
std::uint64_t merge_bytes(std::uint32_t degree) { return 4 * std::uint64_t{degree} + 128; }

std::string mib(std::uint64_t bytes) { return std::to_string(bytes / kMiB) + " MiB"; }

}  // namespace

std::uint64_t member_bytes(const Space& space, std::uint32_t degree, std::uint32_t kept_edges) {
  // A row of candidates with its counts, or of kept edges, what they come from and the rows of
  // those that lead elsewhere; row, cell, order; memberships of the first carving twice.
  const std::uint64_t row = kept_edges == 0
                                ? LinkedRows::row_bytes(degree)
                                : kept_row_bytes(degree) + 8 * (std::uint64_t{kept_edges} + 1);
  return space.row_bytes() + row + 24 + 60;
}

Result<Budget> make_budget(const Space& space, std::uint64_t count, const BuildOptions& options,
                           std::uint32_t kept_edges) {
  const std::uint64_t member = member_bytes(space, options.degree, kept_edges);
  // Codebooks, each also as the kernels want it; two have always been among the fixed bytes.
  const std::uint64_t layers = options.refine_layers.size();
  const std::uint64_t books = layers > 1 ? 2 * (layers - 1) * math::codebook_bytes(space.dim) : 0;
  const std::uint64_t per_row = count * sizeof(std::uint32_t) + count * 3 / 8 + books;
  Budget budget;
  budget.memory_bytes = options.memory_bytes;
  budget.memory_min_bytes =
      std::max({train_bytes(space, count), kFixedBytes + std::min(count, kRowsMin) * member,
                kFixedBytes + per_row + std::min(kMergeBytesMin, count * 512)});
  if (options.memory_bytes < budget.memory_min_bytes)
    return fail({.code = ErrorCode::over_limit,
                 .what = "build " + std::to_string(count) + " vectors in memory of",
                 .found = mib(options.memory_bytes),
                 .expected = "at least " + mib(budget.memory_min_bytes + kMiB - 1)});
  // Tiles and lists of many workers, or of long rows, take their part: see link_threads().
  const std::uint64_t sets = kept_edges == 0 ? 0 : kept_set_bytes(count);
  const std::uint64_t room = options.memory_bytes - kFixedBytes;
  const std::uint64_t link_room = room - std::min(room, room / kWorkerShare + sets);
  const std::uint64_t merge_room = room - std::min(room, per_row + kMergeBytesMin / 2);
  budget.members_max =
      std::max(kRowsMin, std::min(link_room / member, merge_room / merge_bytes(options.degree)));
  // Not all in one, even where memory allows it: a crash must not cost the whole of a long build.
  const auto units = static_cast<std::uint32_t>(std::min(kCellsWanted, count / kCellRows));
  budget.partitions = std::max({1U, options.partitions, options.partitions == 0 ? units : 1U});
  if (count > budget.members_max) {
    const double members = static_cast<double>(count) * kCopiesExpected;
    const double cells = std::ceil(members / (kFill * static_cast<double>(budget.members_max)));
    budget.partitions = std::max({2U, budget.partitions, static_cast<std::uint32_t>(cells)});
  }
  const double mean = static_cast<double>(count) * kCopiesExpected / budget.partitions;
  budget.cell_members =
      std::min(budget.members_max, static_cast<std::uint64_t>(kUneven * mean) + kRowsMin);
  const std::uint64_t unit_bytes = std::min(kScatterBytes, room / 4);
  const std::uint64_t rows =
      unit_bytes / (space.raw_row_bytes() + 40 + std::uint64_t{kept_edges} * 4);
  const std::uint64_t step = digest_rows(space.raw_row_bytes());
  budget.scatter_rows = std::max<std::uint64_t>(1, rows / step) * step;
  budget.window_bytes = std::min(kWindowBytes, (room - std::min(room, per_row)) / 2);
  budget.fixed_bytes = kBaseBytes;
  budget.peak_min_bytes = std::max(train_bytes(space, count),
                                   kFixedBytes + per_row + std::min(kMergeBytesMin, count * 512));
  return budget;
}

std::uint32_t link_threads(const Space& space, const BuildOptions& options) {
  const std::uint64_t room = options.memory_bytes - std::min(options.memory_bytes, kFixedBytes);
  const std::uint64_t each = link_scratch_bytes(space.row_dim(), space.row_dtype());
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      (room / kWorkerShare + kFixedBytes / 4) / each, 1, options.threads));
}

}  // namespace cairn::build

#include "engine/build/keep_rows.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <span>

#include "engine/build/prune.h"
#include "engine/build/space.h"
#include "engine/math/distance.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRowsPerTask = 1024;
constexpr std::size_t kAhead = 4;  // vectors fetched before they are needed

/// Core members by row of the input, open addressing.
class MemberTable {
 public:
  explicit MemberTable(const Members& members)
      : places_(std::bit_ceil(2 * (std::size_t{members.cores} + members.duplicates.size()) + 2)) {
    for (std::uint32_t i = 0; i < members.cores; ++i) add(members.rows[i], i);
    for (const Duplicate& duplicate : members.duplicates) add(duplicate.row, duplicate.of);
  }

  /// kNoRow for a row of another partition.
  std::uint32_t find(std::uint32_t row) const {
    for (std::size_t at = start(row); places_[at].row != kNoRow; at = next(at))
      if (places_[at].row == row) return places_[at].member;
    return kNoRow;
  }

 private:
  struct Place {
    std::uint32_t row = kNoRow, member = 0;
  };
  std::size_t start(std::uint32_t row) const {
    constexpr std::uint64_t kGolden = 0x9e37'79b9'7f4a'7c15u;
    return static_cast<std::size_t>(row * kGolden >> 32) & (places_.size() - 1);
  }
  std::size_t next(std::size_t at) const { return (at + 1) & (places_.size() - 1); }
  void add(std::uint32_t row, std::uint32_t member) {
    std::size_t at = start(row);
    while (places_[at].row != kNoRow) at = next(at);
    places_[at] = {row, member};
  }

  std::vector<Place> places_;
};

/// A set of rows of the input, and the place of each among its members in order.
class RowSet {
 public:
  explicit RowSet(std::uint64_t rows) : words_(rows / kBits + 1), before_(words_.size() + 1) {}

  /// From any thread.
  void add(std::uint32_t row) {
    const std::atomic_ref word(words_[row / kBits]);
    if ((word.load(std::memory_order_relaxed) & bit(row)) == 0)
      word.fetch_or(bit(row), std::memory_order_relaxed);
  }
  /// Appends the members, ascending; what was added after it has no place.
  void list(std::vector<std::uint32_t>& out) {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      before_[w + 1] = before_[w] + static_cast<std::uint32_t>(std::popcount(words_[w]));
      for (std::uint64_t left = words_[w]; left != 0; left &= left - 1)
        out.push_back(
            static_cast<std::uint32_t>(w * kBits + static_cast<unsigned>(std::countr_zero(left))));
    }
  }
  std::uint32_t place(std::uint32_t row) const {
    const std::uint64_t below = words_[row / kBits] & (bit(row) - 1);
    return before_[row / kBits] + static_cast<std::uint32_t>(std::popcount(below));
  }

 private:
  static constexpr std::uint32_t kBits = 64;
  static std::uint64_t bit(std::uint32_t row) { return std::uint64_t{1} << row % kBits; }

  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> before_;  // members in the words before
};

class Keeper {
 public:
  Keeper(const GraphOptions& options, std::uint64_t rows, Members& members, LinkedRows& linked)
      : options_(options),
        members_(members),
        linked_(linked),
        words_(members.cores == 0 ? 0 : members.links.size() / members.cores),
        here_(members.cores),
        others_(rows),
        l2_(math::l2_kernel(members.vectors.dtype)) {}

  /// Looks every target up: those in the partition become members and stand first in their row.
  /// Rows of other partitions are appended to those of the members.
  void resolve(const Workers& workers) {
    const MemberTable table(members_);
    workers.each(members_.cores, kRowsPerTask,
                 [&](std::size_t begin, std::size_t end, std::uint32_t) {
                   std::vector<std::uint32_t> there;
                   for (std::size_t core = begin; core < end; ++core) resolve(core, table, there);
                 });
    members_.rows.resize(members_.cores);
    others_.list(members_.rows);
  }

  struct Scratch {
    std::vector<Candidate> here, there, row;
    PruneScratch prune;
  };

  void keep(std::uint32_t core, Scratch& scratch) const {
    measure(core, scratch);
    const auto degree = std::size_t{options_.degree};
    // Edges out of the partition hold the graph together: where there are too many, those that
    // stand first have as large a share of the places as they are of all.
    const std::size_t there = scratch.there.size(), all_edges = scratch.here.size() + there;
    if (all_edges > degree) scratch.there.resize((there * degree + all_edges - 1) / all_edges);
    if (const std::size_t room = degree - scratch.there.size(); scratch.here.size() > room) {
      scratch.row.resize(room);
      const Kept kept =
          robust_prune(members_.core_vectors(), scratch.here, static_cast<std::uint32_t>(room),
                       options_.alpha, scratch.row.data(), scratch.prune);
      scratch.row.resize(kept.all);
      scratch.here.swap(scratch.row);
    }
    interleave(scratch);
    const auto all = static_cast<std::uint16_t>(scratch.row.size());
    linked_.kept[core] = {all, all, all};
    linked_.rows.replace(core, scratch.row);
  }

 private:
  std::span<std::uint32_t> targets(std::size_t core) const {
    const auto words = std::span(members_.links).subspan(core * words_ + 1, words_ - 1);
    return words.first(
        static_cast<std::size_t>(std::find(words.begin(), words.end(), kNoRow) - words.begin()));
  }

  void resolve(std::size_t core, const MemberTable& table, std::vector<std::uint32_t>& there) {
    there.clear();
    const auto all = targets(core);
    std::size_t here = 0;
    for (const std::uint32_t row : all) {
      const std::uint32_t member = table.find(row);
      if (member != kNoRow) {
        all[here++] = member;
      } else {
        others_.add(row);
        there.push_back(row);
      }
    }
    std::copy(there.begin(), there.end(), all.begin() + static_cast<std::ptrdiff_t>(here));
    here_[core] = static_cast<std::uint16_t>(here);
  }

  const std::byte* vector(std::uint32_t member) const {
    return members_.bytes.data() + member * members_.vectors.row_bytes();
  }

  void measure(std::uint32_t core, Scratch& scratch) const {
    scratch.here.clear();
    scratch.there.clear();
    const auto all = targets(core);
    const auto here = all.first(here_[core]);
    for (std::size_t e = 0; e < here.size(); ++e) {
      if (e + kAhead < here.size()) prefetch(here[e + kAhead]);
      if (here[e] != core)
        scratch.here.push_back({l2_(vector(core), vector(here[e]), members_.vectors.dim), here[e]});
    }
    std::sort(scratch.here.begin(), scratch.here.end());
    const auto same = [](const Candidate& a, const Candidate& b) { return a.id == b.id; };
    scratch.here.erase(std::unique(scratch.here.begin(), scratch.here.end(), same),
                       scratch.here.end());
    for (const std::uint32_t row : all.subspan(here.size())) {
      const std::uint32_t id = members_.cores + others_.place(row);
      const auto is_it = [&](const Candidate& other) { return other.id == id; };
      if (std::none_of(scratch.there.begin(), scratch.there.end(), is_it))
        scratch.there.push_back({std::numeric_limits<float>::max(), id});
    }
  }

  /// Members lie all over a partition of tens of megabytes.
  void prefetch(std::uint32_t member) const {
    constexpr std::size_t kLine = 64, kLinesMax = 8;
    const std::size_t lines = std::min(kLinesMax, members_.vectors.row_bytes() / kLine + 1);
    for (std::size_t line = 0; line < lines; ++line)
      __builtin_prefetch(vector(member) + line * kLine);
  }

  static void interleave(Scratch& scratch) {
    const std::size_t here = scratch.here.size(), there = scratch.there.size();
    scratch.row.clear();
    for (std::size_t h = 0, t = 0; h + t < here + there;) {
      // The next is from where less has been taken of what there is.
      const bool take_here = h < here && (t == there || h * (there + 1) <= t * (here + 1) + here);
      scratch.row.push_back(take_here ? scratch.here[h++] : scratch.there[t++]);
    }
  }

  const GraphOptions& options_;
  Members& members_;
  LinkedRows& linked_;
  std::size_t words_;
  std::vector<std::uint16_t> here_;  // by core: targets in the partition
  RowSet others_;
  math::PairKernel l2_;
};

}  // namespace

std::uint64_t kept_row_bytes(std::uint32_t degree) {
  return degree * CandidateRows::kSlotBytes + sizeof(Kept) + CandidateRows::kRowBytes +
         sizeof(std::uint16_t);
}

std::uint64_t kept_set_bytes(std::uint64_t rows) { return rows / 8 + rows / 16; }

bool keep_rows(const GraphOptions& options, const Workers& workers, std::uint64_t rows,
               const Tick& tick, Members& members, LinkedRows& linked) {
  Keeper keeper(options, rows, members, linked);
  keeper.resolve(workers);
  std::vector<Keeper::Scratch> scratch(workers.threads());
  workers.each(members.cores, kRowsPerTask,
               [&](std::size_t begin, std::size_t end, std::uint32_t w) {
                 for (std::size_t i = begin; i < end; ++i)
                   keeper.keep(static_cast<std::uint32_t>(i), scratch[w]);
               });
  return !tick || tick("prune", members.cores, members.cores);
}

std::vector<std::uint32_t> kept_starts(const Members& members, std::uint64_t wanted,
                                       std::uint64_t seed) {
  const std::size_t words = members.cores == 0 ? 0 : members.links.size() / members.cores;
  std::vector<std::uint32_t> named, others, out;
  for (std::uint32_t i = 0; i < members.cores; ++i)
    (members.links[i * words] != 0 ? named : others).push_back(i);
  const auto draw = [&](const std::vector<std::uint32_t>& from) {
    for (const std::uint32_t i : draw_sample(from.size(), wanted - out.size(), seed))
      out.push_back(from[i]);
  };
  draw(named);
  draw(others);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace cairn::build

#include "engine/build/keep_rows.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <mutex>
#include <span>

#include "engine/build/prune.h"
#include "engine/build/space.h"
#include "engine/math/distance.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRowsPerTask = 1024;

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

class Keeper {
 public:
  Keeper(const GraphOptions& options, Members& members, LinkedRows& linked)
      : options_(options),
        members_(members),
        linked_(linked),
        words_(members.cores == 0 ? 0 : members.links.size() / members.cores),
        table_(members),
        l2_(math::l2_kernel(members.vectors.dtype)) {}

  /// Rows of other partitions that edges lead to: behind those of the members.
  void find_others(const Workers& workers) {
    std::mutex mutex;
    std::vector<std::uint32_t> others;
    workers.each(members_.cores, kRowsPerTask,
                 [&](std::size_t begin, std::size_t end, std::uint32_t) {
                   std::vector<std::uint32_t> found;
                   for (std::size_t i = begin; i < end; ++i)
                     for (const std::uint32_t row : targets(i))
                       if (table_.find(row) == kNoRow) found.push_back(row);
                   std::sort(found.begin(), found.end());
                   found.erase(std::unique(found.begin(), found.end()), found.end());
                   const std::lock_guard lock(mutex);
                   others.insert(others.end(), found.begin(), found.end());
                 });
    std::sort(others.begin(), others.end());
    others.erase(std::unique(others.begin(), others.end()), others.end());
    members_.rows.resize(members_.cores);
    members_.rows.insert(members_.rows.end(), others.begin(), others.end());
  }

  struct Scratch {
    std::vector<Candidate> here, there, row;
    PruneScratch prune;
  };

  void keep(std::uint32_t core, Scratch& scratch) const {
    look_up(core, scratch);
    const auto degree = std::size_t{options_.degree};
    // Edges out of the partition hold the graph together: at most half of the places are theirs,
    // or what is left over.
    const std::size_t left = degree - std::min(degree, scratch.here.size());
    scratch.there.resize(std::min(scratch.there.size(), std::max(degree / 2, left)));
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
  std::span<const std::uint32_t> targets(std::size_t core) const {
    const auto words = std::span(members_.links).subspan(core * words_ + 1, words_ - 1);
    return words.first(
        static_cast<std::size_t>(std::find(words.begin(), words.end(), kNoRow) - words.begin()));
  }

  const std::byte* vector(std::uint32_t member) const {
    return members_.bytes.data() + member * members_.vectors.row_bytes();
  }

  void look_up(std::uint32_t core, Scratch& scratch) const {
    scratch.here.clear();
    scratch.there.clear();
    for (const std::uint32_t row : targets(core)) {
      const std::uint32_t member = table_.find(row);
      if (member == core) continue;
      if (member != kNoRow) {
        scratch.here.push_back({l2_(vector(core), vector(member), members_.vectors.dim), member});
        continue;
      }
      const auto others = members_.rows.begin() + members_.cores;
      const auto at = std::lower_bound(others, members_.rows.end(), row) - members_.rows.begin();
      scratch.there.push_back({std::numeric_limits<float>::max(), static_cast<std::uint32_t>(at)});
    }
    for (std::vector<Candidate>* edges : {&scratch.here, &scratch.there}) {
      std::sort(edges->begin(), edges->end());
      const auto same = [](const Candidate& a, const Candidate& b) { return a.id == b.id; };
      edges->erase(std::unique(edges->begin(), edges->end(), same), edges->end());
    }
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
  MemberTable table_;
  math::PairKernel l2_;
};

}  // namespace

std::uint64_t kept_row_bytes(std::uint32_t degree) {
  return degree * CandidateRows::kSlotBytes + sizeof(Kept) + CandidateRows::kRowBytes;
}

bool keep_rows(const GraphOptions& options, const Workers& workers, const Tick& tick,
               Members& members, LinkedRows& linked) {
  Keeper keeper(options, members, linked);
  keeper.find_others(workers);
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

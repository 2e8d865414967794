#include "engine/build/members.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "engine/build/budget.h"

namespace cairn::build {
namespace {

constexpr std::size_t kTableMin = 1024;
constexpr std::uint32_t kFree = 0xffff'ffffu;
// Of a duplicate: its pair in a list that grows by doubling; row and mark when slots are written.
constexpr std::uint64_t kDuplicateBytes = 3 * sizeof(Duplicate) + 5;

/// Distinct vectors by hash, open addressing.
class DistinctTable {
 public:
  explicit DistinctTable(std::size_t row_bytes)
      : row_bytes_(row_bytes), places_(kTableMin, kFree) {}

  /// The member equal to `row` among those of `bytes` from `first` on, or kFree after noting that
  /// the next member will be it.
  std::uint32_t find_or_add(const GrowingBytes& bytes, const std::byte* row, std::uint32_t first) {
    const std::uint64_t hash = XXH3_64bits(row, row_bytes_);
    if (hashes_.size() * 4 >= places_.size() * 3) grow();
    std::size_t at = hash & (places_.size() - 1);
    for (; places_[at] != kFree; at = (at + 1) & (places_.size() - 1)) {
      const std::uint32_t i = places_[at];
      if (hashes_[i] == hash &&
          std::memcmp(bytes.data() + (std::size_t{first} + i) * row_bytes_, row, row_bytes_) == 0)
        return first + i;
    }
    places_[at] = static_cast<std::uint32_t>(hashes_.size());
    hashes_.push_back(hash);
    return kFree;
  }

 private:
  void grow() {
    std::vector<std::uint32_t> places(places_.size() * 2, kFree);
    for (std::uint32_t i = 0; i < hashes_.size(); ++i) {
      std::size_t at = hashes_[i] & (places.size() - 1);
      while (places[at] != kFree) at = (at + 1) & (places.size() - 1);
      places[at] = i;
    }
    places_ = std::move(places);
  }

  std::size_t row_bytes_;
  std::vector<std::uint32_t> places_;
  std::vector<std::uint64_t> hashes_;
};

class Loader {
 public:
  Loader(const Job& job, const Scattered& scattered, std::uint32_t cell)
      : space_(job.space),
        scattered_(scattered),
        cell_(cell),
        link_words_(scattered.shape().link_words()),
        duplicates_a_member_(member_bytes(job.space, job.options.degree, job.kept_edges) /
                             kDuplicateBytes) {}

  Result<Members> cores() {
    link_words_ = 0;  // of vectors alone
    CAIRN_TRY(load(Copy::core));
    members_.cores = static_cast<std::uint32_t>(members_.rows.size());
    return finish();
  }

  Result<Members> all(std::uint64_t members_max) {
    limit_ = members_max + members_max / 4;
    CAIRN_TRY(load(Copy::core));
    members_.cores = static_cast<std::uint32_t>(members_.rows.size());
    if (weight() >= limit_)
      return fail({.code = ErrorCode::over_limit,
                   .what = "link a partition of vectors too near to each other to be cut",
                   .found = std::to_string(members_.cores) + " and " +
                            std::to_string(members_.duplicates.size()) + " copies, or more",
                   .expected = "at most " + std::to_string(limit_) + ", or " +
                               std::to_string(limit_ * duplicates_a_member_) +
                               " copies: a larger memory budget, or more partitions"});
    limit_ = members_max;
    CAIRN_TRY(load(Copy::second));
    return finish();
  }

 private:
  Status load(Copy copy) {
    DistinctTable table(space_.row_bytes());
    const auto first = static_cast<std::uint32_t>(members_.rows.size());
    const std::size_t record = scattered_.shape().bytes(copy);
    return scattered_.read(copy, cell_, [&](std::span<const std::byte> records) {
      map(copy, records);
      for (std::size_t i = 0; i * record < records.size(); ++i)
        add(copy, records.data() + i * record, mapped_.data() + i * space_.row_bytes(), first,
            table);
    });
  }

  Result<Members> finish() {
    members_.vectors = {members_.bytes.data(), members_.rows.size(), space_.row_dim(),
                        space_.row_dtype()};
    std::sort(members_.duplicates.begin(), members_.duplicates.end());
    return std::move(members_);
  }

  void map(Copy copy, std::span<const std::byte> records) {
    const std::size_t record = scattered_.shape().bytes(copy), raw = space_.raw_row_bytes();
    const std::size_t count = records.size() / record;
    raw_.resize(count * raw);
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(raw_.data() + i * raw,
                  scattered_.shape().vector(copy, records.data() + i * record), raw);
    mapped_.resize(count * space_.row_bytes());
    space_.map({raw_.data(), count, space_.dim, space_.dtype}, mapped_.data());
  }

  /// Of what is loaded, in the memory of members.
  std::uint64_t weight() const {
    return members_.rows.size() + members_.duplicates.size() / duplicates_a_member_;
  }

  void add(Copy copy, const std::byte* record, const std::byte* vector, std::uint32_t first,
           DistinctTable& table) {
    if (weight() >= limit_) return;
    const std::uint32_t row = RecordShape::row(record);
    const std::uint32_t same = table.find_or_add(members_.bytes, vector, first);
    if (same == kFree) {
      members_.bytes.append({vector, space_.row_bytes()});
      members_.rows.push_back(row);
      members_.other.push_back(RecordShape::other(record));
      if (copy == Copy::core) add_links(record);
    } else if (copy == Copy::core) {
      members_.duplicates.push_back({same, row});
      if (link_words_ != 0) join_links(record, same);
    }
  }

  void add_links(const std::byte* record) {
    const std::size_t at = members_.links.size();
    members_.links.resize(at + link_words_);
    if (link_words_ != 0)
      std::memcpy(members_.links.data() + at, scattered_.shape().links(record), link_words_ * 4);
  }

  /// A duplicate is found through the first of its value, which leads on for both.
  void join_links(const std::byte* record, std::uint32_t same) {
    const auto into = std::span(members_.links).subspan(same * link_words_, link_words_);
    std::vector<std::uint32_t> from(link_words_);
    std::memcpy(from.data(), scattered_.shape().links(record), link_words_ * 4);
    into[0] |= from[0];
    auto free = std::find(into.begin() + 1, into.end(), kNoRow);
    for (std::size_t e = 1; e < from.size() && from[e] != kNoRow && free != into.end(); ++e)
      if (std::find(into.begin() + 1, free, from[e]) == free) *free++ = from[e];
  }

  const Space& space_;
  const Scattered& scattered_;
  std::uint32_t cell_;
  std::size_t link_words_;
  std::uint64_t duplicates_a_member_;
  std::uint64_t limit_ = std::numeric_limits<std::uint64_t>::max();
  Members members_;
  std::vector<std::byte> raw_, mapped_;
};

}  // namespace

Result<Members> load_members(const Job& job, const Scattered& scattered, std::uint32_t cell,
                             std::uint64_t members_max) {
  return Loader(job, scattered, cell).all(members_max);
}

Result<Members> load_cores(const Job& job, const Scattered& scattered, std::uint32_t cell) {
  return Loader(job, scattered, cell).cores();
}

}  // namespace cairn::build

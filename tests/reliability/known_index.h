// An index that is built once, and all that is known of its answers.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/math/kmeans.h"
#include "layout/calibration.h"
#include "tests/reliability/sim_index.h"

namespace cairn::reliability {

inline constexpr std::uint32_t kKnownK = 20;
inline constexpr std::uint32_t kKnownLists[] = {20, 60};

/// What is held in RAM.
enum class Held : std::uint8_t { whole, lean, some };

inline constexpr Wish kKnownWishes[] = {{1, 0.8}, {10, 0.9}, {100, 0.95}};

/// A search, and what is known of its answer.
struct Question {
  SearchRequest request;
  std::size_t query = 0;
  std::size_t list = 0;  // of kKnownLists
  bool certain = false;  // the answer is learned, if the search comes to its end
  bool may_cancel = false;

  /// Which blocks are read, and so what is found, depends on the order of arrival only where blocks
  /// lead or results end the search.
  bool is_certain(const SearchResult& result) const {
    return certain && result.stop != Stop::reads_max && result.stop != Stop::deadline;
  }
  std::string words() const;
};

class KnownIndex {
 public:
  KnownIndex(std::string name, const SimIndexSpec& spec);

  const std::string& name() const { return name_; }
  const SimIndex& index() const { return *index_; }
  const Oracle& oracle() const { return index_->oracle(); }
  std::uint64_t lean_bytes() const { return lean_bytes_; }
  std::uint64_t whole_bytes() const { return whole_bytes_; }
  bool calibrated() const { return !calibrations_.empty(); }
  /// Two that differ, of an index that is calibrated; the first is the one it was built with.
  const layout::Calibration& calibration(std::size_t which) const { return calibrations_[which]; }

  /// kKnownK neighbours, by query and list, of the index held whole.
  const std::vector<Neighbor>& learned(std::size_t query, std::size_t list) const {
    return learned_[query * std::size(kKnownLists) + list];
  }
  /// One of its queries and lists, without limits.
  Question plain(std::size_t query, std::size_t list, Held held) const;
  /// Any query, with any of the limits of a request but a deadline; `calibrated`: by recall too.
  Question draw(Held held, bool calibrated, math::Rng& rng) const;
  /// Why `result` cannot be the answer; empty when it can.
  std::string wrong(const Question& question, const SearchResult& result) const;

  /// Which of the two calibrations gives these efforts; whole and lean only.
  std::optional<std::size_t> which(const Index& index, Held held) const;

 private:
  using Efforts = std::vector<SearchEffort>;  // by wish
  static std::optional<Efforts> efforts_of(const Index& index);

  std::string name_;
  std::unique_ptr<SimIndex> index_;
  std::uint64_t lean_bytes_ = 0, whole_bytes_ = 0;
  std::vector<std::vector<Neighbor>> learned_;
  std::vector<layout::Calibration> calibrations_;
  std::vector<Efforts> efforts_[2];  // by Held and calibration
};

}  // namespace cairn::reliability

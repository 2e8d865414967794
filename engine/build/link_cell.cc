#include "engine/build/link_cell.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "engine/build/keep_rows.h"
#include "engine/build/members.h"
#include "engine/build/pack.h"

namespace cairn::build {
namespace {

constexpr std::size_t kListsPerTask = 1024;
constexpr std::size_t kListsAtOnce = 16 * kListsPerTask;
constexpr std::uint64_t kEntryOneOf = 32;
constexpr std::uint64_t kEntriesMin = 64;
// What joining adds to a list of a vector with a second copy, when the room in blocks is guessed.
constexpr std::uint32_t kOffersTaken = 8;

class CellLinker {
 public:
  CellLinker(const Job& job, const Scattered& scattered, const LinkTask& task, const Tick& tick)
      : job_(job),
        scattered_(scattered),
        task_(task),
        cell_(task.cell),
        tick_(tick),
        options_(job.graph_options(task.cell)),
        temp_(job.temp) {}

  Status run() {
    CAIRN_ASSIGN(members_, load_members(job_, scattered_, cell_, task_.members_max));
    facts_.cores = members_.cores;
    facts_.duplicates = members_.duplicates.size();
    if (!(job_.kept_edges == 0 ? link() : keep())) return Job::cancelled();
    facts_.seconds = members_.rows.size() - members_.cores;
    place();
    CAIRN_TRY(write_slots());
    CAIRN_TRY(write_lists());
    CAIRN_TRY(write_inbox());
    CAIRN_TRY(write_entries());
    return job_.journal.append(Unit::link, cell_, facts_.words());
  }

 private:
  // ---- edges; false when cancelled

  bool link() {
    linked_.emplace(members_.rows.size(), options_);
    const PruneTask task{.cores = members_.cores, .other = members_.other};
    return link_leaves(members_.vectors, options_, job_.link_workers, tick_, *linked_) &&
           prune_rows(members_.vectors, task, options_, job_.link_workers, tick_, *linked_);
  }

  bool keep() {
    linked_.emplace(members_.cores, options_.degree);
    return keep_rows(options_, job_.workers, job_.count, tick_, members_, *linked_);
  }

  // ---- order

  /// What a list takes encoded is known only in an order, and the order wants to know how many
  /// slots a block has: guess, order, measure, and order again if the guess was wrong.
  void place() {
    if (cell_ != task_.shaper) {
      const auto first = LinkedCell::from(*job_.journal.find(Unit::link, task_.shaper));
      set_shape({.block_bytes = static_cast<std::uint32_t>(first.block_bytes),
                 .slots = static_cast<std::uint32_t>(first.slots_per_block)});
      return order();
    }
    double edges = 0;
    for (std::uint32_t i = 0; i < members_.cores; ++i) edges += linked_->kept[i].all;
    set_shape(shape(2 + 2 * edges / std::max(1U, members_.cores)));
    order();
    const layout::BlockShape measured = shape(mean_list_bytes());
    if (measured.slots != facts_.slots_per_block || measured.block_bytes != facts_.block_bytes) {
      set_shape(measured);
      order();
    }
  }
  layout::BlockShape shape(double adjacency_bytes) const {
    return choose_shape(static_cast<std::uint32_t>(job_.space.raw_row_bytes()),
                        job_.space.metric == Metric::cosine, adjacency_bytes);
  }
  void set_shape(const layout::BlockShape& shape) {
    facts_.block_bytes = shape.block_bytes;
    facts_.slots_per_block = shape.slots;
  }

  void order() {
    order_ =
        locality_order(members_.core_vectors(), linked_->rows,
                       static_cast<std::uint32_t>(facts_.slots_per_block), options_, job_.workers);
    rank_.resize(order_.size());
    slot_.resize(order_.size());
    std::vector<std::uint32_t> copies(order_.size());
    for (const Duplicate& duplicate : members_.duplicates) ++copies[duplicate.of];
    std::uint32_t slot = 0;
    for (std::uint32_t rank = 0; rank < order_.size(); ++rank) {
      rank_[order_[rank]] = rank;
      slot_[rank] = slot;
      slot += 1 + copies[order_[rank]];
    }
  }

  /// Second copies stand anywhere else, and so do the edges that joining will bring.
  double mean_list_bytes() const {
    const std::uint64_t elsewhere = std::max<std::uint64_t>(1, job_.count - facts_.slots());
    const auto far = [&](std::uint64_t number) {
      return static_cast<std::uint32_t>(facts_.slots() + mix_seed(number, 1) % elsewhere);
    };
    return mean_adjacency_bytes(
        order_.size(), job_.seed(Stream::adjacency),
        [&](std::uint32_t rank, std::vector<std::uint32_t>& list) {
          const std::uint32_t core = order_[rank];
          for (const std::uint32_t to : linked_->rows.ids(core))
            list.push_back(to < members_.cores ? slot_[rank_[to]] : far(to));
          if (members_.other[core] != kNoCell) {
            list.resize(std::min<std::size_t>(
                list.size(), options_.degree - std::min(options_.degree, kOffersTaken)));
            for (std::uint32_t i = 0; i < kOffersTaken; ++i)
              list.push_back(far(std::uint64_t{core} * kOffersTaken + i + members_.rows.size()));
          }
          // Of few vectors some that were drawn are the same.
          std::sort(list.begin(), list.end());
          list.erase(std::unique(list.begin(), list.end()), list.end());
          return slot_[rank];
        });
  }

  // ---- files

  Status write_slots() {
    std::vector<std::uint32_t> rows;
    std::vector<std::uint8_t> duplicate;
    rows.reserve(facts_.slots());
    duplicate.reserve(facts_.slots());
    for (const std::uint32_t core : order_) {
      rows.push_back(members_.rows[core]);
      duplicate.push_back(0);
      for (auto d = std::lower_bound(members_.duplicates.begin(), members_.duplicates.end(),
                                     Duplicate{core, 0});
           d != members_.duplicates.end() && d->of == core; ++d) {
        rows.push_back(d->row);
        duplicate.push_back(1);
      }
    }
    CAIRN_ASSIGN(auto writer, temp_.create(TempFiles::name("slots", cell_)));
    CAIRN_TRY(writer.append_stream(std::as_bytes(std::span(rows))));
    CAIRN_TRY(writer.append_stream(std::as_bytes(std::span(duplicate))));
    CAIRN_TRY(
        writer.append_stream(std::as_bytes(std::span(members_.rows).subspan(members_.cores))));
    CAIRN_TRY(writer.finish());
    return {};
  }

  /// Edges of a member with the targets that `name` gives.
  template <class Name>
  void ranked(std::uint32_t member, const Name& name, std::vector<RankedEdge>& edges) const {
    edges.clear();
    const Kept& kept = linked_->kept[member];
    const auto ids = linked_->rows.ids(member);
    const auto distances = linked_->rows.distances(member);
    for (std::size_t e = 0; e < ids.size(); ++e)
      edges.push_back({name(ids[e]), distance_code(distances[e]),
                       static_cast<std::uint8_t>(e < kept.close  ? 0
                                                 : e < kept.kept ? 1
                                                                 : 2)});
  }

  Status write_lists() {
    CAIRN_ASSIGN(auto writer, temp_.create(TempFiles::name("lists", cell_)));
    const auto place_of = [&](std::uint32_t id) { return id < members_.cores ? rank_[id] : id; };
    for (std::size_t first = 0; first < order_.size(); first += kListsAtOnce) {
      const std::size_t count = std::min(kListsAtOnce, order_.size() - first);
      std::vector<std::vector<std::byte>> parts((count + kListsPerTask - 1) / kListsPerTask);
      job_.workers.each(
          count, kListsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
            std::vector<RankedEdge> edges;
            for (std::size_t i = first + begin; i < first + end; ++i) {
              ranked(order_[i], place_of, edges);
              append_list(static_cast<std::uint32_t>(i), edges, parts[begin / kListsPerTask]);
            }
          });
      for (const auto& part : parts) CAIRN_TRY(writer.append_stream(part));
    }
    CAIRN_ASSIGN(const auto summary, writer.finish());
    facts_.list_bytes = summary.stream_bytes;
    return {};
  }

  Status write_inbox() {
    // Kept edges lead elsewhere themselves, and nothing is offered.
    std::vector<std::uint32_t> seconds(job_.kept_edges == 0 ? facts_.seconds : 0);
    std::iota(seconds.begin(), seconds.end(), members_.cores);
    std::stable_sort(seconds.begin(), seconds.end(), [&](std::uint32_t a, std::uint32_t b) {
      return members_.other[a] < members_.other[b];
    });
    CAIRN_ASSIGN(auto writer, temp_.create(TempFiles::name("inbox", cell_)));
    const auto slot_of = [&](std::uint32_t id) { return slot_[rank_[id]]; };
    std::vector<RankedEdge> edges;
    std::vector<std::byte> part;
    for (std::size_t begin = 0, end; begin < seconds.size(); begin = end) {
      const std::uint32_t owner = members_.other[seconds[begin]];
      part.clear();
      for (end = begin; end < seconds.size() && members_.other[seconds[end]] == owner; ++end) {
        ranked(seconds[end], slot_of, edges);
        if (!edges.empty()) append_offer(members_.rows[seconds[end]], edges, part);
      }
      facts_.inbox.push_back({owner, facts_.inbox_bytes, part.size()});
      facts_.inbox_bytes += part.size();
      CAIRN_TRY(writer.append_stream(part));
    }
    CAIRN_TRY(writer.finish());
    return {};
  }

  /// A sample from which searches will begin: of every cell some.
  Status write_entries() {
    const std::uint64_t all = std::max(std::min(job_.count, kEntriesMin), job_.count / kEntryOneOf);
    const std::uint64_t wanted = (facts_.cores * all + job_.count - 1) / job_.count;
    const std::uint64_t seed = job_.seed(Stream::entries, cell_);
    const auto cores = job_.kept_edges == 0 ? draw_sample(facts_.cores, wanted, seed)
                                            : kept_starts(members_, wanted, seed);
    facts_.entries = cores.size();
    std::vector<std::uint32_t> slots;
    for (const std::uint32_t core : cores) slots.push_back(slot_[rank_[core]]);
    CAIRN_ASSIGN(auto writer, temp_.create(TempFiles::name("entries", cell_)));
    CAIRN_TRY(writer.append_stream(std::as_bytes(std::span(slots))));
    const std::size_t row_bytes = job_.space.row_bytes();
    for (const std::uint32_t core : cores)
      CAIRN_TRY(writer.append_stream({members_.bytes.data() + core * row_bytes, row_bytes}));
    CAIRN_TRY(writer.finish());
    return {};
  }

  const Job& job_;
  const Scattered& scattered_;
  const LinkTask& task_;
  std::uint32_t cell_;
  const Tick& tick_;
  GraphOptions options_;
  const TempFiles& temp_;

  Members members_;
  std::optional<LinkedRows> linked_;
  std::vector<std::uint32_t> order_;  // rank -> core
  std::vector<std::uint32_t> rank_;   // core -> rank
  std::vector<std::uint32_t> slot_;   // rank -> slot in the cell
  LinkedCell facts_;
};

}  // namespace

Status link_cell(const Job& job, const Scattered& scattered, const LinkTask& task,
                 const Tick& tick) {
  return CellLinker(job, scattered, task, tick).run();
}

}  // namespace cairn::build

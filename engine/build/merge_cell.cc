#include "engine/build/merge_cell.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "engine/build/pack.h"

namespace cairn::build {
namespace {

constexpr std::size_t kSlotsPerTask = 256;
constexpr std::uint32_t kNoOffer = 0xffff'ffffu;

tl::unexpected<Error> malformed(const TempFiles& temp, const std::string& name) {
  return fail({.code = ErrorCode::corrupt,
               .what = "decode",
               .file = temp.path(name),
               .found = "what no build writes"});
}

/// One list on its way: edges by usefulness, targets in slots.
struct Pending {
  std::uint32_t begin = 0, end = 0;  // in the edges of the chunk
  std::uint32_t head = 0;            // slot in the cell of the representative
};

class CellMerger {
 public:
  CellMerger(const Job& job, const MergeInput& input, std::uint32_t cell)
      : job_(job), in_(input), cell_(cell), facts_(input.cells[cell]) {}

  Status run() {
    CAIRN_TRY(load());
    CAIRN_TRY(load_offers());
    CAIRN_ASSIGN(auto writer, job_.temp.create(GraphFiles::name(cell_)));
    for (std::uint64_t first = 0; first < in_.plan.places(cell_); first += in_.lists.chunk_slots) {
      const std::uint64_t count =
          std::min<std::uint64_t>(in_.lists.chunk_slots, in_.plan.places(cell_) - first);
      CAIRN_TRY(take_lists(first, std::min(first + count, facts_.slots())));
      Graph graph(count, job_.options.degree);
      graph.first_slot = in_.plan.begin(cell_) + first;
      fill(graph, first);
      merged_.dropped += fit_blocks(graph, in_.shape, job_.workers);
      merged_.edges += std::accumulate(graph.degree.begin(), graph.degree.end(), std::uint64_t{0});
      CAIRN_TRY(writer.append_stream(ListChunk::encode(in_.lists, graph, job_.workers)));
    }
    CAIRN_TRY(writer.finish());
    CAIRN_TRY(job_.journal.append(Unit::merge, cell_, {merged_.edges, merged_.dropped}));
    return job_.temp.remove(TempFiles::name("lists", cell_));
  }

 private:
  Status load() {
    const std::string name = TempFiles::name("slots", cell_);
    CAIRN_ASSIGN(auto file, job_.temp.open(name, facts_.slots_file_bytes()));
    CAIRN_ASSIGN(duplicate_, file.read_array<std::uint8_t>(facts_.slots() * 4, facts_.slots()));
    CAIRN_ASSIGN(seconds_, file.read_array<std::uint32_t>(facts_.slots() * 5, facts_.seconds));
    for (std::uint32_t& second : seconds_) second = in_.slot_of_row[second];
    heads_.reserve(facts_.cores);
    for (std::uint32_t slot = 0; slot < duplicate_.size(); ++slot)
      if (duplicate_[slot] == 0) heads_.push_back(slot);
    CAIRN_ASSIGN(auto lists, job_.temp.open(TempFiles::name("lists", cell_), facts_.list_bytes));
    CAIRN_ASSIGN(lists_, lists.read_array<std::byte>(0, facts_.list_bytes));
    at_ = lists_.data();
    return {};
  }

  /// Offers from every cell that holds second copies of this one's vectors.
  Status load_offers() {
    offer_of_.assign(facts_.slots(), kNoOffer);
    for (std::uint32_t from = 0; from < in_.cells.size(); ++from)
      for (const InboxPart& part : in_.cells[from].inbox)
        if (part.owner == cell_) CAIRN_TRY(load_part(from, part));
    return {};
  }

  Status load_part(std::uint32_t from, const InboxPart& part) {
    const std::string name = TempFiles::name("inbox", from);
    CAIRN_ASSIGN(auto file, job_.temp.open(name, in_.cells[from].inbox_bytes));
    CAIRN_ASSIGN(const auto bytes, file.read_array<std::byte>(part.at, part.bytes));
    const std::byte* at = bytes.data();
    Offer offer;
    while (at != bytes.data() + bytes.size()) {
      if (!take_offer(at, bytes.data() + bytes.size(), offer)) return malformed(job_.temp, name);
      const std::uint64_t slot = in_.slot_of_row[offer.row] - in_.plan.begin(cell_);
      offer_of_[slot] = static_cast<std::uint32_t>(offers_.size());
      offers_.push_back({static_cast<std::uint32_t>(offered_.size()),
                         static_cast<std::uint32_t>(offered_.size() + offer.edges.size()), 0});
      for (RankedEdge& edge : offer.edges) {
        edge.target += static_cast<std::uint32_t>(in_.plan.begin(from));
        offered_.push_back(edge);
      }
    }
    return {};
  }

  /// Decodes the lists of representatives that stand in slots [first, end) of the cell.
  Status take_lists(std::uint64_t first, std::uint64_t end) {
    // A chain may go on from the chunk before: its representative's list stays.
    if (!pending_.empty()) {
      const Pending last = pending_.back();
      edges_.erase(edges_.begin(), edges_.begin() + last.begin);
      edges_.resize(last.end - last.begin);
      pending_.assign(1, {0, last.end - last.begin, last.head});
    }
    pending_of_.clear();
    for (std::uint64_t slot = first; slot < end; ++slot) {
      if (duplicate_[slot] == 0) CAIRN_TRY(take_list_of(static_cast<std::uint32_t>(slot)));
      pending_of_.push_back(static_cast<std::uint32_t>(pending_.size()) - 1);
    }
    return {};
  }

  Status take_list_of(std::uint32_t slot) {
    if (!take_list(at_, lists_.data() + lists_.size(), place_++, facts_.cores + facts_.seconds,
                   list_))
      return malformed(job_.temp, TempFiles::name("lists", cell_));
    const auto begin = static_cast<std::uint32_t>(edges_.size());
    for (RankedEdge& edge : list_) {
      edge.target = edge.target < facts_.cores
                        ? static_cast<std::uint32_t>(in_.plan.begin(cell_)) + heads_[edge.target]
                        : seconds_[edge.target - facts_.cores];
      edges_.push_back(edge);
    }
    pending_.push_back({begin, static_cast<std::uint32_t>(edges_.size()), slot});
    return {};
  }

  void fill(Graph& graph, std::uint64_t first) const {
    job_.workers.each(pending_of_.size(), kSlotsPerTask,
                      [&](std::size_t begin, std::size_t end, std::uint32_t) {
                        std::vector<RankedEdge> edges;
                        for (std::size_t i = begin; i < end; ++i) {
                          const Pending& pending = pending_[pending_of_[i]];
                          join(pending, edges);
                          for (std::size_t e = 0; e < edges.size(); ++e)
                            graph.edges[i * graph.degree_max + e] = edges[e].target;
                          graph.degree[i] = static_cast<std::uint16_t>(edges.size());
                          pin_chain(graph, i, first + i, pending.head);
                        }
                      });
  }

  void join(const Pending& pending, std::vector<RankedEdge>& edges) const {
    edges.assign(edges_.begin() + pending.begin, edges_.begin() + pending.end);
    const std::uint32_t offer = offer_of_[pending.head];
    if (offer == kNoOffer) return;
    edges.insert(edges.end(), offered_.begin() + offers_[offer].begin,
                 offered_.begin() + offers_[offer].end);
    std::stable_sort(edges.begin(), edges.end(), [](const RankedEdge& a, const RankedEdge& b) {
      return a.rank != b.rank ? a.rank < b.rank : a.distance < b.distance;
    });
    std::size_t kept = 0;
    for (const RankedEdge& edge : edges) {
      const auto same = [&](const RankedEdge& other) { return other.target == edge.target; };
      if (std::none_of(edges.begin(), edges.begin() + static_cast<std::ptrdiff_t>(kept), same))
        edges[kept++] = edge;
    }
    edges.resize(std::min<std::size_t>(kept, job_.options.degree));
  }

  /// A chain stands in consecutive slots, the representative first.
  void pin_chain(Graph& graph, std::size_t i, std::uint64_t slot, std::uint32_t head) const {
    const auto begin = static_cast<std::uint32_t>(in_.plan.begin(cell_));
    if (slot + 1 < duplicate_.size() && duplicate_[slot + 1] != 0)
      graph.pin_edge(i, begin + static_cast<std::uint32_t>(slot) + 1);
    if (slot != head) graph.pin_edge(i, begin + head);
  }

  const Job& job_;
  const MergeInput& in_;
  std::uint32_t cell_;
  const LinkedCell& facts_;
  std::vector<std::uint8_t> duplicate_;  // by slot in the cell
  std::vector<std::uint32_t> seconds_;   // slots of second copies
  std::vector<std::uint32_t> heads_;     // slot in the cell of a distinct vector
  std::vector<std::byte> lists_;
  const std::byte* at_ = nullptr;
  std::uint32_t place_ = 0;
  std::vector<std::uint32_t> offer_of_;  // by slot in the cell
  std::vector<Pending> offers_;          // ranges of offered_
  std::vector<RankedEdge> offered_, edges_, list_;
  std::vector<Pending> pending_;           // ranges of edges_
  std::vector<std::uint32_t> pending_of_;  // by slot of the chunk
  MergedCell merged_;
};

}  // namespace

Result<std::vector<std::uint32_t>> load_slots(const Job& job, std::span<const LinkedCell> cells,
                                              const SlotPlan& plan) {
  std::vector<std::uint32_t> slot_of_row(job.count);
  for (std::uint32_t cell = 0; cell < cells.size(); ++cell) {
    CAIRN_ASSIGN(auto file,
                 job.temp.open(TempFiles::name("slots", cell), cells[cell].slots_file_bytes()));
    CAIRN_ASSIGN(const auto rows, file.read_array<std::uint32_t>(0, cells[cell].slots()));
    auto slot = static_cast<std::uint32_t>(plan.begin(cell));
    for (const std::uint32_t row : rows) slot_of_row[row] = slot++;
  }
  return slot_of_row;
}

Status merge_cell(const Job& job, const MergeInput& input, std::uint32_t cell) {
  return CellMerger(job, input, cell).run();
}

}  // namespace cairn::build

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/guarded.h"
#include "engine/search/code_rank.h"
#include "engine/search/examine_parts.h"
#include "engine/workers.h"

namespace cairn::search {
namespace {

/// A search whose blocks are read one after the other, in the order in which they are wanted.
class LoneSearch {
 public:
  explicit LoneSearch(const Snapshot& snapshot) : snapshot_(snapshot), query_(snapshot.limits()) {}

  /// The machine keeps what it held and read.
  Status run(const SearchRequest& request, std::optional<Ref> hidden, std::uint32_t width) {
    query_.start(request, snapshot_.segments(), hidden);
    std::deque<BlockWant> wanted;
    for (;;) {
      BlockWant block;
      while (wanted.size() < width && query_.wants({&block, 1}, width) == 1)
        wanted.push_back(block);
      if (wanted.empty()) return {};
      const BlockWant next = wanted.front();
      wanted.pop_front();
      CAIRN_ASSIGN(const io::AlignedBuffer page, read(next));
      const std::uint32_t block_bytes = snapshot_.segments()[next.segment].shape.block_bytes;
      Status absorbed = query_.absorb(next, page.bytes().first(block_bytes), io::BlockSource::disk);
      if (!absorbed)
        return fail(snapshot_.in_block(std::move(absorbed).error(), next.segment, next.first_slot));
    }
  }
  Query& query() { return query_; }

 private:
  Result<io::AlignedBuffer> read(const BlockWant& want) const {
    CAIRN_ASSIGN(OwnBlock block, snapshot_.read_block(want.segment, want.first_slot));
    return std::move(block.buffer);
  }

  const Snapshot& snapshot_;
  Query query_;
};

/// Why one search misses what it misses. The dearer experiments are made when first asked about.
class Examiner {
 public:
  Examiner(const Snapshot& snapshot, const AllSlots& occupied, const AllSlots& reached,
           const SearchPlan& plan)
      : reached_(reached),
        plan_(plan),
        rank_(snapshot, occupied),
        search_(snapshot),
        whole_(snapshot),
        usual_(snapshot) {}

  Status examine(const ExaminedSet& set, std::size_t at, Outcome& outcome) {
    query_ = &set.queries.traced[at];
    ranked_ = whole_ran_ = usual_ran_ = false;
    SearchRequest request = plan_.request;
    request.query = query_->vector;
    CAIRN_TRY(search_.run(request, query_->hidden, plan_.width));
    Query& query = search_.query();
    outcome.found = std::min(set.k, query.found_within(set.kth[at]));
    const SearchResult result = query.take();
    outcome.reads = result.counters.reads;
    outcome.codes = result.counters.code_distances;
    stopped_ = result.stop == Stop::bound || result.stop == Stop::reads_max;
    // Of several at the distance of the last one any will do.
    std::uint32_t left = set.k - outcome.found;
    for (const Ref& ref : std::span(set.truth).subspan(at * set.k, set.k)) {
      if (left == 0) break;
      if (query.read(ref)) continue;
      --left;
      CAIRN_ASSIGN(const MissReason reason, reason_for(ref));
      ++outcome.missed_for[static_cast<std::size_t>(reason)];
    }
    return {};
  }

 private:
  Result<MissReason> reason_for(Ref ref) {
    if (!reached_[ref.segment].test(ref.slot)) return MissReason::not_reachable;
    if (!std::exchange(ranked_, true))
      rank_.rank(query_->vector, query_->hidden, plan_.usual_list, search_.query().walks_edges());
    if (!rank_.holds(ref, search_.query().list_size()))
      return rank_.holds(ref, plan_.usual_list) ? MissReason::list_short : MissReason::misranked;
    if (stopped_) {
      if (search_.query().holds(ref)) return MissReason::not_read;
      if (!std::exchange(whole_ran_, true))
        CAIRN_TRY(run_whole(whole_, search_.query().list_size()));
      if (whole_.query().read(ref)) return MissReason::not_read;
    }
    if (!std::exchange(usual_ran_, true))
      CAIRN_TRY(run_whole(usual_, static_cast<std::uint32_t>(plan_.usual_list)));
    return usual_.query().read(ref) ? MissReason::list_short : MissReason::not_met;
  }

  /// A list of that size read to its end, on the same way through memory.
  Status run_whole(LoneSearch& search, std::uint32_t list_size) {
    SearchRequest request;
    request.query = query_->vector;
    request.k = plan_.request.k;
    request.list_size = list_size;
    request.edges = search_.query().walks_edges();
    return search.run(request, query_->hidden, plan_.width);
  }

  const AllSlots& reached_;
  const SearchPlan& plan_;
  CodeRank rank_;
  LoneSearch search_, whole_, usual_;
  const TracedQuery* query_ = nullptr;
  bool stopped_ = false;  // the search ended before its list
  bool ranked_ = false, whole_ran_ = false, usual_ran_ = false;
};

}  // namespace

Status examine_searches(const Snapshot& snapshot, const AllSlots& occupied, const AllSlots& reached,
                        const SearchPlan& plan, const ExaminedSet& set, std::uint32_t threads,
                        const Tell& tell, std::span<Outcome> outcomes) {
  constexpr std::size_t kQueriesATask = 8;
  std::mutex mutex;
  Status worst;
  std::atomic<bool> failed{false};
  std::atomic<std::size_t> done{0};
  std::vector<std::optional<Examiner>> examiners(threads);
  build::Workers(threads).each(outcomes.size(), kQueriesATask,
                               [&](std::size_t begin, std::size_t end, std::uint32_t worker) {
                                 if (failed) return;
                                 Status status = guarded("examine searches", [&]() -> Status {
                                   auto& examiner = examiners[worker];
                                   if (!examiner)
                                     examiner.emplace(snapshot, occupied, reached, plan);
                                   for (std::size_t i = begin; i < end; ++i)
                                     CAIRN_TRY(examiner->examine(set, i, outcomes[i]));
                                   const std::size_t so_far = done += end - begin;
                                   return worker == 0 ? tell("searches", so_far, outcomes.size())
                                                      : Status{};
                                 });
                                 if (status) return;
                                 const std::lock_guard lock(mutex);
                                 if (!failed.exchange(true)) worst = std::move(status);
                               });
  return worst;
}

}  // namespace cairn::search

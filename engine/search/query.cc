#include "engine/search/query.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engine/math/row_check.h"
#include "engine/search/query_state.h"

namespace cairn::search {
namespace {

constexpr std::uint32_t kDefaultListSize = 40;
constexpr std::size_t kReadUnitBytes = 4096;
// What a block that gave no result takes from the slack. Chosen on SIFT and GloVe: see DESIGN.md.
constexpr float kPatience = 1.0f / 256;

std::uint64_t list_size_of(const SearchRequest& request, const Effort& effort) {
  const std::uint64_t k = request.k;
  const std::uint32_t given = request.recall ? effort.list_size : request.list_size;
  const std::uint64_t wanted =
      given != 0 ? given : std::max<std::uint64_t>(2 * k, kDefaultListSize);
  return std::max(wanted, k);
}

tl::unexpected<Error> bad_request(std::string what, std::string found, std::string expected) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = "search: " + std::move(what),
               .found = std::move(found),
               .expected = std::move(expected)});
}

}  // namespace

Status check_recall(std::uint32_t k, double recall, const QueryLimits& limits) {
  if (k == 0) return bad_request("k", "0", "1 or more");
  if (!(recall > 0 && recall <= 1))
    return bad_request("recall", std::to_string(recall), "above 0 and at most 1");
  if (limits.efforts != nullptr && !limits.efforts->empty()) return {};
  return fail({.code = ErrorCode::unsupported,
               .what = "search: recall",
               .found = "no calibration for what is in memory",
               .expected = "an index that was calibrated, or a list size"});
}

Status check_request(const SearchRequest& request, const QueryLimits& limits) {
  const VectorView& query = request.query;
  if (request.k == 0) return bad_request("k", "0", "1 or more");
  if (query.data == nullptr) return bad_request("query", "no vector", "a vector");
  if (query.dim != limits.dim)
    return bad_request("dimension of the query", std::to_string(query.dim),
                       std::to_string(limits.dim));
  if (query.dtype != limits.dtype)
    return bad_request("element type of the query", std::string(dtype_name(query.dtype)),
                       std::string(dtype_name(limits.dtype)));
  if (request.slack && !std::isfinite(*request.slack))
    return bad_request("slack", std::to_string(*request.slack), "a finite number");
  if (request.recall) {
    CAIRN_TRY(check_recall(request.k, *request.recall, limits));
    if (request.list_size != 0 || request.slack)
      return bad_request("recall", "a list size or slack as well", "one or the other");
  }
  return math::check_row(limits.metric, query, "search: query");
}

Query::Query(const QueryLimits& limits) : state_(std::make_unique<State>(limits)) {}
Query::~Query() = default;
Query::Query(Query&&) noexcept = default;
Query& Query::operator=(Query&&) noexcept = default;

void Query::start(const SearchRequest& request, std::span<const Segment> segments,
                  std::optional<Ref> hidden) {
  state_->start(request, segments, hidden);
}

void Query::State::start(const SearchRequest& search_request,
                         std::span<const Segment> search_segments, std::optional<Ref> hidden_ref) {
  request = &search_request;
  segments = search_segments;
  hidden = hidden_ref;
  if (request->recall) effort = limits.efforts->at(request->k, *request->recall);
  counters = {};
  outstanding = outstanding_reads = idle_blocks = 0;
  outstanding_max = std::max(1u, limits.beam_width);
  bounded = false;
  early_stop.reset();
  refinement_margin = {};
  slack = request->slack.value_or(0);
  scorer.emplace(limits.metric, request->query);
  codes.reset(limits.metric, request->query, segments);
  visited.clear();
  plan();
  if (read_limit == slot_count) {
    seed_with_everything();
    return;
  }
  const auto share = static_cast<std::uint32_t>(kEntryCodesMax / segments.size());
  list.hold(std::min(walk_limit, std::max(read_limit, kEntriesKept * segments.size())));
  for (std::uint32_t i = 0; i < segments.size(); ++i) scan_entries(i, std::max(share, 1u));
  list.hold(walk_limit);
  expand_resident();
}

void Query::State::plan() {
  slot_count = vector_count = 0;
  std::uint64_t block_count = 0;
  const bool edges = request->recall ? effort.edges : request->edges;
  bool complete = edges;
  navigable = refining = false;
  slots_per_block = 1;
  for (const Segment& segment : segments) {
    slot_count += segment.slot_count;
    vector_count += segment.vector_count;
    slots_per_block = std::max<std::size_t>(slots_per_block, segment.shape.slots);
    block_count += (segment.slot_count + segment.shape.slots - 1) / segment.shape.slots;
    complete &= segment.nav_complete;
    navigable |= edges && !segment.nav.empty();
    refining |= segment.refine_codebook != nullptr;
  }
  std::uint64_t list_size = list_size_of(*request, effort);
  if (list_size >= vector_count) list_size = slot_count;
  const bool everything = list_size == slot_count;
  rerank_only = complete || everything;
  bounding = (request->slack || request->recall) && !everything;
  refining &= !everything;
  read_limit = static_cast<std::size_t>(list_size);
  walk_limit =
      static_cast<std::size_t>(std::min(walk_size(list_size, refining, navigable), slot_count));
  list.reset(walk_limit);
  if (refining) refined_list.reset(read_limit);
  blocks.reset(static_cast<std::size_t>(std::min(block_count, 2 * list_size)));
  results.reset(request->k, segments.size(), vector_count);
}

// ---- reads ------------------------------------------------------------------------------------

BlockWant Query::State::block_of(const Candidate& candidate) const {
  const std::uint32_t slots = segments[candidate.segment].shape.slots;
  return {candidate.segment, candidate.slot - candidate.slot % slots};
}

/// Position in read_order() of the best candidate whose block was never wanted, or kNone.
std::uint32_t Query::State::next_read() {
  CandidateList& order = read_order();
  for (;;) {
    const std::uint32_t i = order.next_without(kRead, read_limit);
    const bool none = i == CandidateList::kNone;
    if (!none) {
      const BlockWant block = block_of(order[i]);
      if (blocks.contains(block.segment, block.first_slot)) {
        order.set(i, kRead);
        continue;
      }
    }
    if (refining && refine_below(none ? order.bound() : order[i].distance)) continue;
    bounded = !none && beyond_bound(order[i]);
    if (bounded) passed_over = order[i];
    return bounded ? CandidateList::kNone : i;
  }
}

/// Offers the next few of the walk's list that may be nearer than `distance` to the list that
/// orders the reads; false when none may. The base distance bounds the refined one on neither side,
/// so how far the two lay apart in this search decides.
bool Query::State::refine_below(float distance) {
  constexpr std::size_t kFew = 16;
  const float reach = std::min(distance, farthest_read()) + refinement_margin.margin();
  std::array<std::uint32_t, kFew> slots;
  std::array<float, kFew> base, refined;
  std::uint32_t segment = 0;
  std::size_t count = 0;
  while (count < kFew) {
    const std::uint32_t i = list.next_without(kRefined, walk_limit);
    if (i == CandidateList::kNone || !(list[i].distance <= reach)) break;
    if (count != 0 && list[i].segment != segment) break;
    list.set(i, kRefined);
    segment = list[i].segment;
    slots[count] = list[i].slot;
    base[count++] = list[i].distance;
    codes.prefetch_refinement(segment, list[i].slot);
  }
  const bool refines = segments[segment].refine_codebook != nullptr;
  for (std::size_t j = 0; j < count; ++j) {
    refined[j] = codes.refined(segment, slots[j], base[j]);
    if (refines) refinement_margin.add(base[j] - refined[j]);
  }
  counters.refined_distances += refines ? static_cast<std::uint32_t>(count) : 0;
  refined_list.offer(segment, std::span(slots).first(count), refined.data(), 0);
  return count != 0;
}

/// What a block of the segment costs in units of 4 KiB.
std::uint32_t Query::State::reads_of(std::uint32_t segment) const {
  return static_cast<std::uint32_t>(segments[segment].shape.block_bytes / kReadUnitBytes);
}

/// Whether the best unread candidate is too far for its block to be worth a read: farther than the
/// k-th result by more than the slack (Al-Jazzazi et al., Distance Adaptive Beam Search,
/// arXiv 2505.15636, section 3, on distances that codes estimate), of which blocks in vain take
/// their part. Under inner product distances have no zero: the k-th product is the measure.
bool Query::State::beyond_bound(const Candidate& candidate) {
  slack_needed = std::numeric_limits<float>::lowest();
  if (!bounding || !results.full()) return false;
  const float kth = results.farthest();
  const bool l2 = limits.metric == Metric::l2;
  const float code = l2 ? candidate.distance : 1 + candidate.distance;
  const float measure = std::max(measure_of(kth), std::numeric_limits<float>::min());
  slack_needed = (1 + (code - kth) / measure) * impatience() - 1;
  return slack_needed > slack;
}

/// The distance on the lists' scale beyond which beyond_bound() says no.
float Query::State::farthest_read() const {
  if (!bounding || !results.full()) return std::numeric_limits<float>::max();
  const float kth = results.farthest();
  const float ratio = (slack + 1) / impatience();
  return kth + (ratio - 1) * measure_of(kth) - (limits.metric == Metric::l2 ? 0.0f : 1.0f);
}

/// What a difference to the k-th distance is measured by.
float Query::State::measure_of(float kth) const {
  return limits.metric == Metric::ip ? std::abs(1 - kth) : kth;
}

/// What blocks in vain make of the ratio that slack allows.
float Query::State::impatience() const { return 1 + kPatience * static_cast<float>(idle_blocks); }

/// Blocks that are read whatever is in them: nothing bounds a search before it has k results, and
/// no fewer can hold those that are missing.
std::size_t Query::State::blocks_at_least() const {
  return (results.missing() + slots_per_block - 1) / slots_per_block;
}

/// Whether the candidate may have its block read now; ends the search when the budget says no.
bool Query::State::worth_reading(const Candidate& candidate) {
  const bool free = rerank_only && (!bounding || outstanding < blocks_at_least());
  if (!free && outstanding >= outstanding_max) return false;
  const std::uint64_t reads = std::uint64_t{counters.reads} + outstanding_reads;
  if (request->reads_max == 0 || reads + reads_of(candidate.segment) <= request->reads_max)
    return true;
  if (outstanding == 0) early_stop = Stop::reads_max;
  return false;
}

bool Query::State::out_of_time() const {
  return request->deadline && std::chrono::steady_clock::now() >= *request->deadline;
}

std::uint32_t Query::wants(std::span<BlockWant> out) {
  return wants(out, state_->limits.beam_width);
}

std::uint32_t Query::wants(std::span<BlockWant> out, std::uint32_t width) {
  State& s = *state_;
  const std::uint32_t widest = std::max(1u, s.limits.beam_width);
  s.outstanding_max = std::clamp(s.bounding ? width : widest, 1u, widest);
  if (s.request->recall) s.slack = s.effort.slack(s.outstanding_max, widest);
  std::uint32_t count = 0;
  while (count < out.size() && !s.early_stop) {
    const std::uint32_t i = s.next_read();
    if (i == CandidateList::kNone) break;
    if (count == 0 && s.out_of_time()) {
      s.early_stop = Stop::deadline;
      break;
    }
    CandidateList& order = s.read_order();
    if (!s.worth_reading(order[i])) break;
    const BlockWant block = s.block_of(order[i]);
    order.set(i, kRead);
    s.lead = order[i];
    s.blocks.insert(block.segment, block.first_slot);
    ++s.outstanding;
    s.outstanding_reads += s.reads_of(block.segment);
    out[count++] = block;
  }
  return count;
}

Status Query::absorb(const BlockWant& want, std::span<const std::byte> page,
                     io::BlockSource source) {
  State& s = *state_;
  const Segment& segment = s.segments[want.segment];
  const std::uint32_t reads = s.reads_of(want.segment);
  --s.outstanding;
  s.outstanding_reads -= reads;
  s.counters.reads += source == io::BlockSource::disk ? reads : 0;
  s.counters.cache_hits += source == io::BlockSource::cache;
  s.counters.shared += source == io::BlockSource::shared;
  CAIRN_ASSIGN(const layout::BlockView view,
               layout::BlockView::open(segment.shape, page, want.first_slot));
  s.score_exact(view, want);
  if (s.rerank_only) return {};
  CAIRN_TRY(s.expand_block(view, want));
  s.expand_resident();
  return {};
}

void Query::State::score_exact(const layout::BlockView& view, const BlockWant& want) {
  ++idle_blocks;
  block_results = 0;
  for (std::uint64_t left = view.occupied_mask(); left != 0; left &= left - 1) {
    const auto place = static_cast<std::uint32_t>(std::countr_zero(left));
    if (hides(want.segment, want.first_slot + place)) continue;
    float distance = (*scorer)(view.vector(place), view.inverse_norm(place));
    if (std::isnan(distance)) distance = std::numeric_limits<float>::infinity();
    ++counters.exact_distances;
    if (!results.admits(distance)) continue;
    const Label label = view.label(place);
    if (request->allow && !request->allow(label)) continue;
    results.insert({label, distance});
    idle_blocks = 0;
    ++block_results;
  }
}

bool Query::done() const {
  State& s = *state_;
  if (s.outstanding != 0) return false;
  if (s.early_stop) return true;
  const std::uint32_t i = s.next_read();
  return i == CandidateList::kNone || !s.worth_reading(s.read_order()[i]);
}

float Query::slack_needed() const { return state_->slack_needed; }
Candidate Query::lead() const { return state_->lead; }
bool Query::bounded() const { return state_->bounded; }
Candidate Query::passed_over() const { return state_->passed_over; }
std::uint32_t Query::list_size() const { return static_cast<std::uint32_t>(state_->read_limit); }
float Query::slack() const { return state_->slack; }
bool Query::holds(Ref ref) const {
  float distance = 0;
  state_->codes.base(ref.segment, {&ref.slot, 1}, &distance);
  return state_->list.contains(distance, ref.segment, ref.slot);
}
bool Query::read(Ref ref) const {
  const BlockWant block = state_->block_of({.segment = ref.segment, .slot = ref.slot});
  return state_->blocks.contains(block.segment, block.first_slot);
}
bool Query::walks_edges() const {
  return state_->navigable && state_->read_limit != state_->slot_count;
}
std::uint32_t Query::results_of_last_block() const { return state_->block_results; }
const SearchCounters& Query::counters() const { return state_->counters; }
float Query::kth_distance() const {
  const ResultHeap& results = state_->results;
  return results.full() ? results.farthest() : std::numeric_limits<float>::infinity();
}
std::uint32_t Query::found_within(float distance) const { return state_->results.within(distance); }

void Query::count_round() { ++state_->counters.rounds; }

SearchResult Query::take() {
  State& s = *state_;
  SearchResult result;
  result.neighbors = s.results.take();
  result.counters = s.counters;
  const bool all = s.counters.exact_distances >= s.vector_count && !s.results.overflowed();
  const Stop usual = s.bounded ? Stop::bound : Stop::list_exhausted;
  result.stop = s.early_stop.value_or(all ? Stop::exhausted : usual);
  return result;
}

std::size_t Query::ram_bytes() const { return sizeof(Query) + state_->ram_bytes(); }

std::size_t Query::State::ram_bytes() const {
  return sizeof(State) + codes.ram_bytes() + list.ram_bytes() + refined_list.ram_bytes() +
         visited.ram_bytes() + blocks.ram_bytes() + results.ram_bytes();
}

}  // namespace cairn::search

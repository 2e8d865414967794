#include "engine/search/explain.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace cairn::search {
namespace {

class Teller {
 public:
  Teller(const Snapshot& snapshot, const SearchRequest& request, IoTotals& totals)
      : snapshot_(snapshot), request_(request), totals_(totals), query_(snapshot.limits()) {}
  ~Teller() {
    if (!reader_) return;
    const io::BlockCounters& read = reader_->counters();
    totals_.add(read.reads_4k, read.cache_hits, cache_misses_);
  }
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;

  Result<Explanation> run(const io::DeviceOptions& device) {
    room_ = device.depth;
    told_.width = std::min(snapshot_.limits().beam_width, device.depth);
    CAIRN_ASSIGN(reader_, io::BlockReader::create(snapshot_.folder().fs(), snapshot_.block_files(),
                                                  {.buffers = device.depth, .device = device},
                                                  snapshot_.cache(), nullptr));
    arrivals_.resize(device.depth);
    query_.start(request_, snapshot_.segments());
    told_.entry_code_distances = query_.counters().code_distances;
    told_.entry_expanded = query_.counters().expanded;
    want();
    while (!pending_.empty() || reader_->outstanding() > 0) {
      const std::uint32_t taken = reader_->request(pending_);
      pending_.erase(pending_.begin(), pending_.begin() + taken);
      CAIRN_ASSIGN(const std::uint32_t count, reader_->collect(arrivals_, 1, -1));
      for (io::BlockArrival& arrival : std::span(arrivals_).first(count)) {
        CAIRN_TRY(absorb(arrival));
        arrival = {};
        ++room_;
        want();
      }
    }
    told_.list_size = query_.list_size();
    told_.edges = query_.walks_edges();
    if (query_.bounded()) {
      told_.next_slack_needed = query_.slack_needed();
      told_.next_code_distance = query_.passed_over().distance;
    }
    if (request_.slack || request_.recall) told_.slack = query_.slack();
    told_.result = query_.take();
    return std::move(told_);
  }

 private:
  /// Asked for one block at a time: each is led by a candidate of its own. As many as a search
  /// would want; a buffer for them there is only once what has arrived is given back.
  void want() {
    BlockWant block;
    while (room_ > 0 && query_.wants({&block, 1}, told_.width) == 1) {
      --room_;
      rounds_.wanted();
      ExplainedRead read;
      read.lead = {query_.lead().segment, query_.lead().slot};
      read.code_distance = query_.lead().distance;
      if (query_.slack_needed() != std::numeric_limits<float>::lowest())
        read.slack_needed = query_.slack_needed();
      const io::BlockRequest at = snapshot_.locate(block.segment, block.first_slot, wanted_.size());
      read.file = snapshot_.block_files()[at.file].file->path();
      read.block = at.block;
      wanted_.emplace_back(block, std::move(read));
      pending_.push_back(at);
    }
  }

  Status absorb(io::BlockArrival& arrival) {
    if (rounds_.ended_by(arrival.source)) query_.count_round();
    if (arrival.source == io::BlockSource::disk && snapshot_.cache() != nullptr) ++cache_misses_;
    if (arrival.error) return fail(std::move(*arrival.error));
    auto& [block, read] = wanted_[arrival.token];
    const SearchCounters before = query_.counters();
    if (Status done = query_.absorb(block, arrival.block.bytes(), arrival.source); !done)
      return fail(snapshot_.in_block(std::move(done).error(), block.segment, block.first_slot));
    const SearchCounters& after = query_.counters();
    read.round = after.rounds;
    read.cached = arrival.source == io::BlockSource::cache;
    read.vectors = after.exact_distances - before.exact_distances;
    read.expanded = after.expanded - before.expanded;
    read.code_distances = after.code_distances - before.code_distances;
    read.results = query_.results_of_last_block();
    read.kth_distance = query_.kth_distance();
    told_.reads.push_back(std::move(read));
    return {};
  }

  const Snapshot& snapshot_;
  const SearchRequest& request_;
  IoTotals& totals_;
  std::uint64_t cache_misses_ = 0;
  Explanation told_;
  std::unique_ptr<io::BlockReader> reader_;
  Query query_;
  std::uint32_t room_ = 0;  // blocks that may still be wanted
  Rounds rounds_;
  std::vector<std::pair<BlockWant, ExplainedRead>> wanted_;
  std::vector<io::BlockRequest> pending_;   // wanted and not yet taken by the reader
  std::vector<io::BlockArrival> arrivals_;  // blocks go back before the reader goes
};

}  // namespace

Result<Explanation> explain_search(const Snapshot& snapshot, const SearchRequest& request,
                                   const io::DeviceOptions& device, IoTotals& totals) {
  return Teller(snapshot, request, totals).run(device);
}

}  // namespace cairn::search

#include "engine/search/explain.h"

#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace cairn::search {
namespace {

class Teller {
 public:
  Teller(const Snapshot& snapshot, const SearchRequest& request)
      : snapshot_(snapshot), request_(request), query_(snapshot.limits()) {}

  Result<Explanation> run(const io::DeviceOptions& device) {
    told_.width = snapshot_.limits().beam_width;
    CAIRN_ASSIGN(reader_, io::BlockReader::create(snapshot_.folder().fs(), snapshot_.block_files(),
                                                  {.buffers = device.depth, .device = device},
                                                  snapshot_.cache(), nullptr));
    arrivals_.resize(device.depth);
    query_.start(request_, snapshot_.segments());
    told_.entry_code_distances = query_.counters().code_distances;
    told_.entry_expanded = query_.counters().expanded;
    for (std::uint32_t round = 1; want(), reader_->outstanding() > 0; ++round) {
      CAIRN_ASSIGN(const std::uint32_t count, reader_->collect(arrivals_, 1, -1));
      query_.count_round();
      for (io::BlockArrival& arrival : std::span(arrivals_).first(count)) {
        CAIRN_TRY(absorb(arrival, round));
        arrival = {};
        want();
      }
    }
    told_.list_size = query_.list_size();
    if (query_.bounded()) {
      told_.next_slack_needed = query_.slack_needed();
      told_.next_code_distance = query_.passed_over().distance;
    }
    if (request_.slack || request_.recall) told_.slack = query_.slack();
    told_.result = query_.take();
    return std::move(told_);
  }

 private:
  /// Asked for one block at a time: each is led by a candidate of its own.
  void want() {
    BlockWant block;
    while (reader_->outstanding() < arrivals_.size() && query_.wants({&block, 1}) == 1) {
      ExplainedRead read;
      read.lead = {query_.lead().segment, query_.lead().slot};
      read.code_distance = query_.lead().distance;
      if (query_.slack_needed() != std::numeric_limits<float>::lowest())
        read.slack_needed = query_.slack_needed();
      const io::BlockRequest at = snapshot_.locate(block.segment, block.first_slot, wanted_.size());
      read.file = snapshot_.block_files()[at.file].file->path();
      read.block = at.block;
      wanted_.emplace_back(block, std::move(read));
      // There is a buffer for each that is outstanding.
      static_cast<void>(reader_->request({&at, 1}));
    }
  }

  Status absorb(io::BlockArrival& arrival, std::uint32_t round) {
    if (arrival.error) return fail(std::move(*arrival.error));
    auto& [block, read] = wanted_[arrival.token];
    const SearchCounters before = query_.counters();
    CAIRN_TRY(query_.absorb(block, arrival.block.bytes(), arrival.source));
    const SearchCounters& after = query_.counters();
    read.round = round;
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
  Explanation told_;
  std::unique_ptr<io::BlockReader> reader_;
  Query query_;
  std::vector<std::pair<BlockWant, ExplainedRead>> wanted_;
  std::vector<io::BlockArrival> arrivals_;  // blocks go back before the reader goes
};

}  // namespace

Result<Explanation> explain_search(const Snapshot& snapshot, const SearchRequest& request,
                                   const io::DeviceOptions& device) {
  return Teller(snapshot, request).run(device);
}

}  // namespace cairn::search

#include "tests/reliability/schedule.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/build/replace_calibration.h"
#include "engine/search/open_index.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/schedule_log.h"

namespace cairn::reliability {
namespace {

using Clock = std::chrono::steady_clock;
using ReadKind = sim::ReadFault::Kind;

class Schedule {
 public:
  Schedule(const std::vector<KnownIndex>& worlds, std::uint64_t seed, bool trace)
      : rng_(seed),
        log_(trace),
        world_(worlds[rng_.below(worlds.size())]),
        fs_(world_.index().fs().copy(rng_.next())) {}

  ScheduleOutcome run() {
    log_.say(world_.name());
    for (std::uint64_t left = 6 + rng_.below(12); left > 0 && wrong_.empty(); --left) step();
    recover();
    if (index_) look_at_stats();
    index_.reset();
    log_.add(*fs_);
    counts_.reads = fs_->reads();
    return {.digest = log_.digest(), .wrong = wrong_, .counts = counts_};
  }

 private:
  // ---- steps

  void step() {
    ++counts_.steps;
    fs_->faults().forget_struck();
    if (rng_.below(4) == 0) change_faults();
    if (!index_) return open();
    switch (rng_.below(14)) {
      case 0:
        return open();
      case 1:
        return publish();
      case 2:
        return verify();
      case 3:
        return scan();
      case 4:
        return fetch();
      case 5:
        return explain();
      case 6:
        log_.say("drop the cache");
        return index_->drop_cache();
      case 7:
        return wish();
      case 8:
      case 9:
      case 10:
        return batch();
      default:
        return search();
    }
  }

  void open() {
    index_.reset();
    OpenOptions options;
    held_ = static_cast<Held>(rng_.below(3));
    if (held_ == Held::lean) options.memory_limit_bytes = world_.lean_bytes();
    if (held_ == Held::some)
      options.memory_limit_bytes =
          world_.lean_bytes() + rng_.below(world_.whole_bytes() - world_.lean_bytes());
    // Beyond the whole index it is a cache, of a few blocks or of all.
    if (held_ == Held::whole && rng_.below(2) == 0)
      options.memory_limit_bytes = world_.whole_bytes() + (64u << 10) + rng_.below(512u << 10);
    options.io_depth = static_cast<std::uint32_t>(1 + rng_.below(rng_.below(2) == 0 ? 4 : 64));
    options.io = static_cast<IoBackend>(rng_.below(4));
    options.direct = rng_.below(2) == 0;
    options.log = [this](const std::string& line) { log_.say("log: " + line); };
    depth_ = options.io_depth;
    log_.say("open, held " + std::to_string(static_cast<int>(held_)) + ", depth " +
             std::to_string(depth_));
    auto opened = search::open_index(*fs_, kSimFolder, options);
    ++(opened ? counts_.opens : counts_.refused_opens);
    if (!opened) return refused(opened.error());
    index_ = std::move(*opened);
    check_calibration();
  }

  /// It is one of those that were published last, or it was lost to a fault.
  void check_calibration() {
    calibrated_ = index_->stats().calibrated;
    if (fs_->faults().struck().empty() && calibrated_ != world_.calibrated())
      blame("calibration lost or found");
    if (!calibrated_ || held_ == Held::some) return;
    const auto which = world_.which(*index_, held_);
    if (!which) return blame("efforts of no calibration");
    log_.say("calibration " + std::to_string(*which));
    if ((published_ >> *which & 1) == 0) return blame("efforts of another calibration");
    published_ = 1u << *which;
  }

  void publish() {
    if (!world_.calibrated()) return;
    const std::uint64_t next = rng_.below(2);
    log_.say("publish calibration " + std::to_string(next));
    const auto done = build::replace_calibration(*fs_, kSimFolder, world_.calibration(next));
    if (done) {
      ++counts_.published;
      published_ = 1u << next;
    } else {
      published_ |= 1u << next;  // the rename may have been done all the same
      refused(done.error());
    }
  }

  void search() {
    const Question ask = draw();
    log_.say("search " + ask.words());
    judge(ask, index_->search(ask.request));
  }

  void batch() {
    std::vector<Question> asks(1 + rng_.below(10));
    std::vector<SearchRequest> requests;
    for (Question& ask : asks) requests.push_back((ask = draw()).request);
    const auto in_flight = static_cast<std::uint32_t>(1 + rng_.below(depth_));
    log_.say("batch of " + std::to_string(asks.size()) + ", " + std::to_string(in_flight) +
             " reads in flight");
    const auto results = index_->search_batch(requests, {.reads_in_flight = in_flight});
    if (results.size() != asks.size()) return blame("a batch of another size");
    for (std::size_t i = 0; i < asks.size(); ++i) judge(asks[i], results[i]);
  }

  void explain() {
    Question ask = draw();
    ask.request.deadline.reset();
    log_.say("explain " + ask.words());
    const auto explained = index_->explain(ask.request);
    log_.add(explained);
    if (!explained) return search_refused(ask, explained.error());
    judge_answer(ask, explained->result);
  }

  void wish() {
    const Wish& wish = kKnownWishes[rng_.below(std::size(kKnownWishes))];
    log_.say("effort");
    const auto effort = index_->effort(wish.k, wish.recall);
    log_.add(effort);
    if (effort.has_value() != calibrated_) blame("effort without calibration, or none with it");
    if (!effort && effort.error().code != ErrorCode::unsupported) blame(effort.error().to_string());
  }

  void fetch() {
    const Label label = world_.oracle().labels()[rng_.below(world_.oracle().count())];
    log_.say("get " + std::to_string(label));
    const auto vector = index_->get(label);
    if (!vector) return refused(vector.error());
    if (!world_.oracle().is_vector(label, *vector)) blame("another vector of a label");
    if (rng_.below(8) != 0) return;
    const auto none = index_->get(~label);
    if (none) return blame("a vector of a label that does not exist");
    if (none.error().code != ErrorCode::not_found) refused(none.error());
  }

  void scan() {
    log_.say("scan");
    const auto order = world_.oracle().check_scan(*index_);
    log_.add(order);
    if (!order) refused(order.error());
  }

  void verify() {
    log_.say("verify");
    const auto report = index_->verify();
    log_.add(report);
    ++counts_.verified;
    if (!report) return refused(report.error());
    if (report->ok()) return;
    for (const Error& problem : report->problems) refused(problem);
  }

  // ---- faults

  void change_faults() {
    if (faulty_ && rng_.below(2) == 0) {
      log_.say("no faults any more");
      fs_->faults().clear();
      faulty_ = false;
      return;
    }
    faulty_ = true;
    if (rng_.below(6) == 0) return fail_operation();
    static constexpr std::array kKinds = {
        ReadKind::error, ReadKind::early_end, ReadKind::wrong_block, ReadKind::bit_flip,
        ReadKind::zeros, ReadKind::torn,      ReadKind::late,        ReadKind::lost};
    sim::ReadFault fault{.kind = kKinds[rng_.below(kKinds.size())]};
    fault.error = rng_.below(2) == 0 ? EIO : ENODATA;
    static constexpr const char* kPaths[] = {".blocks", ".blocks", "", ".calibration", ".labels"};
    fault.when = {.path_contains = kPaths[rng_.below(std::size(kPaths))],
                  .skip = rng_.below(6),
                  .probability = 1.0 / static_cast<double>(1 + rng_.below(40)),
                  .sticky = rng_.below(3) != 0};
    log_.say("reads: " + std::string(sim::read_fault_name(fault.kind)) + " of '" +
             fault.when.path_contains + "', one in " +
             std::to_string(static_cast<int>(1 / fault.when.probability + 0.5)) +
             (fault.when.sticky ? "" : ", once"));
    fs_->faults().add(fault);
  }

  void fail_operation() {
    static constexpr int kErrors[] = {EIO, EMFILE, ENOSPC, EACCES};
    sim::FsFault fault{.error = kErrors[rng_.below(std::size(kErrors))]};
    if (rng_.below(3) == 0) fault.kind = sim::FsFault::Kind::partial;
    fault.when = {.skip = rng_.below(12), .sticky = rng_.below(4) == 0};
    log_.say("operations: error " + std::to_string(fault.error) + " after " +
             std::to_string(fault.when.skip));
    fs_->faults().add(fault);
  }

  /// Once the faults are gone, all is as if there had been none.
  void recover() {
    if (!wrong_.empty()) return;
    log_.say("recover");
    fs_->faults().clear();
    fs_->faults().forget_struck();
    // What an open index lacks by a fault at its opening, a new one has.
    if (!index_ || calibrated_ != world_.calibrated() || rng_.below(2) == 0) open();
    if (!index_) return;
    for (std::size_t q = 0; q < world_.oracle().spec().queries; ++q) {
      const Question ask = world_.plain(q, q % std::size(kKnownLists), held_);
      judge(ask, index_->search(ask.request));
    }
    SearchRequest all{.query = world_.oracle().query(0)};
    all.list_size = static_cast<std::uint32_t>(world_.oracle().count());
    judge({.request = all}, index_->search(all));
    if (rng_.below(8) == 0) verify();
  }

  // ---- questions and answers

  Question draw() {
    Question ask = world_.draw(held_, calibrated_, rng_);
    // One that has passed, or one that never comes: the clock decides nothing.
    if (rng_.below(12) == 0)
      ask.request.deadline =
          rng_.below(2) == 0 ? Clock::time_point() : Clock::now() + std::chrono::hours(1000);
    return ask;
  }

  void judge(const Question& ask, const Result<SearchResult>& result) {
    log_.add(result);
    if (!result) return search_refused(ask, result.error());
    judge_answer(ask, *result);
  }

  void judge_answer(const Question& ask, const SearchResult& result) {
    const bool certain = ask.is_certain(result) || world_.oracle().is_exact(ask.request, result);
    ++(certain ? counts_.certain : counts_.plausible);
    if (const std::string wrong = world_.wrong(ask, result); !wrong.empty())
      blame(wrong + " (" + ask.words() + ")");
  }

  void search_refused(const Question& ask, const Error& error) {
    refused(error);
    if (!wrong_.empty()) log_.say(ask.words());
  }

  /// Errors come of what was struck meanwhile, and name it. A device that cannot be made has no
  /// name.
  void refused(const Error& error) {
    ++counts_.errors;
    log_.say(error.to_string());
    const std::vector<std::string>& struck = fs_->faults().struck();
    if (struck.empty()) return blame("without faults: " + error.to_string());
    const bool of_fault = error.code == ErrorCode::io || error.code == ErrorCode::corrupt ||
                          error.code == ErrorCode::no_space;
    if (!of_fault) blame("no error of a fault: " + error.to_string());
    if (std::ranges::find(struck, error.file) == struck.end())
      blame("not of what was struck: " + error.to_string());
  }

  void look_at_stats() {
    const IndexStats stats = index_->stats();
    log_.add(stats.block_reads);
    log_.add(stats.cache_hits);
    counts_.cache_hits += stats.cache_hits;
    log_.add(stats.cache_misses);
    if (stats.vector_count != world_.oracle().count()) blame("stats of another index");
  }

  void blame(const std::string& why) {
    log_.say("WRONG: " + why);
    if (wrong_.empty()) wrong_ = why;
  }

  math::Rng rng_;
  ScheduleLog log_;
  const KnownIndex& world_;
  std::unique_ptr<sim::SimFs> fs_;
  std::unique_ptr<Index> index_;
  Held held_ = Held::whole;
  std::uint32_t depth_ = 1;
  bool faulty_ = false, calibrated_ = false;
  std::uint32_t published_ = 1;  // bits: which calibrations the folder may have
  std::string wrong_;
  ScheduleCounts counts_;
};

}  // namespace

ScheduleCounts& ScheduleCounts::operator+=(const ScheduleCounts& other) {
  steps += other.steps;
  errors += other.errors;
  certain += other.certain;
  plausible += other.plausible;
  reads += other.reads;
  cache_hits += other.cache_hits;
  opens += other.opens;
  refused_opens += other.refused_opens;
  published += other.published;
  verified += other.verified;
  return *this;
}

ScheduleOutcome run_schedule(const std::vector<KnownIndex>& worlds, std::uint64_t seed,
                             bool trace) {
  return Schedule(worlds, seed, trace).run();
}

}  // namespace cairn::reliability

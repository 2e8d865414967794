// Fault enumeration: each call that the program makes of the operating system, in turn, goes wrong
// in each way that can befall it, once or from then on; what comes of it is right or a clean error,
// and the same work done again succeeds.
//   faults [--every N] [--seed S] [--only WORKLOAD] [--point NUMBER,KIND,once|sticky[,SITE,KIND]]
// Places that only an error leads to are struck by a second fault behind the first.
// --every N: each N-th point, beginning by seed, of workloads that measure recall one in 17 N;
// default: 1; all points of a workload of a few calls. --list: the workloads. Prints a line a
// workload, and `site ADDRESS CALL MADE STRUCK` for each place that calls. A point that hangs is
// killed after five minutes.
#include <filesystem>
#include <map>
#include <set>

#include "tests/reliability/fault_campaign.h"
#include "tests/reliability/fault_errors.h"

namespace cairn::reliability {
namespace {

using os_faults::Fault;
using os_faults::Kind;
using os_faults::Made;

// A workload of no more calls is tried whole, whatever share of the others is.
constexpr std::size_t kFewCalls = 40;
constexpr std::uint32_t kLostAfterMs = 100, kNeverLostMs = 20'000;

std::size_t open_files() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

class Campaign {
 public:
  explicit Campaign(CampaignOptions options) : options_(std::move(options)) {}

  void run(Workload& workload) {
    workload.set_judge(judge_);
    const std::vector<Made> made = calls_of(workload);
    CampaignTally tally{.calls = made.size()};
    const std::uint64_t every = made.size() <= kFewCalls ? 1 : options_.every_of(workload);
    std::uint64_t number = 0;
    seen_.clear();
    behind_.clear();
    for (const Made& call : made) seen_.insert(call.site);
    std::set<std::uintptr_t> tried;
    for (std::uint64_t at = 0; at < made.size(); ++at) {
      // Whatever share of the points is tried, each place is, in every way.
      const bool first = options_.every == 1 && tried.insert(made[at].site).second;
      for (const Kind kind : os_faults::kKinds)
        for (const bool sticky : {false, true}) {
          if (!os_faults::befalls(kind, made[at])) continue;
          if (kind == Kind::lost && made[at].call == os_faults::Call::read_file &&
              !workload.reads_by_a_pool())
            continue;
          if ((number++ + options_.seed) % every != 0 && !first) continue;
          try_point(workload, {.at = at, .kind = kind, .sticky = sticky}, made[at], tally);
        }
    }
    try_behind(workload, tally);
    tally.print(workload.name());
    total_ += tally;
  }

  int conclude() const {
    for (const auto& [site, count] : os_faults::sites())
      std::printf("site %llx %s %llu %llu\n", number(site),
                  std::string(os_faults::call_name(count.call)).c_str(), number(count.made),
                  number(count.struck));
    return total_.conclude("faults", options_);
  }

 private:
  std::vector<Made> calls_of(Workload& workload) {
    workload.prepare();
    os_faults::watch();
    std::string wrong = workload.attempt();
    auto made = os_faults::stop_watching();
    if (wrong.empty() && workload.failed()) wrong = "it fails";
    if (wrong.empty()) wrong = workload.again();
    if (!wrong.empty()) give_up({.what = workload.name() + " without a fault: " + wrong});
    return made;
  }

  /// A second fault, where only a first one leads to.
  void try_behind(Workload& workload, CampaignTally& tally) {
    for (const auto& [site, way] : std::exchange(behind_, {}))
      for (const Kind kind : os_faults::kKinds) {
        Fault fault = way.fault;
        fault.then_site = site;
        fault.then_kind = kind;
        if (os_faults::befalls(kind, {.call = way.call}))
          try_point(workload, fault, way.made, tally);
      }
  }

  /// Notes the places that this point came to and the undisturbed run did not.
  void note_behind(const Fault& fault, const Made& made,
                   const std::map<std::uintptr_t, os_faults::Count>& before) {
    for (const auto& [site, count] : os_faults::sites()) {
      const auto known = before.find(site);
      if ((known == before.end() || known->second.made != count.made) && seen_.insert(site).second)
        behind_[site] = {.fault = fault, .made = made, .call = count.call};
    }
  }

  static std::string text_of(const Fault& fault) {
    std::string text = std::to_string(fault.at) + "," +
                       std::string(os_faults::kind_name(fault.kind)) +
                       (fault.sticky ? ",sticky" : ",once");
    if (fault.then_site == 0) return text;
    std::array<char, 20> site{};
    std::snprintf(site.data(), site.size(), "%llx", number(fault.then_site));
    return text + "," + site.data() + "," + std::string(os_faults::kind_name(fault.then_kind));
  }

  void try_point(Workload& workload, const Fault& fault, const Made& made, CampaignTally& tally) {
    const std::string text = text_of(fault);
    if (!options_.point.empty() && text != options_.point) return;
    // A ring that takes nothing any more, or never the last read, is given up after a while too.
    // Which call has a number depends on threads: it may be one of the ring whatever it was before.
    const bool waits =
        fault.kind == Kind::lost ||
        (fault.sticky && (fault.kind == Kind::eagain || fault.kind == Kind::short_count));
    workload.set_read_timeout_ms(waits ? kLostAfterMs : kNeverLostMs);
    judge_.set_short_of_time(waits);
    workload.prepare();
    const std::size_t open_before = open_files();
    begin_point(text + " (" + std::string(os_faults::call_name(made.call)) + ") of '" +
                workload.name() + "'");
    const auto sites_before = os_faults::sites();
    os_faults::arm(fault);
    std::string wrong = workload.attempt();
    const std::uint64_t struck = os_faults::struck();
    os_faults::disarm();
    note_behind(fault, made, sites_before);
    const bool failed = workload.failed();
    std::string more = workload.again();
    // On a busy machine so short a time limit strikes by itself.
    for (int left = 3; waits && workload.timed_out() && left > 0; --left) more = workload.again();
    if (wrong.empty() && !more.empty()) wrong = "afterwards: " + more;
    end_point();
    if (wrong.empty() && open_files() > open_before) wrong = "files are left open";
    tally.add_point(struck != 0, failed, wrong);
  }

  /// How a place is come to that only an error leads to.
  struct Way {
    Fault fault;
    Made made;
    os_faults::Call call;
  };

  CampaignOptions options_;
  StrikeJudge judge_;
  CampaignTally total_;
  std::set<std::uintptr_t> seen_;         // places that need no fault to be come to, or one noted
  std::map<std::uintptr_t, Way> behind_;  // by place
};

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  return cairn::reliability::run_campaign<cairn::reliability::Campaign>(argc, argv);
}

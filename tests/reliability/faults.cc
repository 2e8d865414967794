// Fault enumeration: each call that the program makes of the operating system, in turn, goes wrong
// in each way that can befall it, once or from then on; what comes of it is right or a clean error,
// and the same work done again succeeds.
//   faults [--every N] [--seed S] [--only WORKLOAD] [--point NUMBER,KIND,STICKY]
// --every N: each N-th point, beginning by seed, of workloads that measure recall one in 17 N;
// default: 1. --list: the workloads. Prints a line a workload, and `site ADDRESS CALL MADE
// STRUCK` for each place that calls. A point that hangs is killed after five minutes.
#include <filesystem>

#include "tests/reliability/fault_campaign.h"

namespace cairn::reliability {
namespace {

using os_faults::Fault;
using os_faults::Kind;
using os_faults::Made;

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
    const std::vector<Made> made = calls_of(workload);
    CampaignTally tally{.calls = made.size()};
    const std::uint64_t every = options_.every_of(workload);
    std::uint64_t number = 0;
    for (std::uint64_t at = 0; at < made.size(); ++at)
      for (const Kind kind : os_faults::kKinds)
        for (const bool sticky : {false, true}) {
          if (!os_faults::befalls(kind, made[at])) continue;
          if (kind == Kind::lost && made[at].call == os_faults::Call::read_file &&
              !workload.reads_by_a_pool())
            continue;
          if ((number++ + options_.seed) % every != 0) continue;
          try_point(workload, {.at = at, .kind = kind, .sticky = sticky}, made[at], tally);
        }
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
  static std::vector<Made> calls_of(Workload& workload) {
    workload.prepare();
    os_faults::watch();
    std::string wrong = workload.attempt(Kind::eio);
    auto made = os_faults::stop_watching();
    if (wrong.empty() && workload.failed()) wrong = "it fails";
    if (wrong.empty()) wrong = workload.again();
    if (!wrong.empty()) give_up({.what = workload.name() + " without a fault: " + wrong});
    return made;
  }

  void try_point(Workload& workload, const Fault& fault, const Made& made, CampaignTally& tally) {
    const std::string text = std::to_string(fault.at) + "," +
                             std::string(os_faults::kind_name(fault.kind)) +
                             (fault.sticky ? ",sticky" : ",once");
    if (!options_.point.empty() && text != options_.point) return;
    // A ring that takes nothing any more, or never the last read, is given up after a while too.
    // Which call has a number depends on threads: it may be one of the ring whatever it was before.
    const bool waits =
        fault.kind == Kind::lost ||
        (fault.sticky && (fault.kind == Kind::eagain || fault.kind == Kind::short_count));
    workload.set_read_timeout_ms(waits ? kLostAfterMs : kNeverLostMs);
    workload.prepare();
    const std::size_t open_before = open_files();
    begin_point(text + " (" + std::string(os_faults::call_name(made.call)) + ") of '" +
                workload.name() + "'");
    os_faults::arm(fault);
    std::string wrong = workload.attempt(fault.kind);
    const std::uint64_t struck = os_faults::struck();
    os_faults::disarm();
    const bool failed = workload.failed();
    std::string more = workload.again();
    // On a busy machine so short a time limit strikes by itself.
    for (int left = 3; waits && !more.empty() && left > 0; --left) more = workload.again();
    if (wrong.empty() && !more.empty()) wrong = "afterwards: " + more;
    end_point();
    if (wrong.empty() && open_files() > open_before) wrong = "files are left open";
    tally.add_point(struck != 0, failed, wrong);
  }

  CampaignOptions options_;
  CampaignTally total_;
};

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  return cairn::reliability::run_campaign<cairn::reliability::Campaign>(argc, argv);
}

// Failing memory: the n-th allocation of a workload fails, once or with all that follow, over open,
// search, calibration, build and import. Each run ends with out_of_memory or succeeds, what it
// gives is right, the same work done again succeeds, and nothing stays allocated.
//   allocations [--every N] [--seed S] [--only WORKLOAD] [--point NUMBER,once|sticky]
// --every N: each N-th point, beginning by seed, of workloads that measure recall one in 17 N. A
// point that hangs is killed after five minutes.
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "tests/engine/search/fail_allocations.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_campaign.h"
#include "tests/reliability/fault_workloads.h"

namespace cairn::reliability {
namespace {

using search::testing::fail_allocations_everywhere;
using search::testing::live_bytes;
using search::testing::resume_failing_everywhere;
using search::testing::stop_failing_everywhere;

/// Errors say that memory is short, and name a file or not.
class MemoryJudge final : public Judge {
 public:
  std::string wrong(const Error& error) const override {
    return error.code == ErrorCode::out_of_memory ? "" : "unclean: " + error.to_string();
  }
  void strike(bool on) const override { resume_failing_everywhere(on); }
};

class Campaign {
 public:
  explicit Campaign(CampaignOptions options) : options_(std::move(options)) {}

  void run(Workload& workload) {
    workload.set_judge(judge_);
    CampaignTally tally{.calls = allocations_of(workload)};
    const std::uint64_t every = options_.every_of(workload);
    std::uint64_t number = 0;
    for (std::uint64_t at = 0; at < tally.calls; ++at)
      for (const bool sticky : {false, true})
        if ((number++ + options_.seed) % every == 0) try_point(workload, at, sticky, tally);
    tally.print(workload.name());
    total_ += tally;
  }

  int conclude() const { return total_.conclude("allocations", options_); }

 private:
  static std::uint64_t allocations_of(Workload& workload) {
    std::uint64_t calls = 0;
    for (int round = 0; round < 2; ++round) {  // the first makes what stays
      workload.prepare();
      fail_allocations_everywhere(~std::uint64_t{0}, 1);
      std::string wrong = workload.attempt();
      calls = stop_failing_everywhere().calls;
      if (wrong.empty() && !workload.failed()) wrong = workload.again();
      if (!wrong.empty() || workload.failed())
        give_up({.what = workload.name() + " without a failure: " + wrong});
    }
    return calls;
  }

  void try_point(Workload& workload, std::uint64_t at, bool sticky, CampaignTally& tally) {
    const std::string text = std::to_string(at) + (sticky ? ",sticky" : ",once");
    if (!options_.point.empty() && text != options_.point) return;
    workload.prepare();
    const std::int64_t live_before = live_bytes();
    begin_point(text + " of '" + workload.name() + "'");
    fail_allocations_everywhere(at, sticky ? ~std::uint64_t{0} : 1);
    std::string wrong = workload.attempt();
    const std::uint64_t struck = stop_failing_everywhere().failed;
    const bool failed = workload.failed();
    if (std::string more = workload.again(); wrong.empty() && !more.empty())
      wrong = "afterwards: " + more;
    workload.prepare();
    end_point();
    if (const std::int64_t more = live_bytes() - live_before; wrong.empty() && more > 0)
      wrong = std::to_string(more) + " bytes stay allocated";
    tally.add_point(struck != 0, failed, wrong);
  }

  const MemoryJudge judge_;
  CampaignOptions options_;
  CampaignTally total_;
};

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  return cairn::reliability::run_campaign<cairn::reliability::Campaign>(argc, argv);
}

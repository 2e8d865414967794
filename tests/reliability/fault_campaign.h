// What the campaigns over workloads share: options, the point that is under way, and the tally.
#pragma once

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_workloads.h"

namespace cairn::reliability {

struct CampaignOptions {
  std::uint64_t every = 1, seed = 1;
  std::string only, point;  // `only`: a workload's whole name
  std::uint64_t every_of(const Workload& workload) const { return every * workload.points_every(); }
};

inline std::array<char, 256> point_under_way{};

/// Says which point it was when the process dies in it. A point takes a second at most, and on a
/// machine that is busy with other work many times that.
inline void begin_point(const std::string& text) {
  std::snprintf(point_under_way.data(), point_under_way.size(), "at point %s\n", text.c_str());
  alarm(300);
}
inline void end_point() { alarm(0); }

struct CampaignTally {
  std::uint64_t calls = 0, points = 0, struck = 0, errors = 0, wrong = 0;

  /// `struck`: the run came to the fault. `failed`: it ended with an error.
  void add_point(bool came_to_it, bool failed, const std::string& what) {
    ++points;
    if (!came_to_it && what.empty()) return;
    ++struck;
    errors += failed && what.empty();
    if (what.empty()) return;
    ++wrong;
    std::printf("WRONG %s%s\n", point_under_way.data(), what.c_str());
  }
  CampaignTally& operator+=(const CampaignTally& more) {
    calls += more.calls;
    points += more.points;
    struck += more.struck;
    errors += more.errors;
    wrong += more.wrong;
    return *this;
  }
  void print(const std::string& name) const {
    std::printf(
        "%s: %llu calls, %llu points, %llu struck: %llu clean errors, %llu right answers, "
        "%llu wrong\n",
        name.c_str(), number(calls), number(points), number(struck), number(errors),
        number(struck - errors - wrong), number(wrong));
    std::fflush(stdout);
  }
  /// The exit code.
  int conclude(const std::string& name, const CampaignOptions& options) const {
    print(name + ": seed " + std::to_string(options.seed) + ", every " +
          std::to_string(options.every));
    return wrong == 0 && struck != 0 ? 0 : 1;
  }
};

inline void die_in_point(int signal) {
  static_cast<void>(!write(2, point_under_way.data(), std::strlen(point_under_way.data())));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Runs a campaign, which has run(Workload&) and conclude(), over all workloads
/// that were asked for.
template <class Campaign>
int run_campaign(int argc, char** argv) {
  CampaignOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const char* const value = argv[i + 1];
    if (std::strcmp(argv[i], "--every") == 0) options.every = std::strtoull(value, nullptr, 10);
    if (std::strcmp(argv[i], "--seed") == 0) options.seed = std::strtoull(value, nullptr, 10);
    if (std::strcmp(argv[i], "--only") == 0) options.only = value;
    if (std::strcmp(argv[i], "--point") == 0) options.point = value;
  }
  for (const int signal : {SIGALRM, SIGSEGV, SIGABRT, SIGBUS}) std::signal(signal, die_in_point);
  const ScratchFolder scratch;
  std::filesystem::create_directories(scratch.path());
  const auto workloads = make_workloads(scratch.path());
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const auto& workload : workloads) std::printf("%s\n", workload->name().c_str());
    return 0;
  }
  Campaign campaign(options);
  for (const auto& workload : workloads)
    if (options.only.empty() || workload->name() == options.only) campaign.run(*workload);
  return campaign.conclude();
}

}  // namespace cairn::reliability

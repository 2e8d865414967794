// One row for each design: what it takes, what it gives, on which machine.
#pragma once

#include <cairn/builder.h>

#include <optional>
#include <string>
#include <vector>

#include "tools/plan/cairn_states.h"
#include "tools/plan/device.h"
#include "tools/plan/prices.h"
#include "tools/plan/sample.h"
#include "tools/plan/workload.h"

namespace cairn::tools::plan {

/// What a search costs, whatever the machine's device.
struct SearchCost {
  Estimate recall;
  Estimate reads;   // of 4 KiB in a batch; 0 where all is in RAM
  Estimate core_s;  // in a batch
  double alone_core_s = 0, alone_core_p99_s = 0;
  double rounds = 0, rounds_p99 = 0;  // of waiting for reads, of a lone search
};

struct Design {
  std::string name;
  bool cairn = false;
  std::optional<CairnState> state = {};
  double ram_bytes = 0, disk_bytes = 0;
  double build_s = 0, build_ram_bytes = 0, build_disk_bytes = 0;
  SearchCost search;
  std::string update;      // one word
  std::string update_why;  // a sentence
  bool measured = false;   // on the user's vectors
  bool reaches = true;     // the recall asked
};

/// How a design does on one machine.
struct Service {
  double mean_s = 0, p99_s = 0;
  double qps = 0;  // at most, with a load of kLoad left to the device and cores
};

/// The cheapest machine that holds a design and surely gives what is asked; if none does, the
/// cheapest that gives it; if none does, the cheapest that holds it.
struct Choice {
  Instance instance;
  Service service;
  bool qps_met = true, p99_met = true;
  bool sure = true;  // that both are, even at the upper ends of the intervals
  double per_month = 0, per_million = 0;
};

struct Row {
  Design design;
  std::optional<Service> on_device;  // where the device is stated or measured
  std::optional<Choice> choice;      // none: no machine of the list holds it
  std::optional<Choice> cheapest;    // as if it cost as little as it may
  bool memory_met = true;            // within the memory that the user gives
  bool recommended = false;

  /// Everything stated is met, by a machine of the list.
  bool meets() const {
    return choice && choice->qps_met && choice->p99_met && memory_met && design.reaches;
  }
};

/// Share of what cores and device can do at most that is planned with: beyond it queries wait for
/// one another.
inline constexpr double kLoad = 0.7;
/// Share of a machine's memory that an index may take.
inline constexpr double kMemoryShare = 0.9;

/// From so many dimensions on, what is assumed without a sample comes from other vectors.
inline constexpr std::uint32_t kKnownManyFrom = 512;

/// HNSW, IVF-Flat and IVF-PQ in RAM, by formulas.
std::vector<Design> ram_designs(const Workload& workload, std::uint32_t threads);

/// Of the index that is planned.
struct Blocks {
  double all_bytes = 0;
  std::uint32_t block_bytes = 4096;

  double reads() const { return block_bytes / 4096.0; }
};

/// Cairn in each of `states`; with a sample measured, else assumed.
std::vector<Design> cairn_designs(const Workload& workload, const BuildPlan& plan,
                                  const std::vector<CairnState>& states, const Sample* sample,
                                  const Blocks& blocks);

/// `cores`: of the machine. p99 is that of a search that waits for no other.
Service serve(const SearchCost& cost, const Device& device, double iops, double cores);

/// Services, choices, and which one is recommended.
std::vector<Row> judge(const Workload& workload, const std::vector<Design>& designs,
                       const Device& device, const PriceList& prices);

}  // namespace cairn::tools::plan

// Simulated loss of power: builds, builds that go on, and a publication are cut off before each of
// their operations (but looks at names and sizes, whose number depends on time), and for each the
// disk is left in the states that it may be in: every subset of what was not synced, up to twelve
// changes, and samples beyond, with the appends that it keeps whole and torn at 512 bytes; and 16
// mixtures of lost, whole, torn and zeros. In each the folder is absent, can be gone on with, or is
// whole; what was reported is there, and what a build was told to be safe is gone on from.
//   power_loss [--rounds N] [--cuts N] [--every N] [--seed S] [--only SCENE]
// Each round builds with other parameters, drawn by seed; --cuts N: each N-th cut and the last 8;
// --every N: each N-th state, and all where those are few at the last cuts. A state is judged once
// for all cuts that ask the same of it.
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <type_traits>
#include <unordered_set>

#include "engine/build/journal.h"
#include "engine/search/open_index.h"
#include "layout/manifest.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_rows.h"
#include "tests/reliability/power_scenes.h"

namespace cairn::reliability {
namespace {

using sim::Fate;
using sim::SimFs;

const std::string kWorkFolder = std::string(kPowerFolder) + ".building";
const std::string kManifest = std::string(kPowerFolder) + "/" + layout::kManifestName;
constexpr std::uint32_t kK = 5;
constexpr std::size_t kExhaustiveMax = 12;
constexpr std::size_t kLastCuts = 8, kAllSets = 40;

struct Options {
  std::uint64_t rounds = 7, cuts = 1, every = 1, seed = 1;
  std::string only;
};

/// Every file by its path, folders in order.
void visit_files(SimFs& fs, const std::string& folder,
                 const std::function<void(const std::string& path)>& visit) {
  const auto names = fs.list(folder);
  if (!names) return;
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    visit(path);
    visit_files(fs, path, visit);
  }
}

std::uint64_t hash_of(SimFs& fs) {
  XXH64_hash_t hash = 0;
  visit_files(fs, ".", [&](const std::string& path) {
    const std::vector<std::byte> bytes = fs.bytes(path);
    hash = XXH3_64bits_withSeed(path.data(), path.size(), hash);
    hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), hash);
  });
  return hash;
}

using Files = std::map<std::string, std::vector<std::byte>>;

Files files_of(SimFs& fs) {
  Files files;
  visit_files(fs, kPowerFolder, [&](const std::string& path) {
    if (!path.ends_with("/LOCK") && !path.ends_with("/JOURNAL")) files[path] = fs.bytes(path);
  });
  return files;
}

bool same_file(const std::string& name, const Files& a, const Files& b) {
  return a.contains(name) && b.contains(name) && a.at(name) == b.at(name);
}

/// Those of `expected` that are not there or have other bytes.
std::string lacking(const Files& expected, const Files& found) {
  std::string names;
  for (const auto& [name, bytes] : expected)
    if (!same_file(name, found, expected)) names += " " + name;
  return names;
}

std::string difference(const Files& expected, const Files& found) {
  std::string names = lacking(expected, found);
  for (const auto& [name, bytes] : found)
    if (!expected.contains(name)) names += " +" + name;
  return names;
}

/// Records that the journal of an unfinished build has, as somebody who goes on would find them.
std::uint64_t records_of(const SimFs& fs) {
  const auto copy = fs.copy(1);
  if (!copy->exists(kWorkFolder).value_or(false)) return 0;
  const auto journal = build::Journal::open(*copy, kWorkFolder);
  return journal ? journal->size() : 0;
}

/// Subsets of what is pending, and each of them again with the appends that it keeps torn.
std::vector<std::vector<Fate>> fates_of(const std::vector<sim::Pending>& pending,
                                        std::uint64_t seed) {
  auto sets = sim::fate_sets(pending.size(), seed, kExhaustiveMax);
  const std::size_t untorn = sets.size();
  for (std::size_t i = 0; i < untorn; ++i) {
    std::vector<Fate> torn = sets[i];
    for (std::size_t p = 0; p < torn.size(); ++p)
      if (torn[p] == Fate::whole && pending[p].kind == sim::Pending::Kind::append)
        torn[p] = Fate::torn;
    if (torn != sets[i]) sets.push_back(std::move(torn));
  }
  return sets;
}

/// What is wrong with the index, if anything: every answer is judged by brute force.
std::string judge_index(SimFs& fs, bool calibrated) {
  const FaultRows rows;
  const auto index = search::open_index(fs, kPowerFolder, {.io = IoBackend::sync});
  if (!index) return index.error().to_string();
  for (std::uint64_t query = 0; query < 5; ++query) {
    SearchRequest request{.query = rows.row(query * 71), .k = kK};
    request.list_size = FaultRows::kCount;
    const auto result = (*index)->search(request);
    if (!result) return result.error().to_string();
    if (std::string wrong = rows.wrong(query * 71, *result, kK, true); !wrong.empty()) return wrong;
  }
  const auto report = (*index)->verify();
  if (!report || !report->ok()) return "verify complains";
  if (calibrated && !(*index)->effort(kK, 0.9)) return "no calibration";
  return {};
}

struct Tally {
  std::uint64_t cuts = 0, states = 0, apart = 0, absent = 0, anew = 0, gone_on = 0, whole = 0,
                reported = 0, wrong = 0;
  Tally& operator+=(const Tally& more) {
    cuts += more.cuts;
    states += more.states;
    apart += more.apart;
    absent += more.absent;
    anew += more.anew;
    gone_on += more.gone_on;
    whole += more.whole;
    reported += more.reported;
    wrong += more.wrong;
    return *this;
  }
  std::string text() const {
    return std::to_string(cuts) + " cuts, " + std::to_string(states) + " states, " +
           std::to_string(apart) + " of them apart: " + std::to_string(absent) + " absent, " +
           std::to_string(anew) + " begun anew, " + std::to_string(gone_on) + " gone on from, " +
           std::to_string(whole) + " whole, " + std::to_string(reported) + " of these reported, " +
           std::to_string(wrong) + " wrong";
  }
};

/// What the state of a disk is held against: what was said before the power was lost.
struct Demands {
  std::uint64_t state = 0;  // hash of the disk
  std::uint64_t reported = 0, safe = 0, handed = 0, records = 0;
};
static_assert(std::has_unique_object_representations_v<Demands>);

class Campaign {
 public:
  explicit Campaign(Options options) : options_(std::move(options)) {}

  void run(const PowerScene& scene) {
    SimFs start;
    begun_ = scene.before(start);
    before_ = files_of(start);
    std::size_t end = 0;
    {
      const auto undisturbed = start.copy(options_.seed);
      if (const PowerRun done = scene.act(*undisturbed); !done.status) give_up(done.status.error());
      end = steps_of(*undisturbed);
      expected_ = files_of(*undisturbed);
    }
    seen_.clear();
    tally_ = {};
    for (std::size_t at = 0; at <= end; ++at) {
      // Where it is published and reported: there each state counts.
      const bool last = end - at < kLastCuts;
      if (last || at % options_.cuts == options_.seed % options_.cuts) cut(scene, start, at, last);
    }
    if (tally_.reported == 0) blame(scene.name + ": nothing was reported");
    if (!scene.publishes && tally_.gone_on == 0) blame(scene.name + ": nothing was gone on from");
    std::printf("%s: %s\n", scene.name.c_str(), tally_.text().c_str());
    std::fflush(stdout);
    total_ += tally_;
  }

  int conclude() const {
    std::printf("power-loss: seed %llu, every %llu: %s\n", number(options_.seed),
                number(options_.every), total_.text().c_str());
    return total_.wrong == 0 && total_.states != 0 ? 0 : 1;
  }

 private:
  void blame(const std::string& what) {
    ++tally_.wrong;
    std::printf("WRONG %s\n", what.c_str());
  }

  /// Of one of the `last`, every state whatever the options say, unless there are too many.
  void cut(const PowerScene& scene, const SimFs& start, std::size_t at, bool last) {
    const auto fs = start.copy(options_.seed);
    fs->faults().add(sim::FsFault{
        .when = {.at_no_look = at}, .kind = sim::FsFault::Kind::power_off, .error = EIO});
    const PowerRun run = scene.act(*fs);
    ++tally_.cuts;
    Demands demands{.reported = run.status ? 1u : 0u,
                    .safe = std::max(run.safe, begun_.safe),
                    .handed = run.handed == 0 ? begun_.handed : run.handed,
                    .records = records_of(*fs)};
    const auto sets = fates_of(fs->pending(), options_.seed + at);
    for (const std::vector<Fate>& fates : sets) {
      if (number_++ % options_.every != 0 && !(last && sets.size() <= kAllSets)) continue;
      ++tally_.states;
      const auto after = fs->after_power_loss(fates, options_.seed + number_);
      demands.state = hash_of(*after);
      if (!seen_.insert(XXH3_64bits(&demands, sizeof demands)).second) continue;
      ++tally_.apart;
      const std::string wrong = judge(scene, *after, demands);
      if (wrong.empty()) continue;
      std::string text;
      for (const Fate fate : fates) text += "lwzt"[static_cast<int>(fate)];
      blame(scene.name + ", cut before operation " + std::to_string(at) + ", fates " + text + ": " +
            wrong);
    }
  }

  std::string judge(const PowerScene& scene, SimFs& fs, const Demands& demands) {
    const auto there = fs.exists(kPowerFolder);
    const auto begun = fs.exists(kWorkFolder);
    if (!there || !begun) return "the folders cannot be looked for";
    if (*there) {
      ++tally_.whole;
      tally_.reported += demands.reported;
    } else if (demands.reported != 0 || scene.publishes) {
      return "what was reported is gone";
    }
    if (scene.publishes) return judge_publication(scene, fs, demands);
    if (*there) {
      if (files_of(fs) != expected_) return "other bytes:" + difference(expected_, files_of(fs));
      return judge_index(fs, false);
    }
    return judge_rest(scene, fs, demands, *begun);
  }

  /// The manifest is the old one or the new one, with all that it names; and it can be replaced.
  std::string judge_publication(const PowerScene& scene, SimFs& fs, const Demands& demands) {
    const Files found = files_of(fs);
    const bool is_new = same_file(kManifest, found, expected_);
    if (!is_new && demands.reported != 0) return "what was reported is gone";
    if (!is_new && !same_file(kManifest, found, before_)) return "another manifest";
    if (const std::string lost = lacking(is_new ? expected_ : before_, found); !lost.empty())
      return "what the manifest names is gone:" + lost;
    if (std::string wrong = judge_index(fs, true); !wrong.empty()) return wrong;
    if (const PowerRun again = scene.act(fs); !again.status)
      return "again: " + again.status.error().to_string();
    // One after another that came through has a number of its own.
    if (!is_new && files_of(fs) != expected_)
      return "again: other bytes:" + difference(expected_, files_of(fs));
    return judge_index(fs, true);
  }

  /// What is left of a build loses at most the unit that was under way, and nothing that its
  /// caller was told is safe.
  std::string judge_rest(const PowerScene& scene, SimFs& fs, const Demands& demands, bool begun) {
    const std::uint64_t records = records_of(fs);
    if (records + 1 < demands.records)
      return std::to_string(records) + " of " + std::to_string(demands.records) + " records";
    const PowerRun again = scene.act(fs);
    if (!again.status) return "again: " + again.status.error().to_string();
    if (again.found < demands.safe || again.found > demands.handed)
      return "again: " + std::to_string(again.found) + " vectors, of " +
             std::to_string(demands.safe) + " that were safe and " +
             std::to_string(demands.handed) + " handed in";
    // The plan alone is no work.
    const bool gone_on = again.found > 0 || again.units > 1;
    ++(gone_on ? tally_.gone_on : begun ? tally_.anew : tally_.absent);
    return files_of(fs) == expected_ ? ""
                                     : "again: other bytes:" + difference(expected_, files_of(fs));
  }

  Options options_;
  std::uint64_t number_ = 0;
  PowerRun begun_;  // before the run that is cut off
  Files before_, expected_;
  std::unordered_set<std::uint64_t> seen_;
  Tally tally_, total_;
};

int run(const Options& options) {
  Campaign campaign(options);
  for (std::uint64_t round = 0; round < options.rounds; ++round)
    for (const PowerScene& scene : power_scenes(options.seed * 1000 + round))
      if (scene.name.starts_with(options.only)) campaign.run(scene);
  return campaign.conclude();
}

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  cairn::reliability::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--rounds") == 0)
      options.rounds = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--cuts") == 0) options.cuts = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--every") == 0)
      options.every = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seed") == 0) options.seed = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--only") == 0) options.only = argv[i + 1];
  }
  return cairn::reliability::run(options);
}

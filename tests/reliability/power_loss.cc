// Simulated loss of power: a build, a build that goes on, and a publication are cut off before each
// of their operations, and for each the disk is left in every state that it may be in - each subset
// of what was not synced, up to twelve changes, and samples beyond, whole, torn at 512 bytes, or as
// zeros. In each the folder is absent, can be gone on with, or is whole; what was reported is
// there.
//   power_loss [--rounds N] [--cuts N] [--every N] [--seed S] [--only SCENE]
// Each round builds with other parameters, drawn by seed; --cuts N: each N-th cut, --every N: each
// N-th state. A state that was seen before is judged once.
#include <xxhash.h>

#include <cstring>
#include <functional>
#include <map>
#include <unordered_map>

#include "engine/build/builder_fs.h"
#include "engine/build/calibrate_index.h"
#include "engine/search/open_index.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_rows.h"
#include "tests/sim/sim_fs.h"

namespace cairn::reliability {
namespace {

using sim::Fate;
using sim::SimFs;

constexpr char kFolder[] = "index";
constexpr std::uint32_t kK = 5;
constexpr std::size_t kExhaustiveMax = 12;

struct Options {
  std::uint64_t rounds = 7, cuts = 1, every = 1, seed = 1;
  std::string only;
};

/// What a round builds with.
BuildOptions drawn_build(std::uint64_t seed) {
  math::Rng rng(seed);
  BuildOptions options;
  options.degree = static_cast<std::uint32_t>(8 + rng.below(9));
  options.code_bytes = static_cast<std::uint32_t>(1 + rng.below(4));
  options.refine_bytes = static_cast<std::uint32_t>(rng.below(3) * 2);
  options.nav_edges = 8;
  options.threads = 1;
  options.partitions = static_cast<std::uint32_t>(1 + rng.below(5));
  options.calibration_rows = rng.below(4) == 0 ? 8 : 0;
  options.seed = 1 + rng.below(1000);
  options.memory_bytes = std::uint64_t{1} << 30;
  return options;
}

Status build_on(io::Fs& fs, const BuildOptions& options) {
  FaultRows source;
  CAIRN_TRY(build::build_index(fs, kFolder, source, options));
  return {};
}

Status build_by_batches_on(io::Fs& fs, BuildOptions options) {
  const FaultRows rows;
  options.fresh = true;
  CAIRN_ASSIGN(auto builder,
               build::create_builder(fs, kFolder, FaultRows::kDim, DType::u8, options));
  CAIRN_TRY(builder->add(rows.batch(), rows.labels()));
  CAIRN_TRY(builder->finish());
  return {};
}

Status calibrate_on(io::Fs& fs) {
  CAIRN_TRY(build::calibrate_index(fs, kFolder, {.rows = 8, .threads = 1, .seed = 5}));
  return {};
}

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
  visit_files(fs, kFolder, [&](const std::string& path) {
    if (!path.ends_with("/LOCK") && !path.ends_with("/JOURNAL")) files[path] = fs.bytes(path);
  });
  return files;
}

/// What is wrong with the index, if anything: every answer is judged by brute force.
std::string judge_index(SimFs& fs, bool calibrated) {
  const FaultRows rows;
  const auto index = search::open_index(fs, kFolder, {.io = IoBackend::sync});
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

/// Something that is cut off, and what has to hold of what is left.
struct Scene {
  std::string name;
  std::function<void(SimFs&)> before;
  std::function<Status(io::Fs&)> act;
  bool publishes = false;  // on an index that is there; else a build
};

struct Tally {
  std::uint64_t cuts = 0, states = 0, apart = 0, absent = 0, resumed = 0, whole = 0, wrong = 0;
  Tally& operator+=(const Tally& more) {
    cuts += more.cuts;
    states += more.states;
    apart += more.apart;
    absent += more.absent;
    resumed += more.resumed;
    whole += more.whole;
    wrong += more.wrong;
    return *this;
  }
  std::string text() const {
    return std::to_string(cuts) + " cuts, " + std::to_string(states) + " states, " +
           std::to_string(apart) + " of them apart: " + std::to_string(absent) + " absent, " +
           std::to_string(resumed) + " gone on from, " + std::to_string(whole) + " whole, " +
           std::to_string(wrong) + " wrong";
  }
};

class Campaign {
 public:
  explicit Campaign(Options options) : options_(std::move(options)) {}

  void run(const Scene& scene) {
    SimFs start;
    scene.before(start);
    std::size_t end = 0;
    {
      const auto undisturbed = start.copy(1);
      if (Status done = scene.act(*undisturbed); !done) give_up(done.error());
      end = undisturbed->operations().size();
      expected_ = files_of(*undisturbed);
    }
    seen_.clear();
    tally_ = {};
    for (std::size_t at = options_.seed % options_.cuts; at <= end; at += options_.cuts)
      cut(scene, start, at);
    std::printf("%s: %s\n", scene.name.c_str(), tally_.text().c_str());
    std::fflush(stdout);
    total_ += tally_;
  }

  int conclude() const {
    std::printf("power-loss: seed %llu, every %llu: %s\n",
                static_cast<unsigned long long>(options_.seed),
                static_cast<unsigned long long>(options_.every), total_.text().c_str());
    return total_.wrong == 0 && total_.states != 0 ? 0 : 1;
  }

 private:
  void cut(const Scene& scene, const SimFs& start, std::size_t at) {
    const auto fs = start.copy(options_.seed);
    fs->faults().add(
        sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::power_off, .error = EIO});
    const bool reported = static_cast<bool>(scene.act(*fs));
    ++tally_.cuts;
    const std::vector<sim::Pending> pending = fs->pending();
    auto sets = sim::fate_sets(pending.size(), options_.seed + at, kExhaustiveMax);
    // And every subset again, with the appends that it keeps torn.
    const std::size_t untorn = sets.size();
    for (std::size_t i = 0; i < untorn; ++i) {
      std::vector<Fate> torn = sets[i];
      bool differs = false;
      for (std::size_t p = 0; p < torn.size(); ++p)
        if (torn[p] == Fate::whole && pending[p].kind == sim::Pending::Kind::append) {
          torn[p] = Fate::torn;
          differs = true;
        }
      if (differs) sets.push_back(std::move(torn));
    }
    for (const std::vector<Fate>& fates : sets) {
      if (number_++ % options_.every != 0) continue;
      ++tally_.states;
      const auto after = fs->after_power_loss(fates, options_.seed + number_);
      const std::uint64_t state = hash_of(*after) * 2 + (reported ? 1 : 0);
      if (!seen_.emplace(state, true).second) continue;
      ++tally_.apart;
      std::string wrong = judge(scene, *after, reported);
      if (wrong.empty()) continue;
      ++tally_.wrong;
      std::string text;
      for (const Fate fate : fates) text += "lwzt"[static_cast<int>(fate)];
      std::printf("WRONG %s, cut before operation %zu, fates %s: %s\n", scene.name.c_str(), at,
                  text.c_str(), wrong.c_str());
    }
  }

  std::string judge(const Scene& scene, SimFs& fs, bool reported) {
    const auto there = fs.exists(kFolder);
    const auto begun = fs.exists(std::string(kFolder) + ".building");
    if (!there || !begun) return "the folders cannot be looked for";
    if (*there) {
      ++tally_.whole;
      if (!scene.publishes && files_of(fs) != expected_) return "other bytes:" + difference(fs);
      if (std::string wrong = judge_index(fs, scene.publishes); !wrong.empty()) return wrong;
      if (!scene.publishes) return {};
    } else {
      if (reported || scene.publishes) return "what was reported is gone";
      ++(*begun ? tally_.resumed : tally_.absent);
    }
    if (Status done = scene.act(fs); !done) return "again: " + done.error().to_string();
    // A publication after one that came through has a number of its own.
    if (scene.publishes) return judge_index(fs, true);
    return files_of(fs) == expected_ ? "" : "again: other bytes:" + difference(fs);
  }

  std::string difference(SimFs& fs) const {
    const Files found = files_of(fs);
    std::string names;
    for (const auto& [name, bytes] : expected_)
      if (!found.contains(name) || found.at(name) != bytes) names += " " + name;
    for (const auto& [name, bytes] : found)
      if (!expected_.contains(name)) names += " +" + name;
    return names;
  }

  Options options_;
  std::uint64_t number_ = 0;
  Files expected_;
  std::unordered_map<std::uint64_t, bool> seen_;
  Tally tally_, total_;
};

/// A build that was cut off in the middle, with nothing of what it had synced lost.
void half_built(SimFs& fs, const BuildOptions& options) {
  std::size_t end = 0;
  {
    const auto whole = fs.copy(1);
    if (Status done = build_on(*whole, options); !done) give_up(done.error());
    end = whole->operations().size();
  }
  fs.faults().add(sim::FsFault{.when = {.at = fs.operations().size() + end / 2}});
  if (build_on(fs, options)) give_up({.what = "a build was not cut off"});
  fs.faults().clear();
}

void built(SimFs& fs, BuildOptions options) {
  options.calibration_rows = 8;
  if (Status done = build_on(fs, options); !done) give_up(done.error());
}

std::vector<Scene> scenes_of(const BuildOptions& options) {
  const auto build = [options](io::Fs& fs) { return build_on(fs, options); };
  return {
      {.name = "build", .before = [](SimFs&) {}, .act = build},
      {.name = "build that goes on",
       .before = [options](SimFs& fs) { half_built(fs, options); },
       .act = build},
      {.name = "build by batches",
       .before = [](SimFs&) {},
       .act = [options](io::Fs& fs) { return build_by_batches_on(fs, options); }},
      {.name = "publication of a calibration",
       .before = [options](SimFs& fs) { built(fs, options); },
       .act = calibrate_on,
       .publishes = true},
  };
}

int run(const Options& options) {
  Campaign campaign(options);
  for (std::uint64_t round = 0; round < options.rounds; ++round)
    for (const Scene& scene : scenes_of(drawn_build(options.seed * 1000 + round)))
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

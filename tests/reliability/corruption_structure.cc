// Blocks and files in the wrong place: swapped, replayed from an older index, torn, zeroed, cut,
// grown, gone, of a newer format. Each is an error or has no effect, and verify names the file and
// the block.
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <functional>

#include "engine/build/replace_calibration.h"
#include "engine/search/index_folder.h"
#include "tests/reliability/corruption.h"

namespace cairn::reliability {
namespace {

using Bytes = std::vector<std::byte>;
using layout::FileRecord;

constexpr std::size_t kSectorBytes = 512;
constexpr std::uint64_t kDamageKinds = 16, kCommandEvery = 50;

struct Damage {
  std::string what;
  std::vector<std::pair<std::string, Bytes>> changed = {};
  std::string removed = {};
  Harm harm = {};  // what may be blamed
};

std::string in_folder(const char* name) { return std::string(kSimFolder) + "/" + name; }

SimIndexSpec two_segments(std::uint64_t seed, std::uint64_t build_seed) {
  SimIndexSpec spec = small_spec(seed);
  spec.two_segments = true;
  spec.build.seed = build_seed;
  return spec;
}

/// An index of two segments that was calibrated again after its build, and others built alike.
class World {
 public:
  explicit World(std::uint64_t seed)
      : known("two segments", two_segments(seed, seed)),
        index(known.index()),
        others{SimIndex(two_segments(seed + 1, seed)), SimIndex(two_segments(seed, seed + 1))} {
    old_manifest = index.fs().bytes(in_folder(layout::kManifestName));
    old_calibration = SimIndex::path_of(*index.manifest().calibration());
    old_calibration_bytes = index.fs().bytes(old_calibration);
    manifest = calibrate_again();
  }

  const FileRecord& file(math::Rng& rng) const {
    return manifest.files[rng.below(manifest.files.size())];
  }
  /// The same file of another index.
  static const FileRecord& alike(const SimIndex& other, const FileRecord& record) {
    if (search::role_of(record) == layout::Role::calibration)
      return *other.manifest().calibration();
    return *std::ranges::find(other.manifest().files, record.number, &FileRecord::number);
  }

  KnownIndex known;
  const SimIndex& index;
  std::array<SimIndex, 2> others;  // of other vectors; of another seed of the build
  layout::Manifest manifest;
  Bytes old_manifest, old_calibration_bytes;
  std::string old_calibration;

 private:
  layout::Manifest calibrate_again() {
    auto replaced = build::replace_calibration(index.fs(), kSimFolder, calibration_of(index.fs()));
    if (!replaced) give_up(replaced.error());
    return std::move(*replaced);
  }
};

std::span<std::byte> page_of(Bytes& bytes, const FileRecord& record, std::uint64_t page) {
  return std::span(bytes).subspan(page * record.page_bytes, record.page_bytes);
}

/// Draws damage by seed.
class Vandal {
 public:
  Vandal(const World& world, std::uint64_t seed) : world_(world), rng_(seed) {}

  Damage draw(std::uint64_t round) {
    using Kind = Damage (Vandal::*)();
    static constexpr Kind kKinds[] = {
        &Vandal::swap_within, &Vandal::swap_between, &Vandal::misdirect,
        &Vandal::replay,      &Vandal::tear,         &Vandal::zero_page,
        &Vandal::zero_sector, &Vandal::cut_at_page,  &Vandal::cut_anywhere,
        &Vandal::grow,        &Vandal::foreign_file, &Vandal::foreign_manifest,
        &Vandal::old_state,   &Vandal::remove,       &Vandal::spoil_manifest,
        &Vandal::newer_format};
    static_assert(std::size(kKinds) == kDamageKinds);
    for (;;) {
      Damage damage = (this->*kKinds[round % std::size(kKinds)])();
      // Zeros over zeros, and pages that are alike.
      if (!damage.removed.empty() || std::ranges::any_of(damage.changed, [&](const auto& change) {
            return world_.index.fs().bytes(change.first) != change.second;
          }))
        return damage;
    }
  }

 private:
  struct Picked {
    const FileRecord& record;
    std::string path;
    Bytes bytes;
    std::uint64_t page;
    Place place() const { return {path, {page}}; }
    std::string name() const { return "block " + std::to_string(page) + " of " + path; }
  };
  Picked pick() {
    const FileRecord& record = world_.file(rng_);
    const std::string path = SimIndex::path_of(record);
    return {record, path, world_.index.fs().bytes(path), rng_.below(record.pages)};
  }
  /// Every page of every file in turn.
  Picked pick_next(std::uint64_t& next) {
    std::uint64_t pages = 0;
    for (const FileRecord& record : world_.manifest.files) pages += record.pages;
    std::uint64_t page = next++ % pages;
    const FileRecord* record = world_.manifest.files.data();
    while (page >= record->pages) page -= record++->pages;
    const std::string path = SimIndex::path_of(*record);
    return {*record, path, world_.index.fs().bytes(path), page};
  }
  const SimIndex& other() { return world_.others[rng_.below(world_.others.size())]; }
  static Damage on_page(std::string what, Picked picked) {
    Damage damage{.what = what + ", " + picked.name()};
    damage.harm.places = {picked.place()};
    damage.changed.emplace_back(picked.path, std::move(picked.bytes));
    return damage;
  }
  static Damage on_file(std::string what, std::string path, Bytes bytes) {
    Damage damage{.what = what + ", " + path, .harm = {.places = {{path}}}};
    damage.changed.emplace_back(std::move(path), std::move(bytes));
    return damage;
  }

  Damage swap_within() {
    Picked picked = pick();
    const std::uint64_t second = rng_.below(picked.record.pages);
    std::ranges::swap_ranges(page_of(picked.bytes, picked.record, picked.page),
                             page_of(picked.bytes, picked.record, second));
    Damage damage = on_page("swapped with " + std::to_string(second), std::move(picked));
    if (second != damage.harm.places[0].blocks[0]) damage.harm.places[0].blocks.push_back(second);
    return damage;
  }

  Damage swap_between() {
    for (;;) {
      Picked a = pick(), b = pick();
      if (a.record.number == b.record.number || a.record.page_bytes != b.record.page_bytes)
        continue;
      std::ranges::swap_ranges(page_of(a.bytes, a.record, a.page),
                               page_of(b.bytes, b.record, b.page));
      Damage damage = on_page("swapped with " + b.name(), std::move(a));
      damage.harm.places.push_back(b.place());
      damage.changed.emplace_back(b.path, std::move(b.bytes));
      return damage;
    }
  }

  Damage misdirect() {
    Picked picked = pick();
    const std::uint64_t from = rng_.below(picked.record.pages);
    const Bytes page(page_of(picked.bytes, picked.record, from).begin(),
                     page_of(picked.bytes, picked.record, from).end());
    std::ranges::copy(page, page_of(picked.bytes, picked.record, picked.page).begin());
    return on_page("overwritten with " + std::to_string(from), std::move(picked));
  }

  /// What stood there in an index built before.
  Damage replay() {
    for (;;) {
      Picked picked = pick();
      const SimIndex& before = other();
      const FileRecord& record = World::alike(before, picked.record);
      if (picked.page >= record.pages || record.page_bytes != picked.record.page_bytes) continue;
      Bytes old = before.bytes_of(record);
      std::ranges::copy(page_of(old, record, picked.page),
                        page_of(picked.bytes, picked.record, picked.page).begin());
      return on_page("replayed from another index", std::move(picked));
    }
  }

  /// The tail of another page, as of a write that was cut off.
  Damage tear() {
    Picked picked = pick();
    const auto from = page_of(picked.bytes, picked.record, rng_.below(picked.record.pages));
    const auto to = page_of(picked.bytes, picked.record, picked.page);
    const std::size_t intact = kSectorBytes * (1 + rng_.below(to.size() / kSectorBytes - 1));
    std::ranges::copy(from.subspan(intact), to.begin() + static_cast<std::ptrdiff_t>(intact));
    return on_page("torn at " + std::to_string(intact), std::move(picked));
  }

  Damage zero_page() {
    Picked picked = pick_next(next_zeroed_);
    std::ranges::fill(page_of(picked.bytes, picked.record, picked.page), std::byte{0});
    return on_page("zeroed", std::move(picked));
  }
  Damage zero_sector() {
    Picked picked = pick();
    const auto page = page_of(picked.bytes, picked.record, picked.page);
    const std::size_t sector = rng_.below(page.size() / kSectorBytes);
    std::ranges::fill(page.subspan(sector * kSectorBytes, kSectorBytes), std::byte{0});
    return on_page("zeroed sector " + std::to_string(sector), std::move(picked));
  }

  Damage cut_at_page() {
    Picked picked = pick_next(next_cut_);
    picked.bytes.resize(picked.page * picked.record.page_bytes);
    return on_file("cut at block " + std::to_string(picked.page), picked.path, picked.bytes);
  }
  Damage cut_anywhere() {
    Picked picked = pick();
    picked.bytes.resize(rng_.below(picked.bytes.size()));
    return on_file("cut at byte " + std::to_string(picked.bytes.size()), picked.path, picked.bytes);
  }
  Damage grow() {
    Picked picked = pick();
    Bytes more(picked.record.page_bytes);
    if (rng_.below(2) == 0)
      std::ranges::copy(page_of(picked.bytes, picked.record, picked.page), more.begin());
    picked.bytes.insert(picked.bytes.end(), more.begin(), more.end());
    return on_file("grown by a block", picked.path, picked.bytes);
  }

  Damage foreign_file() {
    Picked picked = pick();
    const SimIndex& before = other();
    Bytes foreign = before.bytes_of(World::alike(before, picked.record));
    foreign.resize(picked.bytes.size());
    return on_file("replaced by that of another index", picked.path, std::move(foreign));
  }
  /// All files are foreign to it, and so any may be blamed.
  Damage foreign_manifest() {
    const std::string path = in_folder(layout::kManifestName);
    Damage damage = on_file("of another index", path, other().fs().bytes(path));
    for (const auto* manifest : {&world_.manifest, &world_.index.manifest()})
      for (const FileRecord& record : manifest->files)
        damage.harm.places.push_back({SimIndex::path_of(record)});
    return damage;
  }
  /// The calibration before the last, or the manifest that named it, come back.
  Damage old_state() {
    if (rng_.below(2) == 0)
      return on_file("of before", SimIndex::path_of(*world_.manifest.calibration()),
                     world_.old_calibration_bytes);
    Damage damage = on_file("of before", in_folder(layout::kManifestName), world_.old_manifest);
    damage.harm = {.places = {{world_.old_calibration}}, .code = ErrorCode::not_found};
    return damage;
  }

  Damage remove() {
    const std::uint64_t which = rng_.below(world_.manifest.files.size() + 2);
    Damage damage{.what = "removed"};
    if (which < world_.manifest.files.size())
      damage.removed = SimIndex::path_of(world_.manifest.files[which]);
    else
      damage.removed = in_folder(which % 2 == 0 ? layout::kManifestName : layout::kPinsName);
    // Without a manifest a folder is no index.
    const bool all = damage.removed == in_folder(layout::kManifestName);
    damage.harm = {.places = {{all ? kSimFolder : damage.removed}}, .code = ErrorCode::not_found};
    damage.what += ", " + damage.removed;
    return damage;
  }

  Damage spoil_manifest() {
    const std::string path = in_folder(layout::kManifestName);
    Bytes bytes = world_.index.fs().bytes(path);
    const std::uint64_t how = rng_.below(3), at = rng_.below(bytes.size());
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    if (how == 0) bytes.erase(from, bytes.end());
    if (how == 1) bytes.insert(from, std::byte{0});
    if (how == 2)
      std::fill_n(from, std::min<std::size_t>(kSectorBytes, bytes.size() - at), std::byte{0});
    // What states a newer version and is not whole may be one: rule 2 of FORMAT.md.
    layout::ManifestHeader header{};
    std::memcpy(&header, bytes.data(), std::min(sizeof header, bytes.size()));
    const bool newer = bytes.size() >= sizeof header && header.magic == layout::kManifestMagic &&
                       header.version > layout::kManifestVersion;
    Damage damage = on_file("spoilt at byte " + std::to_string(at), path, std::move(bytes));
    if (newer) damage.harm.code = ErrorCode::unsupported;
    return damage;
  }

  /// Whole, but of a version or with a feature that is not known yet: no damage, and alone said to
  /// be of a newer format.
  Damage newer_format() {
    const std::string path = in_folder(layout::kManifestName);
    Bytes bytes = world_.index.fs().bytes(path);
    layout::ManifestHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (rng_.below(2) == 0)
      header.version += static_cast<std::uint32_t>(1 + rng_.below(1000));
    else
      header.incompatible |= std::uint64_t{1} << (32 + rng_.below(32));
    header.checksum = 0;
    std::memcpy(bytes.data(), &header, sizeof header);
    header.checksum = XXH3_64bits(bytes.data(), bytes.size());
    std::memcpy(bytes.data(), &header, sizeof header);
    Damage damage = on_file("of a newer format", path, std::move(bytes));
    damage.harm.code = ErrorCode::unsupported;
    return damage;
  }

  const World& world_;
  math::Rng rng_;
  std::uint64_t next_zeroed_ = 0, next_cut_ = 0;
};

/// The same damage on real files and the command, that must fail and say where.
std::string check_command(const World& world, const Damage& damage, const std::string& cairn,
                          const std::string& folder) {
  write_out(world.index.fs(), folder);
  const std::string line = "'" + cairn + "' verify --quiet '" + folder + "' 2>&1";
  std::FILE* pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) return "cannot run " + cairn;
  std::string said;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) said += static_cast<char>(c);
  const int status = pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) return "exit status of verify, and " + said;
  const auto says = [&](const Place& place) {
    if (said.find(place.file.substr(place.file.rfind('/') + 1)) == std::string::npos) return false;
    return place.blocks.empty() || std::ranges::any_of(place.blocks, [&](std::uint64_t block) {
             return said.find("' block " + std::to_string(block) + ":") != std::string::npos;
           });
  };
  return std::ranges::any_of(damage.harm.places, says) ? "" : "the command says " + said;
}

struct Counts {
  std::uint64_t by_open = 0, by_verify = 0, by_command = 0;
};

/// Does the damage, asks, looks whom verify blames, and takes the damage back.
void suffer(const World& world, const Asker& asker, const Damage& damage, std::uint64_t round,
            Tally& tally, const std::function<std::string()>& command, Counts& counts) {
  sim::SimFs& fs = world.index.fs();
  std::vector<std::pair<std::string, Bytes>> before;
  for (const auto& [path, bytes] : damage.changed) {
    before.emplace_back(path, fs.bytes(path));
    fs.set_bytes(path, bytes);
  }
  const std::string aside = "aside";
  if (!damage.removed.empty())
    if (auto moved = fs.rename(damage.removed, aside); !moved) give_up(moved.error());
  const Held held = round % 3 == 0 ? Held::lean : Held::whole;
  Verdict verdict = asker.ask(fs, kSimFolder, held, true, damage.harm);
  bool opened = false;
  std::string unfair = check_blame(fs, kSimFolder, damage.harm, opened);
  (opened ? counts.by_verify : counts.by_open) += 1;
  if (unfair.empty() && command) {
    unfair = command();
    ++counts.by_command;
  }
  if (!unfair.empty()) verdict = {.kind = Verdict::Kind::wrong, .why = std::move(unfair)};
  tally.add(verdict, "round " + std::to_string(round) + ": " + damage.what);
  if (!damage.removed.empty())
    if (auto moved = fs.rename(aside, damage.removed); !moved) give_up(moved.error());
  for (auto& [path, bytes] : before) fs.set_bytes(path, std::move(bytes));
}

}  // namespace

PartResult break_structure(const CorruptionOptions& options) {
  const World world(options.seed);
  const Asker asker(world.known);
  const ScratchFolder scratch(options.scratch);
  Vandal vandal(world, options.seed);
  Tally tally;
  Counts counts;
  for (std::uint64_t i = 0; i < options.structures; ++i) {
    const Damage damage = vandal.draw(i);
    std::function<std::string()> command;
    if (!options.cairn.empty() && i / kDamageKinds % kCommandEvery == 0)
      command = [&] { return check_command(world, damage, options.cairn, scratch.path()); };
    suffer(world, asker, damage, i, tally, command, counts);
  }
  check_healed(asker, world.index.fs(), kSimFolder, tally);
  std::printf(
      "  structure: seed %llu: %llu blocks and files swapped, replayed, torn, zeroed, cut, grown "
      "or "
      "removed: %llu refused, %llu without effect, all blamed rightly by open (%llu) or verify "
      "(%llu), of these %llu by the command too: %llu wrong\n",
      number(options.seed), number(tally.total()), number(tally.refused), number(tally.harmless),
      number(counts.by_open), number(counts.by_verify), number(counts.by_command),
      number(tally.wrong));
  return {options.structures, tally.wrong + (tally.refused == 0)};
}

}  // namespace cairn::reliability

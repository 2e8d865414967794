// Random changes of bytes and bits over all files of a small index, on real files through every
// back end: an error, or answers as those of the whole index.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iterator>
#include <map>

#include "engine/search/index_folder.h"
#include "tests/reliability/corruption.h"

namespace cairn::reliability {
namespace {

constexpr IoBackend kBackends[] = {IoBackend::automatic, IoBackend::pread, IoBackend::sync};

/// By another way of reading each round, buffered and direct.
OpenOptions options_of(std::uint64_t round) {
  OpenOptions options;
  options.io = kBackends[round % std::size(kBackends)];
  options.direct = round / std::size(kBackends) % 2 != 0;
  return options;
}

/// A file held open for changing single bytes in place.
struct Target {
  std::string name;
  int fd = -1;
  std::uint64_t bytes = 0;
  std::uint64_t page_bytes = 0;  // 0: it has none

  Place place(std::uint64_t at, const std::string& folder) const {
    Place place{.file = folder + "/" + name};
    if (page_bytes != 0) place.blocks = {at / page_bytes};
    return place;
  }
};

std::vector<Target> targets_of(const std::string& folder, const layout::Manifest& manifest) {
  std::map<std::string, Target> sorted;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.file_size() == 0) continue;
    const std::string path = entry.path().string();
    sorted[path] = {entry.path().filename().string(), open(path.c_str(), O_RDWR | O_CLOEXEC),
                    entry.file_size()};
  }
  for (const layout::FileRecord& record : manifest.files)
    sorted.at(folder + "/" + layout::file_name(record.number, search::role_of(record))).page_bytes =
        record.page_bytes;
  std::vector<Target> targets;
  for (auto& [path, target] : sorted) targets.push_back(target);
  return targets;
}

void must_move(ssize_t bytes) {
  if (bytes != 1) give_up({.code = ErrorCode::io, .what = "change a byte in place"});
}

}  // namespace

PartResult change_at_random(const CorruptionOptions& options) {
  const KnownIndex known("small", small_spec(options.seed));
  const Asker asker(known);
  const ScratchFolder scratch(options.scratch);
  write_out(known.index().fs(), scratch.path());
  const std::vector<Target> targets = targets_of(scratch.path(), known.index().manifest());
  std::uint64_t total = 0;
  for (const Target& target : targets) total += target.bytes;
  Tally tally;
  math::Rng rng(options.seed);
  for (std::uint64_t i = 0; i < options.count; ++i) {
    std::uint64_t at = rng.below(total);
    std::size_t t = 0;
    while (at >= targets[t].bytes) at -= targets[t++].bytes;
    const auto offset = static_cast<off_t>(at);
    std::uint8_t byte = 0;
    must_move(pread(targets[t].fd, &byte, 1, offset));
    const std::uint64_t change = rng.below(2) == 0 ? 1u << rng.below(8) : 1 + rng.below(255);
    const auto damaged = static_cast<std::uint8_t>(byte ^ change);
    must_move(pwrite(targets[t].fd, &damaged, 1, offset));
    const Held held = rng.below(4) == 0 ? Held::lean : Held::whole;
    const Harm harm{.places = {targets[t].place(at, scratch.path())}};
    tally.add(
        asker.ask(io::posix_fs(), scratch.path(), held, i % 16 == 0, harm, options_of(i)),
        "byte " + std::to_string(at) + " of " + targets[t].name + " xor " + std::to_string(change));
    must_move(pwrite(targets[t].fd, &byte, 1, offset));
  }
  for (const Target& target : targets) close(target.fd);
  check_healed(asker, io::posix_fs(), scratch.path(), tally);
  std::printf(
      "  random: seed %llu: %llu changes over %llu bytes of %zu files through open and search: "
      "%llu refused, %llu without effect, %llu wrong\n",
      number(options.seed), number(options.count), number(total), targets.size(),
      number(tally.refused), number(tally.harmless), number(tally.wrong));
  return {options.count, tally.wrong + (tally.refused == 0)};
}

}  // namespace cairn::reliability

// The journal of a build and what is read by it before anything says that this build wrote it: the
// vectors that were handed over. The lowest bit of the first byte asks for right checksums; the
// rest is the file: records of checksum, kind, words, unit and so many words.
#include "engine/build/journal.h"

#include <xxhash.h>

#include <string>
#include <vector>

#include "engine/build/builder_fs.h"
#include "engine/build/cell_files.h"
#include "engine/build/estimate.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_fs.h"

namespace {

using namespace cairn;
using build::Journal;
using build::Unit;

constexpr char kFolder[] = "index.building", kPath[] = "index.building/JOURNAL";
constexpr std::size_t kHeaderBytes = 24;

/// Makes records of all the bytes: counts of words that fit, known kinds, and right checksums.
void repair(std::vector<std::byte>& bytes) {
  std::size_t at = 0;
  for (; bytes.size() - at >= kHeaderBytes;) {
    std::uint32_t kind = 0, words = 0;
    std::memcpy(&kind, &bytes[at + 8], 4);
    std::memcpy(&words, &bytes[at + 12], 4);
    kind = 1 + kind % 17;
    words = static_cast<std::uint32_t>(
        std::min<std::size_t>(words, (bytes.size() - at - kHeaderBytes) / 8));
    std::memcpy(&bytes[at + 8], &kind, 4);
    std::memcpy(&bytes[at + 12], &words, 4);
    const std::size_t size = kHeaderBytes + std::size_t{words} * 8;
    const std::uint64_t sum = XXH3_64bits_withSeed(&bytes[at + 8], size - 8, at);
    std::memcpy(&bytes[at], &sum, 8);
    at += size;
  }
  bytes.resize(at);
}

Journal open(io::Fs& fs) {
  auto journal = Journal::open(fs, kFolder);
  FUZZ_REQUIRE(journal.has_value());
  return std::move(*journal);
}

/// What is kept of the file is its beginning, is read again as the same, and is gone on with.
void go_on(sim::SimFs& fs, const std::vector<std::byte>& given) {
  const std::size_t records = open(fs).size();
  const auto kept = fs.bytes(kPath);
  FUZZ_REQUIRE(kept.size() <= given.size() && std::equal(kept.begin(), kept.end(), given.begin()));
  FUZZ_REQUIRE(records <= kept.size() / kHeaderBytes);
  Journal journal = open(fs);
  FUZZ_REQUIRE(journal.size() == records && fs.bytes(kPath) == kept);
  const Journal::Words words{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const bool there = journal.find(Unit::done, 3) != nullptr;
  FUZZ_REQUIRE(journal.append(Unit::done, 3, words).has_value());
  const Journal again = open(fs);
  FUZZ_REQUIRE(again.size() == records + (there ? 0 : 1) && *again.find(Unit::done, 3) == words);
  fs.set_bytes(kPath, given);
}

void read_records(io::Fs& fs) {
  const Journal journal = open(fs);
  if (const Journal::Words* words = journal.find(Unit::plan))
    FUZZ_REQUIRE(build::plan_from(*words).vectors == words->front());
  for (std::uint64_t cell = 0; cell < 4; ++cell)
    if (const Journal::Words* words = journal.find(Unit::link, cell))
      FUZZ_REQUIRE(build::LinkedCell::from(*words).cores == words->front());
}

/// A builder that vectors are handed to goes on, or says why not.
void hand_over(io::Fs& fs) {
  BuildOptions options;
  options.threads = 1;
  options.memory_bytes = std::uint64_t{1} << 30;
  auto builder = build::create_builder(fs, "index", 2, DType::u8, options);
  if (!builder) {
    FUZZ_REQUIRE(!builder.error().to_string().empty());
    return;
  }
  const std::uint8_t rows[4] = {1, 2, 3, 4};
  const std::uint64_t before = (*builder)->added();
  const Status added = (*builder)->add({rows, 2, 2, DType::u8});
  FUZZ_REQUIRE((*builder)->added() == before + (added ? 2 : 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const bool right = (input.take<std::uint8_t>() & 1) != 0;
  std::vector<std::byte> bytes(input.rest().begin(), input.rest().end());
  if (right) repair(bytes);
  sim::SimFs fs;
  FUZZ_REQUIRE(fs.make_dir(kFolder).has_value() && fs.create(kPath).has_value());
  fs.set_bytes(kPath, bytes);
  go_on(fs, bytes);
  read_records(fs);
  hand_over(fs);
  return 0;
}

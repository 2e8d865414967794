// Runs a fuzz target in the normal build: over every seed of its corpus, and over mutations of
// each. The folder of seeds is CAIRN_FUZZ_CORPUS of the environment, the number of mutations
// CAIRN_FUZZ_MUTATIONS, shared by the seeds; meson sets both.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/tools/formats/largest_allocation.h"

/// Of programs that count the lines they reach; null in others.
extern "C" void __llvm_profile_reset_counters() __attribute__((weak));

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kSeed = 7;
/// What a decoder may take at once beside twice its input.
constexpr std::size_t kAllocationBytes = std::size_t{64} << 20;

const char* setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct Case {
  std::string name;
  Bytes bytes;
};

/// By name, so that every run is the same.
std::vector<Case> read_corpus() {
  std::vector<Case> cases;
  for (const auto& entry : std::filesystem::directory_iterator(setting("CAIRN_FUZZ_CORPUS"))) {
    std::ifstream file(entry.path(), std::ios::binary);
    cases.push_back({entry.path().filename().string(), Bytes(std::istreambuf_iterator<char>(file),
                                                             std::istreambuf_iterator<char>())});
  }
  std::ranges::sort(cases, {}, &Case::name);
  return cases;
}

Bytes mutate(Bytes bytes, std::mt19937_64& random) {
  static constexpr std::uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff};
  for (std::uint64_t changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
    std::uint8_t& byte = bytes[random() % bytes.size()];
    switch (random() % 4) {
      case 0:
        byte ^= static_cast<std::uint8_t>(1U << (random() % 8));
        break;
      case 1:
        byte = static_cast<std::uint8_t>(random());
        break;
      case 2:
        byte = kEdges[random() % std::size(kEdges)];
        break;
      default:
        bytes.resize(random() % (bytes.size() + 1));
    }
  }
  return bytes;
}

void run(const Bytes& bytes) {
  // An allocation of exactly this size, so that a sanitizer sees a byte too many.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  cairn::formats::largest_allocation();
  EXPECT_EQ(LLVMFuzzerTestOneInput(exact.data(), exact.size()), 0);
  EXPECT_LE(cairn::formats::largest_allocation(), 2 * bytes.size() + kAllocationBytes);
}

TEST(Replay, EverySeed) {
  const std::vector<Case> cases = read_corpus();
  ASSERT_FALSE(cases.empty()) << "no seeds in '" << setting("CAIRN_FUZZ_CORPUS") << "'";
  run({});
  // What a target sets up with its first input, seeds have not reached.
  if (__llvm_profile_reset_counters != nullptr) __llvm_profile_reset_counters();
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    run(one.bytes);
  }
}

TEST(Replay, MutationsOfEverySeed) {
  const std::vector<Case> cases = read_corpus();
  const std::uint64_t all = std::strtoull(setting("CAIRN_FUZZ_MUTATIONS"), nullptr, 10);
  ASSERT_GE(all, cases.size()) << "CAIRN_FUZZ_MUTATIONS";
  const std::uint64_t rounds = all / cases.size();
  for (const Case& one : cases) {
    SCOPED_TRACE(testing::Message() << one.name << " seed " << kSeed);
    std::mt19937_64 random(kSeed);
    for (std::uint64_t round = 0; round < rounds; ++round) run(mutate(one.bytes, random));
  }
}

}  // namespace

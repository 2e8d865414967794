// The dial's promise on an index of tens of megabytes: at every limit, what the open index says it
// takes is within it, and is what its process takes.
#include <gtest/gtest.h>

#include "tests/engine/search/open_in_child.h"
#include "tests/engine/search/search_test_util.h"
#include "tests/sanitized.h"

namespace cairn::search::testing {
namespace {

constexpr std::uint64_t kVectors = 200'000;
constexpr std::int64_t kApartMax = 2 << 20;

TEST(MemoryCap, HoldsAndIsTheResidentSizeAtEveryLimit) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's shadow is resident too";
  const ScratchDir dir;
  const std::string folder = dir.file("index");
  build::build_index(folder, build::random_rows(kVectors, 24, DType::u8, 11),
                     {.code_bytes = 24, .refine_bytes = 24, .degree = 32, .threads = 2});
  const auto nothing = open_in_child(folder, nullptr);
  ASSERT_TRUE(nothing);
  std::uint64_t before = 0;
  for (const double limit : {40.0, 50.0, 60.0, 85.0, 120.0, 250.0}) {
    SCOPED_TRACE(limit);
    const OpenOptions options{.memory_limit_bytes_per_vector = limit};
    const auto open = open_in_child(folder, &options);
    ASSERT_TRUE(open);
    const auto limit_bytes = static_cast<std::uint64_t>(limit) * kVectors;
    EXPECT_LE(open->index_ram_bytes, limit_bytes);
    EXPECT_GT(open->index_ram_bytes, before) << "more memory holds more";
    before = open->index_ram_bytes;
    const auto grown = static_cast<std::int64_t>(open->rss_bytes - nothing->rss_bytes);
    const auto said = static_cast<std::int64_t>(open->index_ram_bytes);
    EXPECT_LE(std::abs(grown - said), kApartMax) << grown << " resident, " << said << " said";
  }
}

}  // namespace
}  // namespace cairn::search::testing

int main(int argc, char** argv) {
  if (const auto code = cairn::search::testing::run_as_child(argc, argv)) return *code;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

#include "layout/page.h"

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

constexpr PageId kId{.identity = 7, .page = 81, .generation = 3};

std::vector<std::byte> sealed(std::size_t bytes, const PageId& id, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> page = random_bytes(random, bytes);
  seal_page(page, id);
  return page;
}

TEST(Page, ASealedPagePassesWhateverItHeld) {
  for (const std::size_t bytes : {4096U, 8192U, 1U << 20}) {
    const auto page = sealed(bytes, kId, bytes);
    const Status status = check_page(page, kId);
    EXPECT_TRUE(status) << status.error().to_string();
  }
}

TEST(Page, AnyFlippedBitIsCorrupt) {
  auto page = sealed(4096, kId, 1);
  for (std::size_t bit = 0; bit < page.size() * 8; ++bit) {
    const auto flip = static_cast<std::byte>(1U << (bit % 8));
    page[bit / 8] ^= flip;
    ASSERT_FALSE(check_page(page, kId)) << "bit " << bit;
    page[bit / 8] ^= flip;
  }
  EXPECT_TRUE(check_page(page, kId));
}

TEST(Page, APageOfAnotherFilePlaceOrGenerationIsCorrupt) {
  const auto page = sealed(4096, kId, 2);
  for (const PageId& other :
       {PageId{8, 81, 3}, PageId{7, 82, 3}, PageId{7, 81, 2}, PageId{81, 7, 3}, PageId{}}) {
    const Status status = check_page(page, other);
    ASSERT_FALSE(status);
    expect_error(status.error(), ErrorCode::corrupt, {"block " + std::to_string(other.page)});
  }
}

TEST(Page, AnEmptyPageIsNotASealedOne) {
  const std::vector<std::byte> zeros(4096);
  EXPECT_FALSE(check_page(zeros, kId));
  EXPECT_FALSE(check_page(zeros, PageId{}));
}

TEST(Page, OnlyMultiplesOf4096AreChecked) {
  const std::vector<std::byte> page(12288);
  for (const std::size_t bytes : {0U, 8U, 4095U, 4097U, 6144U}) {
    const Status status = check_page(std::span(page).first(bytes), kId);
    ASSERT_FALSE(status);
    expect_error(status.error(), ErrorCode::corrupt,
                 {std::to_string(bytes) + " bytes", "multiple of 4096"});
  }
}

}  // namespace
}  // namespace cairn::layout

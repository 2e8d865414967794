#include "layout/streams.h"

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

static_assert(kLabelsPerLeaf == 339 && kLabelsPerInner == 510);
static_assert(sizeof(LabelsHeader) == 32 && offsetof(LabelsHeader, tops) == 24);

using Page = std::array<std::byte, kPageBytes>;
using Labels = std::vector<std::uint64_t>;
using Slots = std::vector<std::uint32_t>;

Labels ascending(std::size_t count, std::uint64_t from, std::uint64_t step) {
  Labels labels(count);
  for (std::size_t i = 0; i < count; ++i) labels[i] = from + i * step;
  return labels;
}

TEST(Labels, ThePlanCountsFullPagesOfEachLevel) {
  struct Case {
    std::uint64_t count, leaves, inners, tops;
  };
  for (const Case& one :
       {Case{1, 1, 1, 1}, Case{339, 1, 1, 1}, Case{340, 2, 1, 1}, Case{339 * 510, 510, 1, 1},
        Case{339 * 510 + 1, 511, 2, 1}, Case{std::uint64_t{339} * 510 * 510, 260100, 510, 1},
        Case{std::uint64_t{339} * 510 * 510 + 1, 260101, 511, 2},
        Case{0xffff'fffe, 12669521, 24843, 49}}) {
    const LabelsPlan plan = plan_labels(one.count);
    EXPECT_EQ(plan.header.count, one.count);
    EXPECT_EQ(plan.header.leaves, one.leaves) << one.count;
    EXPECT_EQ(plan.header.inners, one.inners) << one.count;
    EXPECT_EQ(plan.header.tops, one.tops) << one.count;
    EXPECT_EQ(plan.leaf_page(0), 1U);
    EXPECT_EQ(plan.inner_page(0), one.leaves + 1);
    EXPECT_EQ(plan.top_page(one.tops), plan.pages());
  }
}

TEST(Labels, TheHeaderMustAgreeWithManifestAndItself) {
  Page page;
  page.fill(std::byte{0xee});
  const LabelsPlan plan = plan_labels(100'000);
  encode_labels_header(plan, page);
  const auto decoded = decode_labels_header(page, plan.pages(), 100'000);
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->header.leaves, plan.header.leaves);
  const auto refused = [&](const Page& bytes, std::uint64_t pages, std::uint64_t count,
                           const std::vector<std::string>& words) {
    const auto result = decode_labels_header(bytes, pages, count);
    ASSERT_FALSE(result) << testing::PrintToString(words);
    expect_error(result.error(), ErrorCode::corrupt, words);
  };
  refused(page, plan.pages(), 100'001, {"labels header", "100000 labels", "100001"});
  refused(page, plan.pages() + 1, 100'000, {"299 pages", "298"});
  refused(page, 0, 100'000, {"0 pages"});
  for (const std::size_t at : {16U, 24U, 32U}) {
    Page other = page;
    store(other, at, ~std::uint64_t{0});
    refused(other, plan.pages(), 100'000, {"18446744073709551615", "295, 1, 1"});
  }
  EXPECT_FALSE(decode_labels_header(std::span(page).first(4095), plan.pages(), 100'000));
}

TEST(Labels, LeavesOfEveryLengthComeBack) {
  constexpr std::uint64_t kSeed = 51;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (std::size_t count = 1; count <= kLabelsPerLeaf; ++count) {
    Labels labels = ascending(count, random() % 1000, 1 + random() % (~std::uint64_t{0} / 400));
    Slots slots(count);
    for (std::uint32_t& slot : slots) slot = static_cast<std::uint32_t>(random() % 5000);
    Page page;
    page.fill(std::byte{0xee});
    encode_label_leaf(labels, slots, page);
    const auto leaf = decode_label_leaf(page, 5000);
    ASSERT_TRUE(leaf) << count << ": " << leaf.error().to_string();
    EXPECT_EQ(leaf->labels, labels);
    EXPECT_EQ(leaf->slots, slots);
  }
}

TEST(Labels, InnerPagesComeBack) {
  for (const std::size_t count : {1U, 2U, 509U, kLabelsPerInner}) {
    const Labels firsts = ascending(count, 0, ~std::uint64_t{0} / 511);
    Page page;
    encode_label_inner(firsts, page);
    const auto decoded = decode_label_inner(page);
    ASSERT_TRUE(decoded) << decoded.error().to_string();
    EXPECT_EQ(*decoded, firsts);
  }
}

TEST(Labels, MalformedPagesAreNamed) {
  Page leaf, inner;
  encode_label_leaf(Labels{5, 6, 9}, Slots{2, 1, 0}, leaf);
  encode_label_inner(Labels{5, 900}, inner);
  const auto refused = [](const auto& result, const std::vector<std::string>& words) {
    ASSERT_FALSE(result) << testing::PrintToString(words);
    expect_error(result.error(), ErrorCode::corrupt, words);
  };
  const auto altered = [](Page page, std::size_t at, auto value) {
    store(page, at, value);
    return page;
  };
  refused(decode_label_leaf(inner), {"label leaf", "kind 2", "1"});
  refused(decode_label_inner(leaf), {"label inner page", "kind 1", "2"});
  refused(decode_label_leaf(Page{}), {"kind 0"});
  for (const std::uint32_t count : {0U, 340U, 1U << 31, 0xffff'ffffU})
    refused(decode_label_leaf(altered(leaf, 12, count)),
            {std::to_string(count) + " labels", "1 to 339"});
  for (const std::uint32_t count : {0U, 511U, 0xffff'ffffU})
    refused(decode_label_inner(altered(inner, 12, count)),
            {std::to_string(count) + " labels", "1 to 510"});
  refused(decode_label_leaf(altered(leaf, 16, std::uint64_t{6})), {"do not ascend"});
  refused(decode_label_leaf(altered(leaf, 24, std::uint64_t{10})), {"do not ascend"});
  refused(decode_label_inner(altered(inner, 24, std::uint64_t{5})), {"do not ascend"});
  refused(decode_label_leaf(leaf, 2), {"slot 2", "below 2"});
  EXPECT_TRUE(decode_label_leaf(leaf, 3));
  refused(decode_label_leaf(altered(leaf, 2728, kNoSlot)), {"slot 4294967295"});
  refused(decode_label_leaf(std::span(leaf).first(4095)), {"4095 bytes", "4096"});
  refused(decode_label_inner({}), {"0 bytes", "4096"});
}

}  // namespace
}  // namespace cairn::layout

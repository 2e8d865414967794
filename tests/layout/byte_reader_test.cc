#include "layout/byte_reader.h"

#include <limits>

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

std::vector<std::byte> counted(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

TEST(ByteReader, TakesInOrderAndKnowsWhatRemains) {
  const auto bytes = counted(15);
  ByteReader reader(bytes, "sample");
  EXPECT_EQ(*reader.take<std::uint32_t>(), 0x0302'0100U);
  EXPECT_EQ(*reader.take_many<std::uint16_t>(2), (std::vector<std::uint16_t>{0x0504, 0x0706}));
  EXPECT_EQ(reader.position(), 8U);
  EXPECT_EQ(reader.take_span(3)->data(), bytes.data() + 8);
  EXPECT_EQ(reader.remaining(), 4U);
  EXPECT_TRUE(reader.take_many<std::uint64_t>(0)->empty());
  EXPECT_EQ(reader.remaining(), 4U);
  EXPECT_TRUE(reader.take<std::uint32_t>());
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(ByteReader, CountsBeyondTheEndAreRefusedBeforeAllocating) {
  const auto bytes = counted(16);
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t count :
       {std::uint64_t{3}, std::uint64_t{1} << 31, std::uint64_t{1} << 32, std::uint64_t{1} << 61,
        (std::uint64_t{1} << 61) + 1, kMax}) {
    ByteReader reader(bytes, "sample");
    const auto many = reader.take_many<std::uint64_t>(count);
    ASSERT_FALSE(many);
    expect_error(many.error(), ErrorCode::corrupt,
                 {"decode sample", "16 bytes at offset 0", std::to_string(count) + " x 8"});
    EXPECT_EQ(reader.remaining(), 16U) << "a refused take moves nothing";
  }
  ByteReader reader(bytes, "sample");
  EXPECT_FALSE(reader.take_span(17));
  EXPECT_FALSE(reader.take_span(kMax));
  EXPECT_TRUE(reader.take_span(9));
  EXPECT_FALSE(reader.take<std::uint64_t>());
  EXPECT_FALSE(reader.take_many<std::uint64_t>(1));
}

}  // namespace
}  // namespace cairn::layout

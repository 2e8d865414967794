#include "layout/adjacency.h"

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

using Targets = std::vector<std::uint32_t>;

std::vector<std::byte> encoded(std::uint32_t owner, const Targets& targets) {
  std::vector<std::byte> bytes(adjacency_bytes(owner, targets));
  const std::byte* const end = put_adjacency(bytes.data(), owner, targets);
  EXPECT_EQ(end, bytes.data() + bytes.size()) << "adjacency_bytes and put_adjacency disagree";
  return bytes;
}

std::vector<std::byte> of_bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

struct Outcome {
  DecodedList list;
  Targets targets;
};

/// Decodes with 0xff behind the list, so that reading on instead of stopping would show.
Outcome decode(std::vector<std::byte> bytes, std::uint32_t owner, std::uint64_t slot_count) {
  const std::size_t length = bytes.size();
  bytes.resize(length + kAdjacencyPadBytes, std::byte{0xff});
  Outcome outcome;
  outcome.targets.resize(kDegreeMax);
  outcome.list = decode_adjacency(bytes.data(), length, owner, slot_count, outcome.targets.data());
  outcome.targets.resize(outcome.list.degree);
  return outcome;
}

/// The format as a loop over bytes: no bounds, no speed.
Targets decode_plainly(std::span<const std::byte> bytes, std::uint32_t owner) {
  Targets targets;
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (const std::byte byte : bytes) {
    value |= (static_cast<std::uint64_t>(byte) & 0x7f) << shift;
    shift += 7;
    if ((byte & std::byte{0x80}) != std::byte{0}) continue;
    const std::uint64_t first = value % 2 == 0 ? owner + value / 2 : owner - value / 2 - 1;
    targets.push_back(
        static_cast<std::uint32_t>(targets.empty() ? first : targets.back() + value + 1));
    value = shift = 0;
  }
  return targets;
}

TEST(Adjacency, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(encoded(100, {101}), of_bytes({0x02}));
  EXPECT_EQ(encoded(100, {99}), of_bytes({0x01}));
  EXPECT_EQ(encoded(100, {100}), of_bytes({0x00}));
  EXPECT_EQ(encoded(100, {36, 37, 165, 166 + 16384}),
            of_bytes({0x7f, 0x00, 0x7f, 0x80, 0x80, 0x01}));
  EXPECT_EQ(encoded(0, {0xffff'fffe}), of_bytes({0xfc, 0xff, 0xff, 0xff, 0x1f}));
  EXPECT_EQ(encoded(0xffff'fffe, {0}), of_bytes({0xfb, 0xff, 0xff, 0xff, 0x1f}));
  EXPECT_EQ(encoded(5, {}), of_bytes({}));
}

TEST(Adjacency, ExtremesComeBack) {
  constexpr std::uint32_t kLast = 0xffff'fffe;
  for (const std::uint32_t owner : {0U, 1U, 0x7fff'ffffU, 0x8000'0000U, kLast})
    for (const Targets& targets :
         {Targets{0}, Targets{kLast}, Targets{0, kLast}, Targets{0, 1, kLast - 1, kLast},
          Targets{0x7fff'ffff, 0x8000'0000}, Targets{127, 255, 256, 16640, 2113793}}) {
      const Outcome outcome = decode(encoded(owner, targets), owner, 0xffff'ffff);
      ASSERT_EQ(outcome.list.fault, nullptr) << outcome.list.fault;
      EXPECT_EQ(outcome.targets, targets);
    }
}

TEST(Adjacency, RandomListsComeBackAndAgreeWithAPlainDecoder) {
  constexpr std::uint64_t kSeed = 11;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 8'000; ++round) {
    const std::uint64_t slots = 1 + random() % (std::uint64_t{1} << (1 + random() % 32));
    const auto owner = static_cast<std::uint32_t>(random() % slots);
    const Targets targets =
        random_targets(random, 1 + random() % (round % 50 == 0 ? kDegreeMax : 80), owner, slots);
    const auto bytes = encoded(owner, targets);
    ASSERT_EQ(decode_plainly(bytes, owner), targets) << "round " << round;
    const Outcome outcome = decode(bytes, owner, slots);
    ASSERT_EQ(outcome.list.fault, nullptr) << "round " << round << ": " << outcome.list.fault;
    ASSERT_EQ(outcome.targets, targets) << "round " << round;
    const Outcome tight = decode(bytes, owner, targets.back());
    ASSERT_STREQ(tight.list.fault, "a target beyond the last slot") << "round " << round;
  }
}

TEST(Adjacency, RandomBytesDecodeAsPlainlyOrNotAtAll) {
  constexpr std::uint64_t kSeed = 12;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = random_bytes(random, 1 + random() % 200);
    for (std::byte& byte : bytes)
      if (random() % 8 != 0) byte &= std::byte{0x7f};
    const auto owner = static_cast<std::uint32_t>(random());
    const Outcome outcome = decode(bytes, owner, 0xffff'ffff);
    if (outcome.list.fault != nullptr) continue;
    ++accepted;
    ASSERT_EQ(outcome.targets, decode_plainly(bytes, owner)) << "round " << round;
    ASSERT_TRUE(std::ranges::is_sorted(outcome.targets));
    ASSERT_LT(outcome.targets.back(), 0xffff'ffffU);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Adjacency, MalformedListsAreNamed) {
  const auto fault = [](std::initializer_list<int> bytes, std::uint64_t slots = 1000) {
    return std::string(decode(of_bytes(bytes), 100, slots).list.fault);
  };
  EXPECT_EQ(fault({0x80}), "an unfinished integer");
  EXPECT_EQ(fault({0x02, 0x03, 0x80}), "an unfinished integer");
  EXPECT_EQ(fault({0x80, 0x80, 0x80, 0x80, 0x80, 0x00}), "an integer of more than 5 bytes");
  EXPECT_EQ(fault({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}),
            "an integer of more than 5 bytes");
  EXPECT_EQ(fault({0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}), "an integer of more than 5 bytes");
  EXPECT_EQ(fault({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x02}),
            "an integer of more than 5 bytes");
  EXPECT_EQ(fault({0xc9, 0x01}), "a target below slot 0");
  EXPECT_EQ(fault({0xff, 0xff, 0xff, 0xff, 0x7f}), "a target below slot 0");
  EXPECT_EQ(fault({0xfe, 0xff, 0xff, 0xff, 0x7f}), "a target beyond the last slot");
  EXPECT_EQ(fault({0x02, 0xff, 0xff, 0xff, 0xff, 0x7f}), "a target beyond the last slot");
  EXPECT_EQ(fault({0x02}, 101), "a target beyond the last slot");
  EXPECT_EQ(fault({0x02, 0x00}, 102), "a target beyond the last slot");
  EXPECT_EQ(decode(of_bytes({0x02, 0x00}), 100, 103).targets, (Targets{101, 102}));
  EXPECT_EQ(decode(of_bytes({0xc7, 0x01}), 100, 103).targets, Targets{0});
}

TEST(Adjacency, TheLargestGapsDoNotWrapAround) {
  // 512 gaps of the largest value an integer of 5 bytes holds: 512 * 2^35 slots, far beyond any.
  std::vector<std::byte> bytes{std::byte{0}};
  for (std::uint32_t i = 1; i < kDegreeMax; ++i)
    for (const int byte : {0xff, 0xff, 0xff, 0xff, 0x7f})
      bytes.push_back(static_cast<std::byte>(byte));
  EXPECT_STREQ(decode(bytes, 0, 0xffff'ffff).list.fault, "a target beyond the last slot");
  // One gap of 2^32 - 1 more than the owner: 32 bits of it would be the owner again.
  EXPECT_STREQ(decode(of_bytes({0x00, 0xff, 0xff, 0xff, 0xff, 0x0f}), 7, 0xffff'ffff).list.fault,
               "a target beyond the last slot");
}

TEST(Adjacency, TheDegreeIsBounded) {
  Targets targets(kDegreeMax);
  for (std::uint32_t i = 0; i < kDegreeMax; ++i) targets[i] = 3 * i;
  const Outcome full = decode(encoded(9, targets), 9, 10'000);
  ASSERT_EQ(full.list.fault, nullptr) << full.list.fault;
  EXPECT_EQ(full.targets, targets);
  for (const std::size_t more : {1U, 2U, 63U, 64U, 65U, 4000U}) {
    std::vector<std::byte> bytes(kDegreeMax + more, std::byte{0});
    EXPECT_STREQ(decode(bytes, 9, 1'000'000).list.fault, "more than 512 edges") << more;
  }
}

}  // namespace
}  // namespace cairn::layout

#include "tools/formats/usearch_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/io/io_test_util.h"
#include "tests/tools/formats/index_samples.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/half.h"

namespace cairn::formats {
namespace {

using io::must;

const OpenIndex kOpen = [](const OpenSource& open) { return open_usearch(open, "x"); };

std::unique_ptr<IndexReader> open_bytes(const Bytes& file) {
  return must(kOpen(source_of_bytes(file)));
}
Bytes golden_file(const std::string& name) { return read_golden("usearch/" + name + ".usearch"); }

struct Golden {
  const char *name, *kind;
  Metric metric;
  std::uint32_t dim;
  DType dtype;
  std::uint64_t elements, deleted;
  std::uint32_t links_max;
};

TEST(UsearchReader, ReadsWhatUsearchWrote) {
  for (const Golden& golden : std::initializer_list<Golden>{
           {"cos", "f32, M 4", Metric::cosine, 5, DType::f32, 50, 0, 8},
           {"ip", "f32, M 5", Metric::ip, 3, DType::f32, 40, 0, 10},
           {"l2", "f32, M 2", Metric::l2, 4, DType::f32, 40, 0, 4},
           {"f16", "f16, M 4", Metric::l2, 5, DType::f32, 20, 0, 8},
           {"bf16", "bf16, M 4", Metric::cosine, 5, DType::f32, 20, 0, 8},
           {"f64", "f64, M 4", Metric::l2, 3, DType::f32, 20, 0, 8},
           {"i8", "i8, M 4", Metric::cosine, 6, DType::i8, 20, 0, 8},
           {"u8", "u8, M 4", Metric::l2, 6, DType::u8, 20, 0, 8},
           {"removed", "f32, M 3", Metric::l2, 2, DType::f32, 30, 8, 6},
           {"again", "f32, M 3", Metric::l2, 2, DType::f32, 30, 4, 6},
           {"multi", "f32, M 3, several vectors a key", Metric::l2, 2, DType::f32, 24, 0, 6},
           {"one", "f32, M 16", Metric::l2, 3, DType::f32, 1, 0, 32},
           {"empty", "f32, M 16", Metric::l2, 3, DType::f32, 0, 0, 32},
           {"wide", "i8, M 3", Metric::l2, 7, DType::i8, 30, 1, 6},
           {"narrow", "i8, M 3", Metric::l2, 7, DType::i8, 30, 1, 6}}) {
    SCOPED_TRACE(golden.name);
    const auto reader = open_bytes(golden_file(golden.name));
    const IndexFacts& facts = reader->facts();
    EXPECT_EQ(facts.kind, std::string("USearch 2.25.3, ") + golden.kind);
    EXPECT_EQ(facts.metric, golden.metric);
    EXPECT_EQ(facts.dim, golden.dim);
    EXPECT_EQ(facts.dtype, golden.dtype);
    EXPECT_EQ(facts.elements, golden.elements);
    EXPECT_EQ(facts.deleted, golden.deleted);
    EXPECT_EQ(facts.links_max, golden.links_max);
    EXPECT_EQ(facts.decoded_from, "");
    EXPECT_TRUE(facts.labelled);
    expect_elements(*reader, read_expected(std::string("usearch/") + golden.name + ".txt"));
  }
}

TEST(UsearchReader, RemovedElementsKeepTheirLinks) {
  const auto elements = must(read_all(*open_bytes(golden_file("removed"))));
  std::size_t from = 0, to = 0;
  for (const Element& element : elements) {
    EXPECT_EQ(element.label == ~Label{0}, element.deleted);
    from += element.deleted ? element.links.size() : 0;
    for (const std::uint32_t link : element.links) to += elements[link].deleted ? 1 : 0;
  }
  EXPECT_GT(from, 0u);
  EXPECT_GT(to, 0u);
}

TEST(UsearchReader, FloatsKeptAsBytesHaveALengthOf127) {
  for (const Element& element : must(read_all(*open_bytes(golden_file("i8"))))) {
    double square = 0;
    for (const std::byte value : element.vector)
      square += std::pow(static_cast<std::int8_t>(value), 2);
    EXPECT_LE(std::sqrt(square), 127) << element.label;
    EXPECT_GE(std::sqrt(square), 127 - std::sqrt(6)) << "six values cut to whole numbers";
  }
}

TEST(UsearchReader, WhatCairnHasNothingFor) {
  const auto refused = [](const char* name, const char* found, const char* expected) {
    expect_refused(kOpen, golden_file(name), ErrorCode::unsupported, found, expected);
  };
  refused("b1", "metric 98", "105 (ip)");
  refused("pearson", "metric 112", "105 (ip)");
  refused("e5m2", "scalars e5m2", "f64, f32, f16, bf16, i8 or u8");
  refused("bare", "no vectors", "saved with its vectors");
}

/// Three elements of one f32, M 2; element 1, the entry, is removed and has two levels above 0,
/// element 2 one.
struct Tiny {
  static constexpr std::size_t kHead = 20, kGraph = kHead + 64, kLevels = kGraph + 40;
  static constexpr std::size_t kNodes = kLevels + 6, kNode = 30, kUpper = 12;  // bytes
  static constexpr std::size_t kSecond = kNodes + kNode;
  static constexpr std::size_t kThird = kSecond + kNode + 2 * kUpper;

  static Bytes bytes() {
    Sample sample;
    sample.u32(3).u32(4).f32(0.5f).f32(1.5f).f32(2.5f);
    sample.text("usearch").u16(2).u16(25).u16(3).u8('e').u8(11).u8(14).u8(15);
    sample.u64(2).u64(1).u64(1).u8(0).zeros(22);
    sample.u64(3).u64(2).u64(4).u64(2).u64(1).u16(0).u16(2).u16(1);
    sample.u64(70).u16(0).u32(2).u32(1).u32(2).u32(0).u32(0);
    sample.u64(~0ull).u16(2).u32(1).u32(0).u32(9).u32(0).u32(0);
    sample.u32(1).u32(2).u32(0).u32(0).u32(0).u32(0);
    sample.u64(5).u16(1).u32(0).u32(0).u32(0).u32(0).u32(0);
    return sample.u32(1).u32(1).u32(0).bytes();
  }
  static std::vector<Element> elements() {
    const auto row = [](float value) { return Sample{}.f32(value).bytes(); };
    return {{70, false, false, {1, 2}, row(0.5f)},
            {~0ull, true, true, {0}, row(1.5f)},
            {5, false, true, {}, row(2.5f)}};
  }
};

/// The tiny file with `value` written over what is at `at`.
Bytes tiny_with(std::size_t at, const Sample& value) {
  Bytes file = Tiny::bytes();
  std::ranges::copy(value.bytes(), file.begin() + static_cast<std::ptrdiff_t>(at));
  return file;
}

TEST(UsearchReader, ReadsAFileWrittenByHand) {
  const auto reader = open_bytes(Tiny::bytes());
  EXPECT_EQ(reader->facts().links_max, 4u);
  expect_elements(*reader, Tiny::elements());
}

TEST(UsearchReader, KindsBefore2_10) {
  Bytes file = tiny_with(Tiny::kHead + 9, Sample{}.u16(9).u16(0).u8('e').u8(5).u8(8).u8(9));
  const auto reader = open_bytes(file);
  EXPECT_EQ(reader->facts().kind, "USearch 2.9.0, f32, M 2");
  expect_elements(*reader, Tiny::elements());
  file[Tiny::kHead + 9] = std::byte{10};
  expect_refused(kOpen, file, ErrorCode::unsupported, "scalars e5m2", "f32");
}

TEST(UsearchReader, AHeadThatContradictsItself) {
  struct Lie {
    std::size_t at;
    Sample value;
    ErrorCode code;
    const char *found, *expected;
  };
  constexpr ErrorCode kCorrupt = ErrorCode::corrupt, kUnsupported = ErrorCode::unsupported;
  constexpr std::size_t kHead = Tiny::kHead, kGraph = Tiny::kGraph;
  for (const Lie& lie : std::initializer_list<Lie>{
           {0, Sample{}.u32(4), kCorrupt, "4 x 4 or", "with 'usearch' behind"},
           {0, Sample{}.u32(~0u).u32(~0u), kCorrupt, "4294967295 x 4294967295", "behind them"},
           {kHead, Sample{}.text("U"), kCorrupt, "3 x 4 or", "with 'usearch' behind"},
           {kHead + 7, Sample{}.u16(3), kUnsupported, "version 3", "2"},
           {kHead + 13, Sample{}.u8('h'), kUnsupported, "metric 104", "101 (l2sq)"},
           {kHead + 14, Sample{}.u8(14), kUnsupported, "scalars u64", "f16"},
           {kHead + 14, Sample{}.u8(12), kCorrupt, "vectors of 4 bytes", "2 by its dim"},
           {kHead + 14, Sample{}.u8(99), kUnsupported, "scalars of kind 99", "f16"},
           {kHead + 15, Sample{}.u8(3), kUnsupported, "keys uuid", "u64 or u32"},
           {kHead + 16, Sample{}.u8(14), kUnsupported, "slots u64", "u32 or u40"},
           {kHead + 17, Sample{}.u64(3), kCorrupt, "3 elements and 1 deleted", "its 3 vectors"},
           {kHead + 17, Sample{}.u64(~0ull).u64(4), kCorrupt, "and 4 deleted", "its 3 vectors"},
           {kHead + 17, Sample{}.u64(1).u64(2), kCorrupt, "keys of the USearch index: 1 that are",
            "2, as the head"},
           {kHead + 33, Sample{}.u64(0), kCorrupt, "dimension 0", "1 to 32768"},
           {kHead + 33, Sample{}.u64(2), kCorrupt, "vectors of 4 bytes", "8 by its dim"},
           {kHead + 33, Sample{}.u64(32769), ErrorCode::over_limit, "dimension 32769", "1 to"},
           {kHead + 41, Sample{}.u8(2), kCorrupt, "several vectors a key: 2", "0 or 1"},
           {kGraph, Sample{}.u64(1ull << 60), kCorrupt, "1152921504606846976", "as vectors, 3"},
           {kGraph, Sample{}.u64(2), kCorrupt, "a graph of 2 elements", "as vectors, 3"},
           {kGraph + 8, Sample{}.u64(1), kCorrupt, "M 1, M0 4", "2 <= M <= M0 <= 65535"},
           {kGraph + 8, Sample{}.u64(5), kCorrupt, "M 5, M0 4", "2 <= M <= M0 <= 65535"},
           {kGraph + 8, Sample{}.u64(3), kCorrupt, "36 bytes of links above", "3 x 16"},
           {kGraph + 16, Sample{}.u64(65535), kCorrupt, "3 elements in 132 bytes", "at most 0"},
           {kGraph + 16, Sample{}.u64(1ull << 62), kCorrupt, "M 2, M0 461", "<= 65535"},
           {kGraph + 24, Sample{}.u64(1), kCorrupt, "element 1 of the USearch index: level 2",
            "at most 1"},
           {kGraph + 24, Sample{}.u64(3), kCorrupt, "entry 1 of the USearch index: level 2",
            "the highest, 3"},
           {kGraph + 24, Sample{}.u64(~0ull), kCorrupt, "entry 1 at level 1844", "0 to 32767"},
           {kGraph + 32, Sample{}.u64(2), kCorrupt, "entry 2 of the USearch index: level 1",
            "the highest, 2"},
           {kGraph + 32, Sample{}.u64(3), kCorrupt, "entry 3", "one of the 3"}})
    expect_refused(kOpen, tiny_with(lie.at, lie.value), lie.code, lie.found, lie.expected);
}

TEST(UsearchReader, NodesThatContradictTheirLevels) {
  const auto refused = [](std::size_t at, const Sample& value, const char* found,
                          const char* expected) {
    expect_refused(kOpen, tiny_with(at, value), ErrorCode::corrupt, found, expected);
  };
  refused(Tiny::kLevels, Sample{}.u16(1), "36 bytes of links above level 0", "4 x 12");
  refused(Tiny::kLevels, Sample{}.u16(0xffff), "element 0 of the USearch index: level 65535", "2");
  refused(Tiny::kLevels, Sample{}.u16(1).u16(2).u16(0), "node of element 0", "1 by the list");
  refused(Tiny::kSecond + 8, Sample{}.u16(1), "node of element 1 of the USearch index: level 1",
          "2 by the list");
  refused(Tiny::kSecond + 8, Sample{}.u16(3), "element 1 of the USearch index: level 3", "most 2");
}

TEST(UsearchReader, LinksThatLeadNowhere) {
  const auto refused = [](std::size_t at, const Sample& value, const char* found,
                          const char* expected) {
    expect_refused(kOpen, tiny_with(at, value), ErrorCode::corrupt, found, expected);
  };
  const std::size_t list = Tiny::kSecond + 10, upper = Tiny::kSecond + Tiny::kNode;
  refused(list, Sample{}.u32(5), "element 1, level 0 of the USearch index: 5 links", "at most 4");
  refused(list, Sample{}.u32(~0u), "4294967295 links", "at most 4");
  refused(list, Sample{}.u32(2), "a link to element 9", "one of 3");
  refused(upper, Sample{}.u32(3), "element 1, level 1 of the USearch index: 3 links", "at most 2");
  refused(upper + 4, Sample{}.u32(3), "element 1, level 1", "one of 3");
  refused(upper + 12, Sample{}.u32(1).u32(3), "element 1, level 2", "one of 3");
  refused(Tiny::kThird + 30, Sample{}.u32(1).u32(4), "element 2, level 1", "one of 3");
  Bytes slots = golden_file("wide");
  slots[slots.size() - 5 * 3 * 2] = std::byte{0};  // stays whole
  const std::size_t node = 16 + 30 * 7 + 64 + 40 + 30 * 2;
  slots[node + 8 + 2 + 4 + 4] = std::byte{1};  // the fifth byte of the first slot
  expect_refused(kOpen, slots, ErrorCode::corrupt, "a link to element 42949673", "one of 30");
}

TEST(UsearchReader, ALinkToItselfIsLeftOut) {
  const auto reader = open_bytes(tiny_with(Tiny::kNodes + 14, Sample{}.u32(0)));
  EXPECT_EQ(must(read_all(*reader))[0].links, std::vector<std::uint32_t>{2});
}

TEST(UsearchReader, OnlyTheExactLength) {
  expect_exact_length(kOpen, Tiny::bytes());
  for (const char* name : {"again", "wide", "empty"}) {
    SCOPED_TRACE(name);
    expect_exact_length(kOpen, golden_file(name));
  }
}

TEST(UsearchReader, EachByteOfTheHeadsMatters) {
  const Bytes file = golden_file("again");
  const std::size_t head = 8 + 30 * 2 * 4;
  const std::size_t unchecked = 2 + 2 + 1 + 22;  // minor, patch, multi, reserved
  const int refused = flip_bytes(kOpen, file, 0, 8) + flip_bytes(kOpen, file, head, head + 104);
  EXPECT_GE(refused, static_cast<int>(6 * (8 + 104 - unchecked)) - 8) << "entry: 8 may be another";
}

TEST(UsearchReader, NoChangedByteHarms) {
  const Bytes file = golden_file("again");
  for (std::size_t at = 0; at < file.size(); ++at) {
    Bytes other = file;
    other[at] ^= std::byte{0xff};
    const auto reader = kOpen(source_of_bytes(other));
    if (reader) {
      EXPECT_EQ(must(read_all(**reader)).size(), 30u);
    }
  }
}

TEST(UsearchReader, DoublesThatF32CannotHold) {
  Bytes file = golden_file("f64");
  std::ranges::copy(Sample{}.f64(0.1).bytes(), file.begin() + 8 + 24);
  const auto reader = open_bytes(file);
  EXPECT_EQ(reader->facts().decoded_from, "64-bit floats");
  const Bytes row = must(read_all(*reader))[1].vector;
  EXPECT_EQ(Bytes(row.begin(), row.begin() + 4), Sample{}.f32(0.1f).bytes());
  const Bytes large = Sample{}.f64(1e300).bytes(), nan = Sample{}.f64(std::nan("")).bytes();
  std::ranges::copy(large, file.begin() + 8 + 24);
  expect_refused(kOpen, file, ErrorCode::unsupported, "element 1 of the USearch index: a value",
                 "f32");
  std::ranges::copy(nan, file.begin() + 8 + 24);
  float value = 0;
  std::memcpy(&value, must(read_all(*open_bytes(file)))[1].vector.data(), sizeof value);
  EXPECT_TRUE(std::isnan(value)) << "refusing it is the builder's business";
}

TEST(UsearchReader, AFileOfUnknownSize) {
  const auto reader = kOpen([]() -> Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(Tiny::bytes(), false);
  });
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::unsupported);
}

TEST(UsearchReader, AFileThatChangesAfterOpening) {
  Bytes file = Tiny::bytes();
  struct View final : ByteSource {
    const Bytes* file;
    std::size_t at = 0;
    explicit View(const Bytes* bytes) : file(bytes) {}
    Result<std::size_t> read(std::span<std::byte> into) override {
      const std::size_t count = std::min(into.size(), file->size() - std::min(at, file->size()));
      std::copy_n(file->begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
      at += count;
      return count;
    }
    Status seek(std::uint64_t offset) override {
      at = static_cast<std::size_t>(offset);
      return {};
    }
    std::optional<std::uint64_t> bytes() const override { return file->size(); }
  };
  const auto reader = must(kOpen(
      [&]() -> Result<std::unique_ptr<ByteSource>> { return std::make_unique<View>(&file); }));
  std::vector<std::uint32_t> links(3 * 4);
  file = tiny_with(Tiny::kSecond + 10, Sample{}.u32(5));
  file[Tiny::kSecond + 8] = std::byte{7};
  Bytes vectors(12);
  std::vector<Label> labels(3);
  const auto changed = reader->read(0, vectors, labels);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().found, "level 7");
}

/// More elements than a block of levels and more bytes than a window; every eleventh has a level.
TEST(UsearchReader, LargerThanItsWindows) {
  constexpr std::uint32_t kElements = 20000;
  Sample vectors, levels, nodes;
  std::vector<Element> expected;
  for (std::uint32_t i = 0; i < kElements; ++i) {
    const unsigned level = i == 0 ? 3 : i % 11 == 0 ? 1 : 0;
    const std::uint32_t next = (i + 1) % kElements;
    vectors.u32(i).u32(i * 7).u32(0).u32(0).zeros(100);
    levels.u16(level);
    nodes.u64(i * 3).u16(level).u32(1).u32(next).zeros(12).zeros(12 * level);
    Sample row;
    row.u32(i).u32(i * 7).u32(0).u32(0).zeros(100);
    expected.push_back({i * 3, false, level > 0, {next}, row.bytes()});
  }
  Sample file;
  file.u32(kElements).u32(116).append(vectors.bytes());
  file.text("usearch").u16(2).u16(10).u16(0).u8('c').u8(23).u8(14).u8(15);
  file.u64(kElements).u64(0).u64(116).zeros(23);
  file.u64(kElements).u64(2).u64(4).u64(3).u64(0).append(levels.bytes()).append(nodes.bytes());
  const auto reader = open_bytes(file.bytes());
  EXPECT_TRUE(must(read_all(*reader, 100)) == expected);
  EXPECT_TRUE(must(read_all(*reader, kElements)) == expected);
  for (const std::uint64_t element : {19999u, 4096u, 4095u, 8193u, 0u, 12288u}) {
    std::uint32_t links[4];
    Bytes row(116);
    std::vector<Label> label(1);
    ASSERT_TRUE(io::ok(reader->read_links(element, links)));
    ASSERT_TRUE(io::ok(reader->read(element, row, label)));
    EXPECT_EQ(links[0], (element + 1) % kElements);
    EXPECT_EQ(label[0], element * 3);
  }
}

TEST(Half, EveryF16) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = float_of_f16(static_cast<std::uint16_t>(bits));
    const int exponent = static_cast<int>(bits >> 10 & 0x1f), fraction = bits & 0x3ff;
    ASSERT_EQ(std::signbit(value), bits >> 15 != 0) << bits;
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(value), fraction != 0) << bits;
      ASSERT_EQ(std::isinf(value), fraction == 0) << bits;
    } else {
      const int whole = exponent == 0 ? fraction : fraction + 1024;
      ASSERT_EQ(std::abs(value), std::ldexp(static_cast<float>(whole), std::max(exponent, 1) - 25))
          << bits;
    }
  }
}

TEST(Half, Bf16IsTheUpperHalf) {
  EXPECT_EQ(float_of_bf16(0x3f80), 1.0f);
  EXPECT_EQ(float_of_bf16(0xc0a0), -5.0f);
  EXPECT_EQ(float_of_bf16(0x0001), std::ldexp(1.0f, -133));
  EXPECT_EQ(float_of_bf16(0xff80), -std::numeric_limits<float>::infinity());
}

}  // namespace
}  // namespace cairn::formats

#include "tools/formats/hnswlib_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/io/io_test_util.h"
#include "tests/tools/formats/index_samples.h"
#include "tests/tools/formats/memory_source.h"

namespace cairn::formats {
namespace {

using io::must;

OpenIndex as(std::uint32_t dim, DType dtype) {
  return [=](const OpenSource& open) { return open_hnswlib(open, "x", {dim, dtype}); };
}
std::unique_ptr<IndexReader> open_bytes(const Bytes& file, std::uint32_t dim, DType dtype) {
  return must(as(dim, dtype)(source_of_bytes(file)));
}

struct Golden {
  const char* name;
  std::uint32_t dim;
  DType dtype;
  const char* kind;
  std::uint64_t elements, deleted;
};

TEST(HnswlibReader, ReadsWhatHnswlibWrote) {
  for (const Golden& golden : {Golden{"l2", 5, DType::f32, "hnswlib, M 4", 50, 0},
                               {"ip", 3, DType::f32, "hnswlib, M 5", 40, 0},
                               {"cosine", 4, DType::f32, "hnswlib, M 2", 40, 0},
                               {"deleted", 2, DType::f32, "hnswlib, M 3", 30, 8},
                               {"one", 3, DType::f32, "hnswlib, M 16", 1, 0},
                               {"empty", 3, DType::f32, "hnswlib, M 16", 0, 0},
                               {"u8", 8, DType::u8, "hnswlib, M 3", 40, 1}}) {
    SCOPED_TRACE(golden.name);
    const std::string path = std::string("hnswlib/") + golden.name;
    const auto reader = open_bytes(read_golden(path + ".hnsw"), golden.dim, golden.dtype);
    const IndexFacts& facts = reader->facts();
    EXPECT_EQ(facts.kind, golden.kind);
    EXPECT_EQ(facts.dim, golden.dim);
    EXPECT_EQ(facts.dtype, golden.dtype);
    EXPECT_EQ(facts.elements, golden.elements);
    EXPECT_EQ(facts.deleted, golden.deleted);
    EXPECT_TRUE(facts.labelled);
    EXPECT_FALSE(facts.metric);
    EXPECT_EQ(facts.decoded_from, "");
    expect_elements(*reader, read_expected(path + ".txt"));
  }
}

TEST(HnswlibReader, CosineStoresVectorsOfLengthOne) {
  const auto reader = open_bytes(read_golden("hnswlib/cosine.hnsw"), 4, DType::f32);
  for (const Element& element : must(read_all(*reader))) {
    double square = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      float value;
      std::memcpy(&value, element.vector.data() + 4 * i, 4);
      square += double{value} * double{value};
    }
    EXPECT_NEAR(square, 1, 1e-5) << element.label;
  }
}

TEST(HnswlibReader, AnotherShapeSaysWhichWouldFit) {
  const Bytes file = read_golden("hnswlib/l2.hnsw");
  const auto wrong = [&](std::uint32_t dim, DType dtype, const std::string& given) {
    expect_refused(as(dim, dtype), file, ErrorCode::invalid_argument,
                   "vectors of 20 bytes (dim 5 of f32, 20 of u8 or i8)", given);
  };
  wrong(6, DType::f32, "24 bytes");
  wrong(5, DType::u8, "5 bytes");
  EXPECT_EQ(open_bytes(file, 20, DType::i8)->facts().dim, 20u) << "nobody can tell";
  for (const std::uint32_t dim : {0u, kDimMax + 1})
    expect_refused(as(dim, DType::f32), file, ErrorCode::invalid_argument,
                   "dimension " + std::to_string(dim), "1 to 32768");
}

/// Three elements of one f32, M 2; element 1, the entry, has two levels above 0.
struct Tiny {
  static constexpr std::size_t kRecord = 4 + 4 * 4 + 4 + 8;  // bytes
  static constexpr std::size_t kElements = 96, kUpper = kElements + 3 * kRecord;

  static Sample header(std::uint64_t elements, std::uint32_t level_max, std::uint32_t entry) {
    Sample sample;
    sample.u64(0).u64(8).u64(elements).u64(kRecord).u64(24).u64(20);
    return sample.u32(level_max).u32(entry).u64(2).u64(4).u64(2).f64(1 / std::log(2)).u64(200);
  }
  static Bytes bytes() {
    Sample sample = header(3, 2, 1);
    sample.u16(2).u8(0).u8(0).u32(1).u32(2).u32(0).u32(0).f32(0.5f).u64(70);
    sample.u16(1).u8(1).u8(0).u32(0).u32(9).u32(0).u32(0).f32(1.5f).u64(71);
    sample.u16(0).u8(0).u8(0).u32(0).u32(0).u32(0).u32(0).f32(2.5f).u64(~0ull);
    sample.u32(0);
    sample.u32(24).u16(1).u16(0).u32(2).u32(0).u16(0).u16(0).u32(0).u32(0);
    return sample.u32(12).u16(1).u16(0).u32(1).u32(0).bytes();
  }
  static std::vector<Element> elements() {
    const auto row = [](float value) { return Sample{}.f32(value).bytes(); };
    return {{70, false, false, {1, 2}, row(0.5f)},
            {71, true, true, {0}, row(1.5f)},
            {~0ull, false, true, {}, row(2.5f)}};
  }
};

/// The tiny file with `value` written over what is at `at`.
Bytes tiny_with(std::size_t at, const Sample& value) {
  Bytes file = Tiny::bytes();
  std::ranges::copy(value.bytes(), file.begin() + static_cast<std::ptrdiff_t>(at));
  return file;
}

const OpenIndex kTiny = as(1, DType::f32);

TEST(HnswlibReader, ReadsAFileWrittenByHand) {
  const auto reader = must(kTiny(source_of_bytes(Tiny::bytes())));
  EXPECT_EQ(reader->facts().links_max, 4u);
  expect_elements(*reader, Tiny::elements());
}

TEST(HnswlibReader, OneFlagSaysDeleted) {
  Bytes file = tiny_with(Tiny::kElements + 2, Sample{}.u8(0xfe));
  file[Tiny::kElements + Tiny::kRecord + 2] = std::byte{0xff};
  expect_elements(*must(kTiny(source_of_bytes(file))), Tiny::elements());
}

TEST(HnswlibReader, AHeaderThatContradictsItself) {
  struct Lie {
    std::size_t at;
    Sample value;
    const char *found, *expected;
  };
  for (const Lie& lie : std::initializer_list<Lie>{
           {0, Sample{}.u64(96), "level 0 at byte 96", "0 in the first"},
           {8, Sample{}.u64(2), "3 elements", "capacity of 2"},
           {16, Sample{}.u64(9), "9 elements", "capacity of 8"},
           {24, Sample{}.u64(33), "records of 33", "32"},
           {32, Sample{}.u64(20), "labels at byte 20", "21 to 131092"},
           {32, Sample{}.u64(~0ull), "labels at byte 18446744073709551615", "21 to"},
           {40, Sample{}.u64(24), "vectors at byte 24", "20"},
           {48, Sample{}.u32(~0u), "entry 1 at level -1", "at level 0 or above"},
           {48, Sample{}.u32(3), "levels up to 2", "3"},
           {48, Sample{}.u32(1), "element 1", "at most 1 levels of 12 bytes"},
           {52, Sample{}.u32(3), "entry 3", "one of the 3"},
           {52, Sample{}.u32(2), "entry 2", "the highest, 2"},
           {56, Sample{}.u64(3), "at most 3 and 4 links", "2 and 4"},
           {64, Sample{}.u64(5), "at most 2 and 5 links", "2 and 4"},
           {72, Sample{}.u64(1), "M 1", "2 to 32767"},
           {72, Sample{}.u64(32768), "M 32768", "2 to 32767"},
           {72, Sample{}.u64(3), "2 and 4 links", "3 and 6"},
           {80, Sample{}.f64(std::nan("")), "level factor nan", "1.442695"},
           {80, Sample{}.f64(1.4427), "level factor", "1.442695"}})
    expect_refused(kTiny, tiny_with(lie.at, lie.value), ErrorCode::corrupt, lie.found,
                   lie.expected);
  expect_refused(kTiny, Bytes(95), ErrorCode::corrupt, "95 bytes", "at least 96");
}

TEST(HnswlibReader, CountsThatTheFileCannotHold) {
  const std::uint64_t many = std::uint64_t{1} << 60;
  expect_refused(kTiny, tiny_with(8, Sample{}.u64(many).u64(many)), ErrorCode::corrupt,
                 "1152921504606846976 elements", "at most 4 in 240 bytes");
  expect_refused(kTiny, Tiny::header(0, 0, ~0u).bytes(), ErrorCode::corrupt, "at level 0", "none");
  expect_refused(kTiny, Tiny::header(0, ~0u, 0).bytes(), ErrorCode::corrupt, "entry 0", "none");
  expect_refused(kTiny, Tiny::header(0, ~0u, ~0u).u8(0).bytes(), ErrorCode::corrupt, "byte 96",
                 "97");
}

TEST(HnswlibReader, LinksThatLeadNowhere) {
  const auto refused = [](std::size_t at, const Sample& value, const char* found,
                          const char* expected) {
    expect_refused(kTiny, tiny_with(at, value), ErrorCode::corrupt, found, expected);
  };
  const std::size_t second = Tiny::kElements + Tiny::kRecord;
  refused(second, Sample{}.u16(5), "element 1, level 0 of the hnswlib index: 5 links", "at most 4");
  refused(second, Sample{}.u16(2), "a link to element 9", "another of 3");
  refused(second + 4, Sample{}.u32(1),
          "element 1, level 0 of the hnswlib index: a link to "
          "element 1",
          "another of 3");
  const std::size_t upper = Tiny::kUpper + 4;
  refused(upper, Sample{}.u32(23), "23 bytes", "at most 2 levels of 12");
  refused(upper, Sample{}.u32(36), "36 bytes", "at most 2 levels of 12");
  refused(upper, Sample{}.u32(~0u), "4294967295 bytes", "at most 2 levels of 12");
  refused(upper, Sample{}.u32(12), "levels up to 1", "2, as the header says");
  refused(upper + 4, Sample{}.u16(3), "element 1, level 1 of the hnswlib index: 3 links", "2");
  refused(upper + 8, Sample{}.u32(3), "element 1, level 1", "another of 3");
  refused(upper + 16, Sample{}.u16(1).u16(0).u32(3), "element 1, level 2", "another of 3");
}

TEST(HnswlibReader, OnlyTheExactLength) {
  expect_exact_length(kTiny, Tiny::bytes());
  expect_exact_length(as(2, DType::f32), read_golden("hnswlib/deleted.hnsw"));
}

TEST(HnswlibReader, EachByteOfTheHeaderMatters) {
  const std::size_t unchecked = 8 + 8 + 4 + 4;  // capacity, ef, low bytes of the factor, entry
  const int refused = flip_bytes(as(2, DType::f32), read_golden("hnswlib/deleted.hnsw"), 0, 96);
  EXPECT_GE(refused, static_cast<int>(6 * (96 - unchecked)));
}

TEST(HnswlibReader, NoChangedByteHarms) {
  const Bytes file = read_golden("hnswlib/deleted.hnsw");
  const auto whole = read_expected("hnswlib/deleted.txt");
  for (std::size_t at = 96; at < file.size(); ++at) {
    Bytes other = file;
    other[at] ^= std::byte{0xff};
    const auto reader = as(2, DType::f32)(source_of_bytes(other));
    if (reader) {
      EXPECT_EQ(must(read_all(**reader)).size(), whole.size());
    }
  }
}

TEST(HnswlibReader, AFileOfUnknownSize) {
  const OpenSource open = []() -> Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(Tiny::bytes(), false);
  };
  const auto reader = open_hnswlib(open, "x", {1, DType::f32});
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::unsupported);
}

/// A file that is another each time it is opened.
OpenSource first_then(Bytes first, Bytes then) {
  return [first, then, opened = 0]() mutable -> Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(opened++ == 0 ? first : then);
  };
}

TEST(HnswlibReader, AFileThatChangesAfterOpening) {
  std::vector<std::uint32_t> links(3 * 4);
  const auto links_of = [&](const Bytes& then) {
    return must(kTiny(first_then(Tiny::bytes(), then)))->read_links(0, links);
  };
  const auto other = links_of(tiny_with(Tiny::kElements + 4, Sample{}.u32(3)));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().found, "a link to element 3");
  Bytes cut = Tiny::bytes();
  cut.resize(Tiny::kElements + 10);
  const auto shorter = links_of(cut);
  ASSERT_FALSE(shorter);
  EXPECT_EQ(shorter.error().code, ErrorCode::corrupt);
}

TEST(HnswlibReader, LargerThanItsWindow) {
  constexpr std::uint32_t kDim = 500, kElements = 2000;
  constexpr std::uint64_t kLabelOffset = 4 + 4 * 4 + 4 * kDim;
  Sample sample;
  sample.u64(0).u64(kElements).u64(kElements).u64(kLabelOffset + 8).u64(kLabelOffset).u64(20);
  sample.u32(0).u32(0).u64(2).u64(4).u64(2).f64(1 / std::log(2)).u64(200);
  std::vector<Element> expected;
  for (std::uint32_t i = 0; i < kElements; ++i) {
    Sample row;
    for (std::uint32_t d = 0; d < kDim; ++d) row.f32(static_cast<float>(i * kDim + d));
    const std::uint32_t next = (i + 1) % kElements;
    sample.u32(1).u32(next).u32(0).u32(0).u32(0);
    sample.append(row.bytes()).u64(i * 3);
    expected.push_back({i * 3, false, false, {next}, row.bytes()});
  }
  sample.zeros(std::size_t{4} * kElements);
  const auto reader = open_bytes(sample.bytes(), kDim, DType::f32);
  EXPECT_TRUE(must(read_all(*reader, 64)) == expected);
  EXPECT_TRUE(must(read_all(*reader, kElements)) == expected);
}

}  // namespace
}  // namespace cairn::formats

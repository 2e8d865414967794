#include "tools/formats/vector_format.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/tools/formats/format_samples.h"

namespace cairn::formats {
namespace {

Result<VectorHeader> decode(Format format, const Sample& sample) {
  return decode_header(format, sample.bytes(), sample.bytes().size());
}

constexpr const char* kPlainNpy = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2), }\n";

struct Malformed {
  const char* name;
  Format format;
  Sample file;
  ErrorCode code;
  const char* found;     // part of Error::found
  const char* expected;  // part of Error::expected
};

class MalformedHeader : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedHeader, IsRefusedSayingWhatWasFoundAndExpected) {
  const Malformed& one = GetParam();
  const auto header = decode(one.format, one.file);
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code, one.code) << header.error().to_string();
  EXPECT_NE(header.error().found.find(one.found), std::string::npos) << header.error().to_string();
  EXPECT_NE(header.error().expected.find(one.expected), std::string::npos)
      << header.error().to_string();
}

constexpr ErrorCode kCorrupt = ErrorCode::corrupt;
constexpr ErrorCode kUnsupported = ErrorCode::unsupported;
constexpr ErrorCode kOverLimit = ErrorCode::over_limit;

Sample npy_body(const char* dictionary) { return npy(1, dictionary).zeros(6); }

const std::vector<Malformed> kBinHeaders = {
    {"BinEmpty", Format::fbin, {}, kCorrupt, "0 bytes", "at least 8"},
    {"BinCut", Format::u8bin, Sample{}.u32(1).zeros(3), kCorrupt, "7 bytes", "at least 8"},
    {"BinNoVectors", Format::u8bin, Sample{}.u32(0).u32(4), kCorrupt, "0 vectors", "at least 1"},
    {"BinDimZero", Format::i8bin, Sample{}.u32(1).u32(0), kCorrupt, "dimension 0", "1 to 32768"},
    {"BinDimHuge", Format::fbin, Sample{}.u32(1).u32(32769), kOverLimit, "32769", "1 to 32768"},
    {"BinLies", Format::u8bin, Sample{}.u32(3).u32(4).zeros(11), kCorrupt, "19 bytes",
     "8 + 3 vectors of 4 bytes"},
    {"BinTail", Format::fbin, Sample{}.u32(1).u32(1).zeros(5), kCorrupt, "13 bytes", "of 4 bytes"},
    {"BinCountHuge", Format::fbin, Sample{}.u32(0xffffffff).u32(32768).zeros(64), kCorrupt,
     "72 bytes", "4294967295 vectors"},
};

const std::vector<Malformed> kVecsHeaders = {
    {"VecsEmpty", Format::fvecs, {}, kCorrupt, "0 bytes", "at least 4"},
    {"VecsCut", Format::bvecs, Sample{}.zeros(3), kCorrupt, "3 bytes", "at least 4"},
    {"VecsDimZero", Format::ivecs, Sample{}.u32(0), kCorrupt, "dimension 0", "1 to 32768"},
    {"VecsDimHuge", Format::fvecs, Sample{}.u32(0x80000000), kOverLimit, "2147483648", "32768"},
    {"VecsHalfRow", Format::bvecs, Sample{}.u32(4).zeros(5), kCorrupt, "9 bytes", "multiple of 8"},
    {"VecsNoRow", Format::bvecs, Sample{}.u32(4), kCorrupt, "4 bytes", "multiple of 8"},
};

const std::vector<Malformed> kNpyHeaders = {
    {"NpyEmpty", Format::npy, {}, kCorrupt, "no magic", "NUMPY"},
    {"NpyMagic", Format::npy, Sample{}.text("NUMPY").zeros(200), kCorrupt, "no magic", "NUMPY"},
    {"NpyCut", Format::npy, Sample{}.u8(0x93).text("NUMPY").u8(1), kCorrupt, "7 bytes", "10"},
    {"NpyCut2", Format::npy, Sample{}.u8(0x93).text("NUMPY").u8(2).zeros(4), kCorrupt, "11", "12"},
    {"NpyVersion4", Format::npy, npy(4, kPlainNpy), kUnsupported, "4.0", "1.0, 2.0 or 3.0"},
    {"NpyVersion0", Format::npy, npy(0, kPlainNpy), kUnsupported, "0.0", "1.0, 2.0 or 3.0"},
    {"NpyLength", Format::npy, Sample{}.u8(0x93).text("NUMPY").u8(1).u8(0).u8(255).u8(255),
     kCorrupt, "65535 bytes", "at most 0"},
    {"NpyLength2", Format::npy,
     Sample{}.u8(0x93).text("NUMPY").u8(2).u8(0).u32(0xffffffff).zeros(9), kCorrupt, "4294967295",
     "at most 9"},
    {"NpyFortran", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': True, 'shape': (3, 2), }"), kUnsupported,
     "Fortran order", "C order"},
    {"NpyDouble", Format::npy,
     npy_body("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }"), kUnsupported, "'<f8'",
     "'<f4'"},
    {"NpyBigEndian", Format::npy,
     npy_body("{'descr': '>f4', 'fortran_order': False, 'shape': (3, 2), }"), kUnsupported, "'>f4'",
     "'<f4'"},
    {"NpyStructured", Format::npy,
     npy_body("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (3, 2), }"), kCorrupt,
     "at key 'descr'", "a value"},
    {"NpyOneDimension", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }"), kCorrupt,
     "1 dimensions", "(count, dim)"},
    {"NpyThreeDimensions", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 1), }"), kCorrupt,
     "3 dimensions", "(count, dim)"},
    {"NpyScalar", Format::npy, npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (), }"),
     kCorrupt, "0 dimensions", "(count, dim)"},
    {"NpyNegative", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 2), }"), kCorrupt,
     "at key 'shape'", "a value"},
    {"NpyShapeOverflow", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 2), }"),
     kCorrupt, "at key 'shape'", "a value"},
    {"NpyCountHuge", Format::npy,
     npy_body("{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 2), }"),
     kCorrupt, "bytes", "18446744073709551615 vectors"},
    // 2^63 + 3 rows of 2 bytes are 6 bytes in 64 bits, as many as there are.
    {"NpySizeWraps", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775811, 2), }"),
     kCorrupt, "bytes", "9223372036854775811 vectors"},
    {"NpyDimHuge", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4294967298), }"), kOverLimit,
     "4294967298", "32768"},
    {"NpyDimZero", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 0), }"), kCorrupt,
     "dimension 0", "1 to 32768"},
    {"NpyTwice", Format::npy,
     npy_body("{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (3, 2), }"),
     kCorrupt, "key 'descr'", "once each"},
    {"NpyOtherKey", Format::npy,
     npy_body("{'descr': '|u1', 'order': 'C', 'fortran_order': False, 'shape': (3, 2), }"),
     kCorrupt, "key 'order'", "once each"},
    {"NpyMissing", Format::npy, npy_body("{'descr': '|u1', 'fortran_order': False, }"), kCorrupt,
     "missing", "shape"},
    {"NpyAfter", Format::npy,
     npy_body("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2), } x"), kCorrupt, "'x'",
     "nothing after"},
    {"NpyLies", Format::npy, npy(1, kPlainNpy).zeros(5), kCorrupt, "bytes", "3 vectors of 2"},
};

const std::vector<Malformed> kIdxHeaders = {
    {"IdxEmpty", Format::idx, {}, kCorrupt, "0 bytes", "at least 12"},
    {"IdxMagic", Format::idx, Sample{}.text("\x1f\x8b").zeros(20), kCorrupt, "0x1f 0x8b",
     "two zero bytes"},
    {"IdxLabels", Format::idx, Sample{}.u32_big(0x0801).u32_big(3).zeros(3), kCorrupt,
     "1 dimension", "labels"},
    {"IdxType", Format::idx, Sample{}.u32_big(0x0B02).u32_big(1).u32_big(1).zeros(2), kUnsupported,
     "0x0b", "0x08"},
    {"IdxCut", Format::idx, Sample{}.u32_big(0x0803).u32_big(3).u32_big(2), kCorrupt, "12 bytes",
     "a header of 16"},
    {"IdxDimZero", Format::idx, Sample{}.u32_big(0x0803).u32_big(3).u32_big(0).u32_big(2), kCorrupt,
     "dimension 1 of 0", "1 to 32768"},
    {"IdxProduct", Format::idx,
     Sample{}.u32_big(0x0804).u32_big(3).u32_big(0x8000).u32_big(0x8000).u32_big(0x8000),
     kOverLimit, "dimension 2", "a product of 1 to 32768"},
    {"IdxLies", Format::idx, Sample{}.u32_big(0x0802).u32_big(3).u32_big(2).zeros(7), kCorrupt,
     "19 bytes", "12 + 3 vectors of 2"},
};

std::string case_name(const ::testing::TestParamInfo<Malformed>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Bin, MalformedHeader, ::testing::ValuesIn(kBinHeaders), case_name);
INSTANTIATE_TEST_SUITE_P(Vecs, MalformedHeader, ::testing::ValuesIn(kVecsHeaders), case_name);
INSTANTIATE_TEST_SUITE_P(Npy, MalformedHeader, ::testing::ValuesIn(kNpyHeaders), case_name);
INSTANTIATE_TEST_SUITE_P(Idx, MalformedHeader, ::testing::ValuesIn(kIdxHeaders), case_name);

TEST(Header, BinGivesCountAndDimension) {
  const auto header = decode(Format::fbin, Sample{}.u32(2).u32(3).zeros(24));
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->count, 2U);
  EXPECT_EQ(header->dim, 3U);
  EXPECT_EQ(header->dtype, DType::f32);
  EXPECT_EQ(header->header_bytes, 8U);
}

TEST(Header, TheLargestDimensionIsAccepted) {
  const auto header = decode(Format::u8bin, Sample{}.u32(1).u32(kDimMax).zeros(kDimMax));
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->dim, kDimMax);
}

TEST(Header, NpyOfEveryVersionIsRead) {
  for (unsigned major = 1; major <= 3; ++major) {
    const auto header = decode(Format::npy, npy(major, kPlainNpy).zeros(6));
    ASSERT_TRUE(header) << major << ": " << header.error().to_string();
    EXPECT_EQ(header->count, 3U);
    EXPECT_EQ(header->dim, 2U);
    EXPECT_EQ(header->dtype, DType::u8);
  }
}

TEST(Header, NpyKeysStandInAnyOrderAndQuotes) {
  const auto header =
      decode(Format::npy,
             npy(1, "{\"shape\":(3,2,),'fortran_order':False,'descr':\"<f4\"}   \n").zeros(24));
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->dtype, DType::f32);
}

TEST(Header, IdxFlattensDimensionsAfterTheFirst) {
  const auto header = decode(
      Format::idx, Sample{}.u32_big(0x0803).u32_big(2).u32_big(28).u32_big(28).zeros(2 * 784));
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->count, 2U);
  EXPECT_EQ(header->dim, 784U);
  EXPECT_EQ(header->header_bytes, 16U);
}

TEST(Header, IdxKnowsSignedBytesAndBigEndianFloats) {
  EXPECT_EQ(decode(Format::idx, Sample{}.u32_big(0x0902).u32_big(1).u32_big(2).zeros(2))->dtype,
            DType::i8);
  const auto floats = decode(Format::idx, Sample{}.u32_big(0x0D02).u32_big(1).u32_big(2).zeros(8));
  ASSERT_TRUE(floats);
  EXPECT_EQ(floats->coding, Coding::f32_big_endian);
}

TEST(Header, CannotBeMadeForWhatTheFormatDoesNotHold) {
  EXPECT_EQ(make_header(Format::u8bin, DType::f32, 4, 1).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(make_header(Format::bvecs, DType::i8, 4, 1).error().found, "i8 vectors");
  EXPECT_EQ(make_header(Format::fbin, DType::f32, 4, 0).error().expected, "at least 1");
  EXPECT_FALSE(make_header(Format::fbin, DType::f32, 4, std::uint64_t{1} << 32));
  EXPECT_TRUE(make_header(Format::npy, DType::f32, 4, std::uint64_t{1} << 32));
  EXPECT_TRUE(make_header(Format::npy, DType::f32, 4, (std::uint64_t{1} << 59) - 100));
  for (const std::uint64_t count :
       {std::uint64_t{1} << 59, std::uint64_t{1} << 60, ~std::uint64_t{0}})
    EXPECT_EQ(make_header(Format::npy, DType::f32, 4, count).error().expected,
              "a file of less than 2^63 bytes");
  EXPECT_FALSE(make_header(Format::npy, DType::f32, 0, 1));
  EXPECT_FALSE(make_header(Format::npy, DType::f32, kDimMax + 1, 1));
}

TEST(Header, WhatIsEncodedIsDecoded) {
  for (Format format : {Format::fbin, Format::npy, Format::idx}) {
    const auto header = make_header(format, DType::f32, 17, 5);
    ASSERT_TRUE(header);
    Bytes bytes = encode_header(*header);
    ASSERT_EQ(bytes.size(), header->header_bytes);
    bytes.resize(bytes.size() + 5 * 17 * 4);
    const auto again = decode_header(format, bytes, bytes.size());
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_EQ(again->count, 5U);
    EXPECT_EQ(again->dim, 17U);
    EXPECT_EQ(again->dtype, DType::f32);
    EXPECT_EQ(again->coding, header->coding);
  }
}

TEST(Header, NpyDataIsAlignedAsNumpyWritesIt) {
  for (std::uint64_t count : {1ULL, 1000000ULL, 123456789012ULL})
    EXPECT_EQ(make_header(Format::npy, DType::u8, 128, count)->header_bytes % 64, 0U);
}

TEST(Rows, OfAnotherDimensionAreNamed) {
  const Sample file = Sample{}.u32(2).zeros(2).u32(2).zeros(2).u32(3).zeros(2);
  const auto header = decode(Format::bvecs, file);
  ASSERT_TRUE(header);
  Bytes rows(6);
  const auto decoded = decode_rows(*header, file.bytes(), 40, rows);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::corrupt);
  EXPECT_NE(decoded.error().what.find("row 42"), std::string::npos);
  EXPECT_EQ(decoded.error().found, "dimension 3");
}

TEST(Rows, Int32BeyondExactFloatsAreRefused) {
  const auto decode_one = [](std::uint32_t value) {
    const Sample file = Sample{}.u32(1).u32(value);
    const auto header = decode(Format::ivecs, file);
    float row = 0;
    const auto status =
        decode_rows(*header, file.bytes(), 0, std::as_writable_bytes(std::span{&row, 1}));
    return status ? std::optional{row} : std::nullopt;
  };
  EXPECT_EQ(decode_one(1 << 24), 16777216.0F);
  EXPECT_EQ(decode_one(static_cast<std::uint32_t>(-5)), -5.0F);
  EXPECT_EQ(decode_one((1 << 24) + 1), std::nullopt);
  EXPECT_EQ(decode_one(0x80000000), std::nullopt);
}

TEST(Rows, IvecsWritesWholeNumbersOnly) {
  const auto header = make_header(Format::ivecs, DType::f32, 1, 1);
  ASSERT_TRUE(header);
  Bytes raw(8);
  const auto encode_one = [&](float value) {
    return encode_rows(*header, std::as_bytes(std::span{&value, 1}), 0, raw).has_value();
  };
  EXPECT_TRUE(encode_one(-7));
  EXPECT_EQ(raw, Sample{}.u32(1).u32(static_cast<std::uint32_t>(-7)).bytes());
  EXPECT_FALSE(encode_one(0.5F));
  EXPECT_FALSE(encode_one(3e9F));
  EXPECT_FALSE(encode_one(std::numeric_limits<float>::quiet_NaN()));
}

TEST(Path, TellsTheFormat) {
  const auto format = [](const char* path) { return kind_of_path(path)->format; };
  EXPECT_EQ(format("a/b.fbin"), Format::fbin);
  EXPECT_EQ(format("b.u8bin"), Format::u8bin);
  EXPECT_EQ(format("b.i8bin"), Format::i8bin);
  EXPECT_EQ(format("b.fvecs"), Format::fvecs);
  EXPECT_EQ(format("b.bvecs"), Format::bvecs);
  EXPECT_EQ(format("b.ivecs"), Format::ivecs);
  EXPECT_EQ(format("b.npy"), Format::npy);
  EXPECT_EQ(format("b.idx"), Format::idx);
  EXPECT_EQ(format("/x/train-images-idx3-ubyte"), Format::idx);
  EXPECT_EQ(format("train-images.idx3-ubyte"), Format::idx);
  EXPECT_TRUE(kind_of_path("train-images-idx3-ubyte.gz")->gzip);
  EXPECT_FALSE(kind_of_path("train-images-idx3-ubyte")->gzip);
}

TEST(Path, OfAnotherExtensionIsRefusedByName) {
  for (const char* path : {"a.bin", "noextension", "a.fbin.gz", "dir.fbin/file", "idx.txt", ""}) {
    const auto kind = kind_of_path(path);
    ASSERT_FALSE(kind) << path;
    EXPECT_EQ(kind.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(kind.error().file, path);
    EXPECT_NE(kind.error().expected.find(".fbin"), std::string::npos);
  }
}

}  // namespace
}  // namespace cairn::formats

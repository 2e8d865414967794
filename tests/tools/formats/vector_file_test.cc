// Readers and writers on real files.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <random>

#include "tests/io/io_test_util.h"
#include "tests/tools/formats/format_samples.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/vector_reader.h"
#include "tools/formats/vector_writer.h"

namespace cairn::formats {
namespace {

using io::must;
using io::ScratchDir;

/// Whole numbers, so that .ivecs holds them too.
Bytes random_rows(DType dtype, std::size_t elements, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes rows(elements * dtype_bytes(dtype));
  for (std::size_t i = 0; i < elements; ++i) {
    const auto value = static_cast<float>(random() % 2001) - 1000;
    if (dtype == DType::f32) {
      std::memcpy(&rows[4 * i], &value, 4);
    } else {
      rows[i] = static_cast<std::byte>(random());
    }
  }
  return rows;
}

void write_bytes(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

void write_gzip(const std::string& path, const Bytes& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

void write_vectors(const std::string& path, const VectorWriter::Shape& shape, const Bytes& rows) {
  auto writer = must(VectorWriter::create(path, shape));
  const std::size_t row_bytes = shape.dim * dtype_bytes(shape.dtype);
  const std::size_t first = shape.count / 3 * row_bytes;
  EXPECT_TRUE(io::ok(writer->write(std::span{rows}.first(first))));
  EXPECT_TRUE(io::ok(writer->write(std::span{rows}.subspan(first))));
  EXPECT_TRUE(io::ok(writer->finish()));
}

Bytes read_all(VectorReader& reader, std::size_t rows_at_once) {
  Bytes all, part(rows_at_once * reader.row_bytes());
  while (const std::size_t got = must(reader.read(part)))
    all.insert(all.end(), part.begin(),
               part.begin() + static_cast<std::ptrdiff_t>(got * reader.row_bytes()));
  return all;
}

struct Kind {
  const char* file;
  DType dtype;
};
class RoundTrip : public ::testing::TestWithParam<Kind> {};

TEST_P(RoundTrip, GivesTheSameRowsInAnyChunks) {
  constexpr std::uint64_t kSeed = 11;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const auto [file, dtype] = GetParam();
  ScratchDir scratch;
  constexpr std::uint32_t kDim = 37;
  constexpr std::size_t kCount = 1001;
  const Bytes rows = random_rows(dtype, kDim * kCount, kSeed);
  write_vectors(scratch.file(file), {dtype, kDim, kCount}, rows);

  const auto reader = must(VectorReader::open(scratch.file(file)));
  EXPECT_EQ(reader->dtype(), dtype);
  EXPECT_EQ(reader->dim(), kDim);
  EXPECT_EQ(reader->count(), kCount);
  for (std::size_t rows_at_once : {1UL, 64UL, 5000UL}) {
    EXPECT_TRUE(io::ok(reader->rewind()));
    EXPECT_EQ(read_all(*reader, rows_at_once), rows) << rows_at_once;
  }
  EXPECT_TRUE(io::ok(reader->seek(1000)));
  EXPECT_EQ(read_all(*reader, 7),
            Bytes(rows.end() - std::ssize(rows) / std::ptrdiff_t{kCount}, rows.end()));
  EXPECT_FALSE(reader->seek(1002));
}

std::string kind_name(const ::testing::TestParamInfo<Kind>& kind) {
  std::string name = std::string{kind.param.file} + "_" + std::string{dtype_name(kind.param.dtype)};
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Formats, RoundTrip,
                         ::testing::Values(Kind{"x.fbin", DType::f32}, Kind{"x.u8bin", DType::u8},
                                           Kind{"x.i8bin", DType::i8}, Kind{"x.fvecs", DType::f32},
                                           Kind{"x.bvecs", DType::u8}, Kind{"x.ivecs", DType::f32},
                                           Kind{"x.npy", DType::f32}, Kind{"y.npy", DType::u8},
                                           Kind{"z.npy", DType::i8}, Kind{"x.idx", DType::f32},
                                           Kind{"y.idx", DType::u8},
                                           Kind{"z-idx2-byte", DType::i8}),
                         kind_name);

TEST(VectorFile, RowsLongerThanTheBufferAreRead) {
  ScratchDir scratch;
  const Bytes rows = random_rows(DType::f32, std::size_t{kDimMax} * 9, 3);
  write_vectors(scratch.file("x.fvecs"), {DType::f32, kDimMax, 9}, rows);
  const auto reader = must(VectorReader::open(scratch.file("x.fvecs")));
  EXPECT_EQ(read_all(*reader, 9), rows);
}

TEST(VectorFile, BytesOfEachFormatAreAsDocumented) {
  ScratchDir scratch;
  const float row[2] = {1, -2};
  const auto bytes_of = [&](const std::string& name) {
    auto writer = must(VectorWriter::create(scratch.file(name), {DType::f32, 2, 1}));
    EXPECT_TRUE(io::ok(writer->write(std::as_bytes(std::span{row}))));
    EXPECT_TRUE(io::ok(writer->finish()));
    std::ifstream file(scratch.file(name), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return Sample{}.text(text).bytes();
  };
  EXPECT_EQ(bytes_of("x.fbin"), Sample{}.u32(1).u32(2).f32(1).f32(-2).bytes());
  EXPECT_EQ(bytes_of("x.fvecs"), Sample{}.u32(2).f32(1).f32(-2).bytes());
  EXPECT_EQ(bytes_of("x.ivecs"), Sample{}.u32(2).u32(1).u32(0xfffffffe).bytes());
  EXPECT_EQ(bytes_of("x.idx"), Sample{}
                                   .u32_big(0x0D02)
                                   .u32_big(1)
                                   .u32_big(2)
                                   .u32_big(0x3f800000)
                                   .u32_big(0xc0000000)
                                   .bytes());
}

Sample idx_images(std::uint32_t count) {
  Sample sample = Sample{}.u32_big(0x0803).u32_big(count).u32_big(2).u32_big(3);
  for (std::uint32_t i = 0; i < count * 6; ++i) sample.u8(i & 0xff);
  return sample;
}

TEST(Gzip, IsUnpackedAndRewound) {
  ScratchDir scratch;
  const std::string path = scratch.file("t-idx3-ubyte.gz");
  const Sample images = idx_images(1000);
  write_gzip(path, images.bytes());
  const auto reader = must(VectorReader::open(path));
  EXPECT_EQ(reader->count(), 1000U);
  EXPECT_EQ(reader->dim(), 6U);
  const Bytes body(images.bytes().begin() + 16, images.bytes().end());
  EXPECT_EQ(read_all(*reader, 17), body);
  EXPECT_TRUE(io::ok(reader->seek(500)));
  EXPECT_EQ(read_all(*reader, 17), Bytes(body.begin() + 3000, body.end()));
}

/// Reads to the end; the error that came, or none.
std::optional<Error> error_of_reading(const std::string& path) {
  auto reader = VectorReader::open(path);
  if (!reader) return reader.error();
  Bytes part(100 * (*reader)->row_bytes());
  while (true) {
    const auto got = (*reader)->read(part);
    if (!got) return got.error();
    if (*got == 0) return std::nullopt;
  }
}

TEST(Gzip, ThatEndsEarlyOrLateIsCorrupt) {
  ScratchDir scratch;
  const std::string path = scratch.file("t-idx3-ubyte.gz");
  Bytes bytes = idx_images(1000).bytes();
  bytes.pop_back();
  write_gzip(path, bytes);
  ASSERT_TRUE(error_of_reading(path));
  EXPECT_EQ(error_of_reading(path)->what, "read row 999 of");
  bytes.resize(bytes.size() + 2);
  write_gzip(path, bytes);
  ASSERT_TRUE(error_of_reading(path));
  EXPECT_EQ(error_of_reading(path)->found, "more bytes");
}

TEST(Gzip, ThatIsCutOrIsNoneIsCorrupt) {
  ScratchDir scratch;
  const std::string path = scratch.file("t-idx3-ubyte.gz");
  write_gzip(path, idx_images(5000).bytes());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  ASSERT_TRUE(error_of_reading(path));
  EXPECT_EQ(error_of_reading(path)->code, ErrorCode::corrupt);
  write_bytes(path, idx_images(10).bytes());
  ASSERT_TRUE(error_of_reading(path));
  EXPECT_EQ(error_of_reading(path)->found, "no gzip magic");
  write_bytes(path, {});
  ASSERT_TRUE(error_of_reading(path));
  EXPECT_EQ(error_of_reading(path)->found, "an empty file");
}

TEST(Gzip, ALyingCountAllocatesNothing) {
  ScratchDir scratch;
  const std::string path = scratch.file("t-idx2-ubyte.gz");
  write_gzip(path, Sample{}.u32_big(0x0D02).u32_big(0xffffffff).u32_big(kDimMax).bytes());
  const auto reader = must(VectorReader::open(path));
  Bytes part(reader->row_bytes());
  const auto got = reader->read(part);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().expected, "4294967295 vectors, as its header says");
}

TEST(Open, NamesWhatIsWrongWithTheFile) {
  ScratchDir scratch;
  const auto missing = VectorReader::open(scratch.file("no.fbin"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_EQ(missing.error().file, scratch.file("no.fbin"));

  std::filesystem::create_directory(scratch.file("dir.fbin"));
  EXPECT_EQ(VectorReader::open(scratch.file("dir.fbin")).error().found, "a folder");

  write_bytes(scratch.file("cut.fbin"), Sample{}.u32(2).u32(2).zeros(15).bytes());
  const auto cut = VectorReader::open(scratch.file("cut.fbin"));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().to_string(), "corrupt: read the header of '" + scratch.file("cut.fbin") +
                                         "': found 23 bytes, expected 8 + 2 vectors of 8 bytes");
}

TEST(Open, FollowsASymbolicLink) {
  ScratchDir scratch;
  write_bytes(scratch.file("x.u8bin"), Sample{}.u32(1).u32(1).u8(9).bytes());
  std::filesystem::create_symlink("x.u8bin", scratch.file("link.u8bin"));
  EXPECT_EQ(read_all(*must(VectorReader::open(scratch.file("link.u8bin"))), 1),
            Bytes{std::byte{9}});
}

TEST(Read, NamesTheRowOfAnotherDimension) {
  ScratchDir scratch;
  Sample file;
  for (std::uint32_t row = 0; row < 200000; ++row) file.u32(row == 150000 ? 5 : 4).zeros(4);
  write_bytes(scratch.file("x.bvecs"), file.bytes());
  const auto error = error_of_reading(scratch.file("x.bvecs"));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->what, "read row 150000 of");
  EXPECT_EQ(error->found, "dimension 5");
  EXPECT_EQ(error->file, scratch.file("x.bvecs"));
}

TEST(Read, AFileThatShrinksWhileReadIsAnError) {
  ScratchDir scratch;
  write_bytes(scratch.file("x.u8bin"), Sample{}.u32(100).u32(10).zeros(1000).bytes());
  const auto reader = must(VectorReader::open(scratch.file("x.u8bin")));
  std::filesystem::resize_file(scratch.file("x.u8bin"), 508);
  Bytes part(1000);
  const auto got = reader->read(part);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "read row 50 of");
}

TEST(Write, LeavesNothingUntilFinished) {
  ScratchDir scratch;
  {
    const auto writer = must(VectorWriter::create(scratch.file("x.u8bin"), {DType::u8, 2, 2}));
    EXPECT_TRUE(io::ok(writer->write(Bytes(2))));
    EXPECT_FALSE(std::filesystem::exists(scratch.file("x.u8bin")));
    const auto finished = writer->finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().found, "1 vectors");
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(Write, ReplacesAFileButNothingElse) {
  ScratchDir scratch;
  write_bytes(scratch.file("x.u8bin"), Bytes(3));
  write_vectors(scratch.file("x.u8bin"), {DType::u8, 1, 1}, Bytes(1));
  EXPECT_EQ(must(VectorReader::open(scratch.file("x.u8bin")))->count(), 1U);
  std::filesystem::create_directory(scratch.file("d.u8bin"));
  EXPECT_EQ(VectorWriter::create(scratch.file("d.u8bin"), {DType::u8, 1, 1}).error().found,
            "a folder");
  std::filesystem::create_symlink("/dev/null", scratch.file("n.u8bin"));
  EXPECT_EQ(VectorWriter::create(scratch.file("n.u8bin"), {DType::u8, 1, 1}).error().found,
            "not a regular file");
}

TEST(Write, NeedsAFolderAndNoGzip) {
  ScratchDir scratch;
  EXPECT_EQ(VectorWriter::create(scratch.file("no/x.u8bin"), {DType::u8, 1, 1}).error().code,
            ErrorCode::not_found);
  EXPECT_EQ(VectorWriter::create(scratch.file("x.idx.gz"), {DType::u8, 1, 1}).error().code,
            ErrorCode::unsupported);
}

/// Pages of `path` in the page cache.
std::size_t cached_pages(const std::string& path) {
  const std::size_t bytes = std::filesystem::file_size(path);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  void* map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  std::vector<unsigned char> pages((bytes + 4095) / 4096);
  EXPECT_EQ(::mincore(map, bytes, pages.data()), 0);
  ::munmap(map, bytes);
  ::close(fd);
  return static_cast<std::size_t>(
      std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; }));
}

TEST(VectorReader, GivesPagesBackWhenAskedTo) {
  const ScratchDir scratch;
  struct statfs system = {};
  ASSERT_EQ(::statfs(scratch.path().c_str(), &system), 0);
  if (system.f_type == TMPFS_MAGIC) GTEST_SKIP() << "tmpfs is the page cache";
  constexpr std::uint64_t kRows = 4000;
  const std::string path = scratch.file("x.u8bin"), packed = scratch.file("x.idx.gz");
  const Bytes rows = random_rows(DType::u8, kRows * 1024, 1);
  write_vectors(path, {.dtype = DType::u8, .dim = 1024, .count = kRows}, rows);
  Bytes idx = Sample{}.u32_big(0x00000802).u32_big(kRows).u32_big(1024).bytes();
  idx.insert(idx.end(), rows.begin(), rows.end());
  write_gzip(packed, idx);
  for (const std::string& file : {path, packed}) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_EQ(::fsync(fd), 0) << "pages that wait to be written cannot be given back";
    ::close(fd);
    const std::size_t all = cached_pages(file);
    ASSERT_GE(all, 900U) << "freshly written";
    auto reader = must(VectorReader::open(file, PageCache::drop));
    EXPECT_EQ(read_all(*reader, 100), rows);
    EXPECT_LT(cached_pages(file), all / 2) << "while the file is open: " << file;
    reader.reset();
    EXPECT_LT(cached_pages(file), 64U) << file;
  }
}

}  // namespace
}  // namespace cairn::formats

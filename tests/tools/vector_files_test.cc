#include "tools/vector_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "tests/io/io_test_util.h"
#include "tools/formats/vector_writer.h"

namespace cairn::tools {
namespace {

using formats::VectorWriter;
using io::must;
using io::ok;
using io::ScratchDir;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kDim = 6;

/// Rows of u8 that count on from `first`, so that each says which it is.
Bytes rows_from(std::uint64_t first, std::uint64_t count, std::uint32_t dim = kDim) {
  Bytes rows(count * dim);
  for (std::uint64_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<std::byte>((first + i / dim) >> (8 * (i % dim % 3)) & 0xff);
  return rows;
}

void write_u8(const std::string& path, std::uint64_t first, std::uint64_t count,
              std::uint32_t dim = kDim) {
  const auto writer =
      must(VectorWriter::create(path, {.dtype = DType::u8, .dim = dim, .count = count}));
  ASSERT_TRUE(ok(writer->write(rows_from(first, count, dim))));
  ASSERT_TRUE(ok(writer->finish()));
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_gzip(const std::string& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

void write_u64bin(const std::string& path, const std::vector<Label>& labels) {
  std::ofstream file(path, std::ios::binary);
  const std::uint32_t head[2] = {static_cast<std::uint32_t>(labels.size()), 1};
  file.write(reinterpret_cast<const char*>(head), sizeof head);
  file.write(reinterpret_cast<const char*>(labels.data()),
             static_cast<std::streamsize>(labels.size() * sizeof(Label)));
}

Bytes read_rows(VectorFiles& source, std::uint64_t first, std::uint64_t count) {
  Bytes rows(count * source.dim());
  std::vector<Label> labels(source.labelled() ? count : 0);
  EXPECT_TRUE(ok(source.read(first, rows, labels)));
  return rows;
}

std::vector<Label> read_labels(VectorFiles& source, std::uint64_t first, std::uint64_t count) {
  Bytes rows(count * source.dim());
  std::vector<Label> labels(count);
  EXPECT_TRUE(ok(source.read(first, rows, labels)));
  return labels;
}

/// That the error is of `code` and its line holds every one of `parts`.
template <class T>
void expect_failed(const Result<T>& result, ErrorCode code, const std::vector<std::string>& parts) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code);
  const std::string line = result.error().to_string();
  for (const std::string& part : parts) EXPECT_NE(line.find(part), std::string::npos) << line;
}

std::string quoted(const std::string& path) { return std::string("'").append(path).append("'"); }
std::string row_of(int row, const std::string& path) {
  return std::string("row ").append(std::to_string(row)).append(" of ").append(quoted(path));
}

TEST(VectorFiles, NumbersRowsThroughAcrossFiles) {
  const ScratchDir dir;
  const std::vector<std::string> paths = {dir.file("z.u8bin"), dir.file("a.bvecs"),
                                          dir.file("m.npy")};
  write_u8(paths[0], 0, 10);
  write_u8(paths[1], 10, 1);
  write_u8(paths[2], 11, 300);
  const auto source = must(VectorFiles::open(paths));
  EXPECT_EQ(source->count(), 311U);
  EXPECT_EQ(source->dim(), kDim);
  EXPECT_EQ(source->dtype(), DType::u8);
  EXPECT_EQ(source->file_count(), 3U);
  EXPECT_FALSE(source->labelled());
  EXPECT_EQ(read_rows(*source, 0, 311), rows_from(0, 311));
  for (const std::uint64_t step : {1U, 4U, 11U, 128U})
    for (std::uint64_t first = 0; first < 311; first += step) {
      const std::uint64_t count = std::min<std::uint64_t>(step, 311 - first);
      ASSERT_EQ(read_rows(*source, first, count), rows_from(first, count)) << first;
    }
  // Back and forth.
  EXPECT_EQ(read_rows(*source, 9, 3), rows_from(9, 3));
  EXPECT_EQ(read_rows(*source, 200, 5), rows_from(200, 5));
  EXPECT_EQ(read_rows(*source, 3, 2), rows_from(3, 2));
  EXPECT_EQ(read_rows(*source, 311, 0), Bytes{});
  EXPECT_EQ(source->row_name(9), row_of(9, paths[0]));
  EXPECT_EQ(source->row_name(10), row_of(0, paths[1]));
  EXPECT_EQ(source->row_name(310), row_of(299, paths[2]));
}

TEST(VectorFiles, RefusesRowsThatThereAreNot) {
  const ScratchDir dir;
  write_u8(dir.file("a.u8bin"), 0, 10);
  const auto source = must(VectorFiles::open({dir.file("a.u8bin")}));
  Bytes two(2 * kDim);
  EXPECT_TRUE(ok(source->read(8, two, {})));
  expect_failed(source->read(9, two, {}), ErrorCode::invalid_argument, {"among 10"});
  expect_failed(source->read(~std::uint64_t{0}, two, {}), ErrorCode::invalid_argument, {});
  std::vector<Label> labels(2);
  expect_failed(source->read(0, two, labels), ErrorCode::invalid_argument, {"2 labels"});
  expect_failed(source->read(0, std::span{two}.first(7), {}), ErrorCode::invalid_argument,
                {"whole rows of 6 bytes"});
}

TEST(VectorFiles, AFolderIsItsVectorFilesSortedByName) {
  const ScratchDir dir;
  const std::string folder = dir.file("parts");
  std::filesystem::create_directories(folder + "/c.u8bin");  // a folder is no file
  write_u8(folder + "/part-10.u8bin", 0, 3);
  write_u8(folder + "/part-2.u8bin", 3, 2);
  write_u8(folder + "/B.bvecs", 5, 1);
  write_u8(dir.file("last.u8bin"), 6, 4);
  write_u8(folder + "/.hidden.u8bin", 0, 9);
  std::ofstream(folder + "/labels.txt") << "1\n";
  std::ofstream(folder + "/part-3.u8bin.part-77") << "unfinished";
  const auto files = must(expand_inputs({folder, dir.file("last.u8bin")}));
  EXPECT_EQ(files, (std::vector<std::string>{folder + "/B.bvecs", folder + "/part-10.u8bin",
                                             folder + "/part-2.u8bin", dir.file("last.u8bin")}));
  const auto source = must(VectorFiles::open({folder, dir.file("last.u8bin")}));
  EXPECT_EQ(source->count(), 10U);
  EXPECT_EQ(read_rows(*source, 0, 1), rows_from(5, 1));
  EXPECT_EQ(read_rows(*source, 1, 5), rows_from(0, 5));
  EXPECT_EQ(read_rows(*source, 6, 4), rows_from(6, 4));
}

TEST(VectorFiles, AFolderWithoutVectorsIsRefused) {
  const ScratchDir dir;
  std::filesystem::create_directory(dir.file("empty"));
  std::ofstream(dir.file("empty/readme.txt")) << "no vectors";
  expect_failed(VectorFiles::open({dir.file("empty")}), ErrorCode::invalid_argument,
                {quoted(dir.file("empty")), "without a file of a known vector format"});
  expect_failed(VectorFiles::open({dir.file("none")}), ErrorCode::invalid_argument, {"none"});
  expect_failed(VectorFiles::open({dir.file("none.u8bin")}), ErrorCode::not_found, {"none.u8bin"});
}

TEST(VectorFiles, FilesThatDifferAreRefusedByName) {
  const ScratchDir dir;
  const std::string a = dir.file("a.u8bin"), wide = dir.file("wide.u8bin"),
                    other = dir.file("f.fbin");
  write_u8(a, 0, 4);
  write_u8(wide, 0, 4, kDim + 1);
  const auto writer =
      must(VectorWriter::create(other, {.dtype = DType::f32, .dim = kDim, .count = 1}));
  ASSERT_TRUE(ok(writer->write(Bytes(kDim * 4))));
  ASSERT_TRUE(ok(writer->finish()));
  expect_failed(VectorFiles::open({a, wide}), ErrorCode::invalid_argument,
                {quoted(wide), "u8 of dimension 7", "u8 of dimension 6, that of '" + a + "'"});
  expect_failed(VectorFiles::open({a, other}), ErrorCode::invalid_argument,
                {quoted(other), "f32 of dimension 6", "u8 of dimension 6"});
}

class Labels : public ::testing::Test {
 protected:
  Labels() {
    write_u8(a_, 0, 10);
    write_u8(b_, 10, 5);
    for (Label i = 0; i < 15; ++i) all_.push_back((Label{1} << 60) + i * i);
    write_u64bin(dir_.file("all.u64bin"), all_);
    write_u64bin(dir_.file("a.u64bin"), {all_.begin(), all_.begin() + 10});
    std::ofstream text(dir_.file("b.txt"));
    for (std::size_t i = 10; i < 15; ++i) text << all_[i] << '\n';
  }
  void expect_ranges(VectorFiles& source) const {
    EXPECT_TRUE(source.labelled());
    EXPECT_EQ(read_labels(source, 0, 15), all_);
    for (const std::size_t first : {0U, 7U, 9U, 10U, 14U, 2U})
      for (std::size_t count = 1; count <= 15 - first; count += 3)
        EXPECT_TRUE(std::ranges::equal(read_labels(source, first, count),
                                       std::span{all_}.subspan(first, count)))
            << first << " " << count;
  }

  ScratchDir dir_;
  std::string a_ = dir_.file("a.u8bin"), b_ = dir_.file("b.u8bin");
  std::vector<Label> all_;
};

TEST_F(Labels, OneFileForAll) {
  expect_ranges(*must(VectorFiles::open({a_, b_}, {dir_.file("all.u64bin")})));
}

TEST_F(Labels, OneForEachFileOfEitherKind) {
  expect_ranges(*must(VectorFiles::open({a_, b_}, {dir_.file("a.u64bin"), dir_.file("b.txt")})));
}

TEST_F(Labels, OfAnotherNumberAreRefused) {
  expect_failed(VectorFiles::open({a_}, {dir_.file("all.u64bin")}), ErrorCode::invalid_argument,
                {"all.u64bin'", "15 x 1", "10 x 1"});
  expect_failed(VectorFiles::open({a_, b_}, {dir_.file("b.txt"), dir_.file("a.u64bin")}),
                ErrorCode::invalid_argument, {"b.txt'", "5 labels", "expected 10"});
  expect_failed(VectorFiles::open({a_, b_, a_}, {dir_.file("a.u64bin"), dir_.file("b.txt")}),
                ErrorCode::invalid_argument, {"2 files of labels", "1, or 3 in their order"});
}

TEST_F(Labels, AreReadWhereTheyAreAskedFor) {
  const auto source = must(VectorFiles::open({a_, b_}, {dir_.file("all.u64bin")}));
  {
    std::fstream file(dir_.file("all.u64bin"), std::ios::binary | std::ios::in | std::ios::out);
    const Label changed = 99;
    file.seekp(8 + 12 * 8);
    file.write(reinterpret_cast<const char*>(&changed), sizeof changed);
  }
  EXPECT_EQ(read_labels(*source, 12, 1), std::vector<Label>{99}) << "labels are held in memory";
}

TEST_F(Labels, OfATextAreReadFromAnyLine) {
  // More lines than lie between two marks of the reader.
  constexpr std::uint64_t kCount = 200'000;
  write_u8(dir_.file("many.u8bin"), 0, kCount);
  std::vector<Label> expected;
  std::ofstream text(dir_.file("many.txt"));
  for (Label i = 0; i < kCount; ++i) {
    expected.push_back(i * i);
    text << i * i << (i % 3 == 0 ? "\r\n" : "\n");
  }
  text.close();
  const auto source = must(VectorFiles::open({dir_.file("many.u8bin")}, {dir_.file("many.txt")}));
  const std::array<std::pair<std::uint64_t, std::uint64_t>, 8> ranges{{{0, kCount},
                                                                       {65'535, 3},
                                                                       {65'538, 2},
                                                                       {131'071, 1},
                                                                       {131'072, 1},
                                                                       {kCount - 1, 1},
                                                                       {0, 1},
                                                                       {70'000, 70'000}}};
  for (const auto& [first, count] : ranges)
    EXPECT_TRUE(std::ranges::equal(read_labels(*source, first, count),
                                   std::span{expected}.subspan(first, count)))
        << first << " " << count;
}

TEST_F(Labels, AFileCutShortIsAnError) {
  const auto source = must(VectorFiles::open({a_, b_}, {dir_.file("all.u64bin")}));
  std::filesystem::resize_file(dir_.file("all.u64bin"), 8 + 12 * 8 + 3);
  Bytes rows(15 * kDim);
  std::vector<Label> labels(15);
  expect_failed(source->read(0, rows, labels), ErrorCode::invalid_argument, {"all.u64bin'"});

  const auto from_text = must(VectorFiles::open({b_}, {dir_.file("b.txt")}));
  std::filesystem::resize_file(dir_.file("b.txt"), 30);
  expect_failed(from_text->read(0, std::span(rows).first(5 * kDim), std::span(labels).first(5)),
                ErrorCode::invalid_argument, {"b.txt'", "line 2"});
}

TEST(Stamp, ChangesWithAnyFile) {
  const ScratchDir dir;
  const std::string a = dir.file("a.u8bin"), b = dir.file("b.u8bin"), labels = dir.file("l.txt");
  write_u8(a, 0, 2);
  write_u8(b, 2, 2);
  std::ofstream(labels) << "1\n2\n3\n4\n";
  const auto source = must(VectorFiles::open({a, b}, {labels}));
  const std::uint64_t before = source->stamp();
  EXPECT_EQ(source->stamp(), before);
  EXPECT_EQ(must(VectorFiles::open({a, b}, {labels}))->stamp(), before);
  EXPECT_NE(must(VectorFiles::open({b, a}, {labels}))->stamp(), before);

  const auto time = std::filesystem::last_write_time(b);
  std::filesystem::last_write_time(b, time + std::chrono::nanoseconds{1});
  EXPECT_NE(source->stamp(), before) << "a time";
  std::filesystem::last_write_time(b, time);
  EXPECT_EQ(source->stamp(), before);

  std::filesystem::copy(a, dir.file("copy"));
  std::filesystem::last_write_time(dir.file("copy"), std::filesystem::last_write_time(a));
  std::filesystem::rename(dir.file("copy"), a);
  const std::uint64_t replaced = source->stamp();
  EXPECT_NE(replaced, before) << "an inode";
  std::ofstream(labels, std::ios::app) << "5\n";
  EXPECT_NE(source->stamp(), replaced);
  std::filesystem::remove(labels);
  EXPECT_NE(source->stamp(), replaced) << "a file that is gone";
}

TEST(VectorFiles, AFileThatBecameAnotherIsCorrupt) {
  const ScratchDir dir;
  const std::string a = dir.file("a.u8bin"), b = dir.file("b.u8bin");
  write_u8(a, 0, 4);
  write_u8(b, 4, 4);
  const auto source = must(VectorFiles::open({a, b}));
  EXPECT_EQ(read_rows(*source, 0, 2), rows_from(0, 2));
  std::filesystem::remove(b);
  write_u8(b, 4, 3);
  Bytes rows(8 * kDim);
  expect_failed(source->read(0, rows, {}), ErrorCode::corrupt, {quoted(b), "4 vectors"});
}

/// Bytes that this process has read with system calls.
std::uint64_t bytes_read() {
  std::ifstream file("/proc/self/io");
  std::string word;
  std::uint64_t value = 0;
  file >> word >> value;
  return value;
}

TEST(VectorFiles, GzipIsUnpackedOnceInOrder) {
  const ScratchDir dir;
  constexpr std::uint64_t kRows = 200000;
  const std::string path = dir.file("x.idx.gz");
  write_u8(dir.file("x.idx"), 0, kRows);
  write_gzip(path, read_file(dir.file("x.idx")));
  const auto source = must(VectorFiles::open({path}));
  ASSERT_EQ(source->count(), kRows);
  if (bytes_read() == 0) GTEST_SKIP() << "the system does not count";
  const std::uint64_t before = bytes_read();
  for (std::uint64_t first = 0; first < kRows; first += 1000)
    ASSERT_EQ(read_rows(*source, first, 1000), rows_from(first, 1000)) << first;
  // Once for the header and once for the rows.
  EXPECT_LT(bytes_read() - before, 3 * std::filesystem::file_size(path));
  EXPECT_EQ(read_rows(*source, 500, 3), rows_from(500, 3)) << "and back";
}

}  // namespace
}  // namespace cairn::tools

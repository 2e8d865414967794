// Files of vectors whose rows and bytes do not fit 31 or 32 bits: sparse, so that they take no
// room.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/io/io_test_util.h"
#include "tools/formats/bytes.h"
#include "tools/formats/vector_reader.h"

namespace cairn::formats {
namespace {

using io::must;
using io::ScratchDir;

constexpr std::uint32_t kDim = 4;
constexpr std::uint64_t kTwo31 = std::uint64_t{1} << 31, kTwo32 = std::uint64_t{1} << 32;

struct Case {
  const char* name;
  Format format;
  DType dtype;
};

class LargeFile : public ::testing::TestWithParam<Case> {
 protected:
  /// A file of `count` rows: the header, and of the rows only the first and the last written.
  void make(std::uint64_t count) {
    header_ = must(make_header(GetParam().format, GetParam().dtype, kDim, count));
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    write_at(fd, 0, encode_header(header_));
    for (const std::uint64_t row : {std::uint64_t{0}, count - 1}) {
      std::vector<std::byte> raw(header_.raw_row_bytes());
      ASSERT_TRUE(io::ok(encode_rows(header_, bytes_of(row), row, raw)));
      write_at(fd, header_.header_bytes + row * raw.size(), raw);
    }
    ::close(fd);
    ASSERT_EQ(std::filesystem::file_size(path_),
              header_.header_bytes + count * header_.raw_row_bytes());
  }

  /// Bytes that say which row it is, as whole numbers where the elements are floats.
  std::vector<std::byte> bytes_of(std::uint64_t row) const {
    std::vector<std::byte> bytes(header_.row_bytes());
    for (std::uint32_t i = 0; i < kDim; ++i) {
      const auto part = static_cast<std::uint8_t>(row == 0 ? 7 + i : row >> (8 * i));
      if (header_.dtype == DType::f32) {
        const auto element = static_cast<float>(part);
        std::memcpy(bytes.data() + i * sizeof element, &element, sizeof element);
      } else {
        bytes[i] = std::byte{part};
      }
    }
    return bytes;
  }

  static void write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes) {
    ASSERT_EQ(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }

  ScratchDir dir_;
  std::string path_ = dir_.file(std::string("x") + GetParam().name);
  VectorHeader header_;
};

INSTANTIATE_TEST_SUITE_P(, LargeFile,
                         ::testing::Values(Case{".u8bin", Format::u8bin, DType::u8},
                                           Case{".i8bin", Format::i8bin, DType::i8},
                                           Case{".fbin", Format::fbin, DType::f32},
                                           Case{".bvecs", Format::bvecs, DType::u8},
                                           Case{".fvecs", Format::fvecs, DType::f32},
                                           Case{".ivecs", Format::ivecs, DType::f32},
                                           Case{".npy", Format::npy, DType::u8},
                                           Case{".idx", Format::idx, DType::u8}),
                         [](const auto& given) { return std::string(given.param.name + 1); });

TEST_P(LargeFile, IsReadAtItsEnds) {
  const Format format = GetParam().format;
  const bool counts_to_32_bits = format == Format::fbin || format == Format::u8bin ||
                                 format == Format::i8bin || format == Format::idx;
  for (const std::uint64_t count :
       {kTwo31 - 1, kTwo31, kTwo32 - 1, kTwo32, kTwo32 + 1, 3 * kTwo32}) {
    SCOPED_TRACE(count);
    if (count >= kTwo32 && counts_to_32_bits) {
      EXPECT_FALSE(make_header(format, GetParam().dtype, kDim, count));
      continue;
    }
    ASSERT_NO_FATAL_FAILURE(make(count));
    const auto reader = must(VectorReader::open(path_));
    EXPECT_EQ(reader->count(), count);
    std::vector<std::byte> row(reader->row_bytes());
    EXPECT_EQ(must(reader->read(row)), 1U);
    EXPECT_EQ(row, bytes_of(0));
    ASSERT_TRUE(io::ok(reader->seek(count - 1)));
    EXPECT_EQ(must(reader->read(row)), 1U);
    EXPECT_EQ(row, bytes_of(count - 1));
    EXPECT_EQ(must(reader->read(row)), 0U) << "the end";
  }
}

TEST_P(LargeFile, OfAByteMoreOrLessIsRefused) {
  for (const std::uint64_t count : {kTwo31, kTwo32 - 1}) {
    ASSERT_NO_FATAL_FAILURE(make(count));
    const std::uint64_t bytes = std::filesystem::file_size(path_);
    for (const std::uint64_t other : {bytes - 1, bytes + 1, bytes - kTwo32, bytes + kTwo32 + 1}) {
      std::filesystem::resize_file(path_, other);
      const auto reader = VectorReader::open(path_);
      const bool by_size = header_.row_prefix_bytes != 0;  // then any number of rows is right
      if (by_size && other % header_.raw_row_bytes() == 0) continue;
      ASSERT_FALSE(reader) << other;
      EXPECT_EQ(reader.error().code, ErrorCode::corrupt);
      EXPECT_NE(reader.error().found.find(std::to_string(other)), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace cairn::formats

// Files whose length and offsets do not fit 31, 32 or 43 bits: sparse, so that they take no room.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "io/block_reader.h"
#include "io/device.h"
#include "io/page_file.h"
#include "tests/io/io_test_util.h"

namespace cairn::io {
namespace {

constexpr std::uint32_t kPage = 4096;
constexpr std::uint64_t kOne = 1;

/// Offsets of pages on both sides of what a narrower integer holds.
std::vector<std::uint64_t> edges() {
  std::vector<std::uint64_t> offsets;
  for (const int bits : {31, 32, 40, 43, 44, 52, 61})
    for (const std::uint64_t pages : {0U, 1U, 2U})
      offsets.push_back((kOne << bits) - kPage + pages * kPage);
  return offsets;
}

/// A file that reaches to the end of the page at `offset`, all zeros but that page; its descriptor
/// is -1 where the file system has no files of that length.
class SparseFile {
 public:
  SparseFile(std::string path, std::uint64_t offset, std::span<const std::byte> page)
      : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const ssize_t done = ::pwrite(fd_, page.data(), page.size(), static_cast<off_t>(offset));
    if (done == static_cast<ssize_t>(page.size())) return;
    EXPECT_EQ(errno, EFBIG) << std::strerror(errno);
    ::close(std::exchange(fd_, -1));
  }
  ~SparseFile() {
    if (fd_ >= 0) ::close(fd_);
    ::unlink(path_.c_str());
  }
  SparseFile(const SparseFile&) = delete;
  SparseFile& operator=(const SparseFile&) = delete;

  bool made() const { return fd_ >= 0; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

/// A scratch folder on the disk and, where there is one, in memory, which holds longer files.
struct Scratch {
  explicit Scratch(const char* where) {
    if (where == nullptr) {
      folder.emplace();
      path = folder->path();
    } else if (::access(where, W_OK) == 0) {
      path = std::string(where) + "/cairn-large-" + std::string(6, 'X');
      if (::mkdtemp(path.data()) == nullptr) path.clear();
    }
  }
  ~Scratch() {
    if (!folder && !path.empty()) std::filesystem::remove_all(path);
  }
  std::optional<ScratchDir> folder;
  std::string path;
};

class LargeOffsets : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (scratch_.path.empty()) GTEST_SKIP() << "no folder in memory";
  }

  /// Calls `check` with each file that the file system can hold; at least those below 2^43.
  template <class Check>
  void for_each_file(Check check) {
    for (const std::uint64_t offset : edges()) {
      SCOPED_TRACE(testing::Message() << "offset " << offset);
      const auto page = random_bytes(kPage, offset);
      const SparseFile file(scratch_.path + "/sparse", offset, page);
      if (file.made())
        check(file.path(), offset, page);
      else
        EXPECT_GE(offset, kOne << 43) << "a file system with room for none of these";
    }
  }

  Scratch scratch_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(, LargeOffsets, ::testing::Values(nullptr, "/dev/shm"),
                         [](const auto& given) {
                           return std::string(given.param == nullptr ? "OnDisk" : "InMemory");
                         });

TEST_P(LargeOffsets, AFileIsReadThere) {
  for (const bool direct : {false, true})
    for_each_file([&](const std::string& path, std::uint64_t offset, const auto& page) {
      const auto file = must(posix_fs().open(path, direct));
      ASSERT_EQ(file->bytes(), offset + kPage);
      AlignedBytes memory(2 * kPage);
      ASSERT_TRUE(ok(file->read(offset, memory.span().first(kPage))));
      EXPECT_EQ(std::memcmp(memory.data(), page.data(), kPage), 0);
      ASSERT_TRUE(ok(file->read(offset - kPage, memory.span())));
      EXPECT_EQ(std::memcmp(memory.data() + kPage, page.data(), kPage), 0);
      const Status beyond = file->read(offset, memory.span());
      ASSERT_FALSE(beyond);
      EXPECT_EQ(beyond.error().code, ErrorCode::corrupt);
      EXPECT_EQ(beyond.error().found, "4096 bytes");
    });
}

TEST_P(LargeOffsets, EveryDeviceReadsThere) {
  for (const Backend backend : {Backend::uring, Backend::pread, Backend::sync}) {
    SCOPED_TRACE(backend_name(backend));
    if (backend == Backend::uring && !make_device({}, {.backend = backend}, nullptr)) continue;
    for_each_file([&](const std::string& path, std::uint64_t offset, const auto& page) {
      const auto file = must(posix_fs().open(path, true));
      const ReadFile* const files[] = {file.get()};
      const auto device = must(make_device(files, {.backend = backend, .depth = 4}, nullptr));
      AlignedBytes memory(4 * kPage);
      // The page, the hole before it, and what does not exist.
      const ReadOp ops[] = {
          {.bytes = kPage, .offset = offset, .buffer = memory.data(), .tag = 0},
          {.bytes = kPage, .offset = offset - kPage, .buffer = memory.data() + kPage, .tag = 1},
          {.bytes = kPage,
           .offset = offset + kPage,
           .buffer = memory.data() + 2 * kPage,
           .tag = 2}};
      ASSERT_EQ(must(device->submit(ops)), 3u);
      ReadDone done[3];
      ASSERT_EQ(must(device->reap(done, 3, -1)), 3u);
      for (const ReadDone& one : done) EXPECT_EQ(one.error, one.tag == 2 ? EIO : 0) << one.tag;
      EXPECT_EQ(std::memcmp(memory.data(), page.data(), kPage), 0);
      EXPECT_EQ(memory.span()[kPage], std::byte{0});
      EXPECT_EQ(memory.span()[2 * kPage - 1], std::byte{0});
    });
  }
}

TEST_P(LargeOffsets, PagesAreSealedByTheirNumber) {
  constexpr PageFileId kId{.identity = 5, .generation = 2};
  for_each_file([&](const std::string& path, std::uint64_t offset, const auto& page) {
    const std::uint64_t number = offset / kPage;
    auto sealed = page;
    layout::seal_page(sealed, kId.page(number));
    {
      // In place of the page that is there.
      const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      ASSERT_EQ(::pwrite(fd, sealed.data(), kPage, static_cast<off_t>(offset)), kPage);
      ::close(fd);
    }
    const auto file = must(posix_fs().open(path, true));
    const std::uint64_t payload = kId.payload_bytes();
    auto reader = must(PageStreamReader::create(*file, kId, (number + 1) * payload));
    std::vector<std::byte> back(payload);
    ASSERT_TRUE(ok(reader.read(number * payload, back)));
    EXPECT_EQ(std::memcmp(back.data(), sealed.data() + layout::kPageHeaderBytes, payload), 0);
    // The hole before it is no page, and says which it is.
    const Status hole = reader.read((number - 1) * payload, back);
    ASSERT_FALSE(hole);
    EXPECT_EQ(hole.error().code, ErrorCode::corrupt);
    EXPECT_EQ(hole.error().block, number - 1);
    // The same bytes 2^32 pages before are another page.
    if (number >= kOne << 32) {
      EXPECT_FALSE(layout::check_page(sealed, kId.page(number - (kOne << 32))));
    }
  });
}

TEST_P(LargeOffsets, BlocksAreReadByTheirNumber) {
  for_each_file([&](const std::string& path, std::uint64_t offset, const auto& page) {
    const std::uint64_t number = offset / kPage;
    auto sealed = page;
    layout::seal_page(sealed, {.identity = 5, .page = number, .generation = 2});
    const SparseFile file(path + "-blocks", offset, sealed);
    ASSERT_TRUE(file.made());
    const auto opened = must(posix_fs().open(file.path(), true));
    const BlockFile blocks[] = {{.file = opened.get(), .identity = 5, .generation = 2}};
    const auto reader =
        must(BlockReader::create(posix_fs(), blocks, {.buffers = 2}, nullptr, nullptr));
    // The hole before it is no block.
    const BlockRequest requests[] = {{.block = number, .token = 1},
                                     {.block = number - 1, .token = 2}};
    ASSERT_EQ(reader->request(requests), 2u);
    BlockArrival arrivals[2];
    ASSERT_EQ(must(reader->collect(arrivals, 2, -1)), 2u);
    for (const BlockArrival& one : arrivals) {
      if (one.token == 1) {
        ASSERT_FALSE(one.error) << one.error->to_string();
        EXPECT_TRUE(std::ranges::equal(one.block.bytes(), sealed));
      } else {
        ASSERT_TRUE(one.error);
        EXPECT_EQ(one.error->code, ErrorCode::corrupt);
        EXPECT_EQ(one.error->block, number - 1);
      }
    }
  });
}

}  // namespace
}  // namespace cairn::io

#include "tools/formats/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/os_error.h"

namespace cairn::formats {
namespace {

/// A descriptor of a regular file, and its size.
struct OpenFile {
  int fd = -1;
  std::uint64_t bytes = 0;
};

Result<OpenFile> open_regular(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail(io::os_error(errno, "open", path));
  struct stat facts = {};
  if (::fstat(fd, &facts) != 0) {
    const int cause = errno;
    ::close(fd);
    return fail(io::os_error(cause, "open", path));
  }
  if (!S_ISREG(facts.st_mode)) {
    ::close(fd);
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "open",
                 .file = path,
                 .found = S_ISDIR(facts.st_mode) ? "a folder" : "not a regular file",
                 .expected = "a file"});
  }
  return OpenFile{fd, static_cast<std::uint64_t>(facts.st_size)};
}

/// Gives pages of a file back once they were read. Advice alone: read-ahead goes on, whoever else
/// reads the file loses nothing but time, and a system that does not listen is no error.
class ReadPages {
 public:
  ReadPages(int fd, PageCache cache) : fd_(fd), cache_(cache) {}

  /// All before `offset` was read. Pages that are read in part are kept until they are whole.
  void read_until(std::uint64_t offset) {
    constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 20;
    if (cache_ == PageCache::keep || offset < done_ + kStepBytes) return;
    ::posix_fadvise(fd_, static_cast<off_t>(done_), static_cast<off_t>(offset - done_),
                    POSIX_FADV_DONTNEED);
    done_ = offset / kPageBytes * kPageBytes;
  }

  /// Reading goes on at `offset`: what was read ahead of the old place goes too.
  void jump(std::uint64_t offset) {
    if (cache_ == PageCache::drop)
      ::posix_fadvise(fd_, static_cast<off_t>(done_), 0, POSIX_FADV_DONTNEED);
    done_ = offset / kPageBytes * kPageBytes;
  }

 private:
  static constexpr std::uint64_t kPageBytes = 4096;

  int fd_;
  PageCache cache_;
  std::uint64_t done_ = 0;  // given back before here
};

class FileSource final : public ByteSource {
 public:
  FileSource(OpenFile file, std::string path, PageCache cache)
      : file_(file), path_(std::move(path)), pages_(file.fd, cache) {
    ::posix_fadvise(file_.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~FileSource() override {
    pages_.jump(0);
    ::close(file_.fd);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  Result<std::size_t> read(std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const std::size_t ask = std::min(into.size() - done, kReadBytes);
      const ssize_t n = ::read(file_.fd, into.data() + done, ask);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(io::os_error(errno, "read", path_));
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
      at_ += static_cast<std::uint64_t>(n);
      pages_.read_until(at_);
    }
    return done;
  }

  Status seek(std::uint64_t offset) override {
    if (offset == at_) return {};
    if (::lseek(file_.fd, static_cast<off_t>(offset), SEEK_SET) < 0)
      return fail(io::os_error(errno, "seek in", path_));
    pages_.jump(offset);
    at_ = offset;
    return {};
  }

  std::optional<std::uint64_t> bytes() const override { return file_.bytes; }

 private:
  // So that a large read does not hold all of its pages in the cache before they are given back.
  static constexpr std::size_t kReadBytes = std::size_t{4} << 20;

  OpenFile file_;
  std::string path_;
  ReadPages pages_;
  std::uint64_t at_ = 0;
};

class GzipSource final : public ByteSource {
 public:
  /// `fd` is the one inside `file`.
  GzipSource(gzFile file, std::string path, int fd, PageCache cache)
      : file_(file), path_(std::move(path)), pages_(fd, cache) {}
  ~GzipSource() override {
    pages_.jump(0);
    gzclose_r(file_);
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  Result<std::size_t> read(std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const auto ask = static_cast<unsigned>(std::min<std::size_t>(into.size() - done, 4U << 20));
      const int n = gzread(file_, into.data() + done, ask);
      if (n < 0) return zlib_error();
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
      if (const z_off_t raw = gzoffset(file_); raw > 0)
        pages_.read_until(static_cast<std::uint64_t>(raw));
    }
    if (done < into.size()) CAIRN_TRY(check_end());
    return done;
  }

  Status seek(std::uint64_t offset) override {
    const bool back = gztell(file_) > static_cast<z_off_t>(offset);
    if (gzseek(file_, static_cast<z_off_t>(offset), SEEK_SET) < 0) return zlib_error();
    if (back) pages_.jump(0);
    return {};
  }

  std::optional<std::uint64_t> bytes() const override { return std::nullopt; }

 private:
  tl::unexpected<Error> zlib_error() const {
    int number = 0;
    const char* message = gzerror(file_, &number);
    if (number == Z_ERRNO) return fail(io::os_error(errno, "read", path_));
    return fail({.code = ErrorCode::corrupt,
                 .what = "unpack",
                 .file = path_,
                 .found = message,
                 .expected = "a whole gzip file"});
  }

  /// gzread() gives what it has of a file cut short, and says so only here.
  Status check_end() const {
    int number = 0;
    gzerror(file_, &number);
    if (number == Z_OK || number == Z_STREAM_END) return {};
    return zlib_error();
  }

  gzFile file_;
  std::string path_;
  ReadPages pages_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_file(const std::string& path, PageCache cache) {
  CAIRN_ASSIGN(const OpenFile file, open_regular(path));
  return std::unique_ptr<ByteSource>{std::make_unique<FileSource>(file, path, cache)};
}

Result<std::unique_ptr<ByteSource>> open_gzip(const std::string& path, PageCache cache) {
  CAIRN_ASSIGN(const OpenFile raw, open_regular(path));
  gzFile file = gzdopen(raw.fd, "rb");
  if (file == nullptr) {
    ::close(raw.fd);
    return fail({.code = ErrorCode::out_of_memory, .what = "unpack", .file = path});
  }
  constexpr unsigned kBufferBytes = 256 * 1024;
  gzbuffer(file, kBufferBytes);
  auto source = std::make_unique<GzipSource>(file, path, raw.fd, cache);
  if (gzdirect(file) != 0)
    return fail({.code = ErrorCode::corrupt,
                 .what = "unpack",
                 .file = path,
                 .found = raw.bytes == 0 ? "an empty file" : "no gzip magic",
                 .expected = "a gzip file"});
  return std::unique_ptr<ByteSource>{std::move(source)};
}

}  // namespace cairn::formats

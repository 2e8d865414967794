#include "tools/formats/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cairn::formats {
namespace {

tl::unexpected<Error> os_error(std::string what, const std::string& path, int cause) {
  return fail({.code = cause == ENOENT ? ErrorCode::not_found : ErrorCode::io,
               .what = std::move(what),
               .file = path,
               .found = std::strerror(cause)});
}

/// A descriptor of a regular file, and its size.
struct OpenFile {
  int fd = -1;
  std::uint64_t bytes = 0;
};

Result<OpenFile> open_regular(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return os_error("open", path, errno);
  struct stat facts = {};
  if (::fstat(fd, &facts) != 0) {
    const int cause = errno;
    ::close(fd);
    return os_error("open", path, cause);
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

class FileSource final : public ByteSource {
 public:
  FileSource(OpenFile file, std::string path) : file_(file), path_(std::move(path)) {
    ::posix_fadvise(file_.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~FileSource() override { ::close(file_.fd); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  Result<std::size_t> read(std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = ::read(file_.fd, into.data() + done, into.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error("read", path_, errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Status seek(std::uint64_t offset) override {
    if (::lseek(file_.fd, static_cast<off_t>(offset), SEEK_SET) < 0)
      return os_error("seek in", path_, errno);
    return {};
  }

  std::optional<std::uint64_t> bytes() const override { return file_.bytes; }

 private:
  OpenFile file_;
  std::string path_;
};

class GzipSource final : public ByteSource {
 public:
  GzipSource(gzFile file, std::string path) : file_(file), path_(std::move(path)) {}
  ~GzipSource() override { gzclose_r(file_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  Result<std::size_t> read(std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const auto ask = static_cast<unsigned>(std::min<std::size_t>(into.size() - done, 1U << 30));
      const int n = gzread(file_, into.data() + done, ask);
      if (n < 0) return zlib_error();
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    if (done < into.size()) CAIRN_TRY(check_end());
    return done;
  }

  Status seek(std::uint64_t offset) override {
    if (gzseek(file_, static_cast<z_off_t>(offset), SEEK_SET) < 0) return zlib_error();
    return {};
  }

  std::optional<std::uint64_t> bytes() const override { return std::nullopt; }

 private:
  tl::unexpected<Error> zlib_error() const {
    int number = 0;
    const char* message = gzerror(file_, &number);
    if (number == Z_ERRNO) return os_error("read", path_, errno);
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
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_file(const std::string& path) {
  CAIRN_ASSIGN(const OpenFile file, open_regular(path));
  return std::unique_ptr<ByteSource>{std::make_unique<FileSource>(file, path)};
}

Result<std::unique_ptr<ByteSource>> open_gzip(const std::string& path) {
  CAIRN_ASSIGN(const OpenFile raw, open_regular(path));
  gzFile file = gzdopen(raw.fd, "rb");
  if (file == nullptr) {
    ::close(raw.fd);
    return fail(ErrorCode::out_of_memory, "unpack '" + path + "'");
  }
  constexpr unsigned kBufferBytes = 256 * 1024;
  gzbuffer(file, kBufferBytes);
  auto source = std::make_unique<GzipSource>(file, path);
  if (gzdirect(file) != 0)
    return fail({.code = ErrorCode::corrupt,
                 .what = "unpack",
                 .file = path,
                 .found = raw.bytes == 0 ? "an empty file" : "no gzip magic",
                 .expected = "a gzip file"});
  return std::unique_ptr<ByteSource>{std::move(source)};
}

}  // namespace cairn::formats

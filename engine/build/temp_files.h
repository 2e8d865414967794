// The temporary files of a build: streams over sealed pages, like those of an index, so that a byte
// that was lost or flipped on the way is an error and not a bad graph. Written once and removed as
// soon as no unit of work needs them.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "io/fs.h"
#include "io/page_file.h"

namespace cairn::build {

/// Ends the name of every temporary file.
inline constexpr std::string_view kTemporarySuffix = ".part";

/// Reads ranges of one temporary file.
class TempReader {
 public:
  TempReader(std::unique_ptr<io::ReadFile> file, io::PageStreamReader reader)
      : file_(std::move(file)), reader_(std::move(reader)) {}
  Status read(std::uint64_t offset, std::span<std::byte> into) {
    return reader_.read(offset, into);
  }
  /// `count` values from stream offset `offset`.
  template <class T>
  Result<std::vector<T>> read_array(std::uint64_t offset, std::uint64_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<T> values(count);
    CAIRN_TRY(read(offset, std::as_writable_bytes(std::span(values))));
    return values;
  }
  std::uint64_t bytes() const { return reader_.stream_bytes(); }

 private:
  std::unique_ptr<io::ReadFile> file_;
  io::PageStreamReader reader_;
};

class TempFiles {
 public:
  TempFiles(io::Fs& fs, std::string folder, std::uint64_t build_id)
      : fs_(fs), folder_(std::move(folder)), build_id_(build_id) {}

  /// "link", 7 -> "link-7.part"; a third number is put behind.
  static std::string name(std::string_view kind, std::uint64_t a) {
    return std::string(kind) + "-" + std::to_string(a) + std::string(kTemporarySuffix);
  }
  static std::string name(std::string_view kind, std::uint64_t a, std::uint64_t b) {
    return std::string(kind) + "-" + std::to_string(a) + "-" + std::to_string(b) +
           std::string(kTemporarySuffix);
  }

  /// A new file; what an interrupted run left under the name goes first.
  Result<io::PageWriter> create(const std::string& name) const;
  /// Goes on with a file where checkpoint() gave `state`.
  Result<io::PageWriter> resume(const std::string& name, const io::PageWriterState& state) const;
  Result<TempReader> open(const std::string& name, std::uint64_t stream_bytes) const;
  /// A file that is not there any more is fine: an interrupted run may have removed it.
  Status remove(const std::string& name) const;
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  const std::string& folder() const { return folder_; }
  io::Fs& fs() const { return fs_; }

 private:
  io::PageFileId id_of(const std::string& name) const;

  io::Fs& fs_;
  std::string folder_;
  std::uint64_t build_id_;
};

}  // namespace cairn::build

// Files of 64-bit labels: decimal text, one a line (LF or CR LF), or, when the name ends in
// `.u64bin`, as the other big-ann files have it: u32 count, u32 1, then a u64 each, little-endian.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tools/formats/byte_source.h"

namespace cairn::formats {

enum class LabelCoding : std::uint8_t { text, u64bin };

/// Exactly `count` labels. invalid_argument, naming the line or the header, when the file holds
/// anything else; the errors of open_file(). Memory: the labels, once the file has so many.
Result<std::vector<Label>> read_labels(const std::string& path, std::uint64_t count);

/// Ranges of the labels of a file, for files too large to be held. Text has no index: it is read
/// once and held, 8 bytes a label. A .u64bin file is read where it is asked for. Not thread-safe.
class LabelReader {
 public:
  /// Errors as of read_labels().
  static Result<LabelReader> open(const std::string& path, std::uint64_t count);

  /// Labels [first, first + labels.size()), which the file has.
  Status read(std::uint64_t first, std::span<Label> labels);
  /// Gives the descriptor back; the next read() opens the file again and checks it again.
  void close() { source_.reset(); }

 private:
  LabelReader(std::string path, std::uint64_t count) : path_(std::move(path)), count_(count) {}
  Status open_binary();

  std::string path_;
  std::uint64_t count_;
  std::unique_ptr<ByteSource> source_;  // of a binary file
  std::vector<Label> text_;
};

/// The same over any source; `name` stands in errors.
Result<std::vector<Label>> read_labels(ByteSource& source, LabelCoding coding, std::uint64_t count,
                                       const std::string& name);

}  // namespace cairn::formats

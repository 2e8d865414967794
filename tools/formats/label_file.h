// Files of 64-bit labels: decimal text, one a line (LF or CR LF), or, when the name ends in
// `.u64bin`, as the other big-ann files have it: u32 count, u32 1, then a u64 each, little-endian.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tools/formats/byte_source.h"
#include "tools/formats/label_text.h"

namespace cairn::formats {

enum class LabelCoding : std::uint8_t { text, u64bin };

/// Exactly `count` labels. invalid_argument, naming the line or the header, when the file holds
/// anything else; the errors of open_file(). Memory: the labels, once the file has so many.
Result<std::vector<Label>> read_labels(const std::string& path, std::uint64_t count);

/// Ranges of the labels of a file, for files too large to be held: read where they are asked for. A
/// text is read through once when it is opened, and where each 65,536th line begins is kept. Not
/// thread-safe.
class LabelReader {
 public:
  /// Errors as of read_labels().
  static Result<LabelReader> open(const std::string& path, std::uint64_t count);

  /// Labels [first, first + labels.size()), which the file has.
  Status read(std::uint64_t first, std::span<Label> labels);
  /// Gives the descriptor back; the next read() opens the file again.
  void close();

 private:
  LabelReader(std::string path, std::uint64_t count) : path_(std::move(path)), count_(count) {}
  Status open_source();
  Status index_text();
  Status read_text(std::uint64_t first, std::span<Label> labels);

  std::string path_;
  std::uint64_t count_;
  std::unique_ptr<ByteSource> source_;
  std::optional<LabelText> text_;     // where the source stands, of a text
  std::vector<std::uint64_t> marks_;  // where lines begin, of a text
};

/// The same over any source; `name` stands in errors.
Result<std::vector<Label>> read_labels(ByteSource& source, LabelCoding coding, std::uint64_t count,
                                       const std::string& name);

}  // namespace cairn::formats

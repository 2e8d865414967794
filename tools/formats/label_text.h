// Labels as decimal text, one a line (LF or CR LF), parsed as they come.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tools/formats/byte_source.h"

namespace cairn::formats {

/// Reads on in one text. Memory: 64 KiB. Not thread-safe.
class LabelText {
 public:
  /// `name` stands in errors. The source's next byte is the first of line `line`, counted from 0,
  /// at `offset` of the text.
  LabelText(ByteSource& source, std::string name, std::uint64_t line = 0, std::uint64_t offset = 0)
      : source_(&source), name_(std::move(name)), line_(line), offset_(offset) {}

  /// Fills `labels`, fewer only at the end of the text. invalid_argument, naming the line, for what
  /// is no label.
  Result<std::size_t> read(std::span<Label> labels);
  /// Where reading goes on: the line's number from 0, and its first byte in the text.
  std::uint64_t line() const { return line_; }
  std::uint64_t offset() const { return offset_; }

 private:
  Status fetch();
  /// The next line without its end; false at the end of the text.
  Result<bool> next_line();
  Result<Label> parse() const;

  ByteSource* source_;
  std::string name_;
  std::uint64_t line_, offset_;
  std::string piece_;      // of the text
  std::size_t at_ = 0;     // in the piece
  std::string text_line_;  // cut off where it is too long for a label
};

}  // namespace cairn::formats

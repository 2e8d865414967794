// What decoders of indexes check and say alike.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <string>
#include <utility>

#include "tools/formats/byte_source.h"

namespace cairn::formats {

/// The size of a file that is not packed; else `unsupported`: no count could be compared with it.
Result<std::uint64_t> known_bytes(const ByteSource& source, const std::string& name);

/// What is wrong with one part of an index file.
class PartErrors {
 public:
  /// `library`: whose file it is; `name`: the file's.
  PartErrors(std::string library, std::string name)
      : library_(std::move(library)), name_(std::move(name)) {}

  tl::unexpected<Error> corrupt(const std::string& part, std::string found,
                                std::string expected) const;
  /// A list of so many links where there is room for `degree_max`.
  Status check_degree(std::uint64_t element, std::uint64_t level, std::uint64_t degree,
                      std::uint64_t degree_max) const;
  tl::unexpected<Error> bad_link(std::uint64_t element, std::uint64_t level, std::uint64_t link,
                                 std::string expected) const;

 private:
  std::string library_, name_;
};

}  // namespace cairn::formats

#include "tools/formats/index_checks.h"

namespace cairn::formats {
namespace {

std::string list_name(std::uint64_t element, std::uint64_t level) {
  return "element " + std::to_string(element) + ", level " + std::to_string(level);
}

}  // namespace

Result<std::uint64_t> known_bytes(const ByteSource& source, const std::string& name) {
  if (const auto bytes = source.bytes()) return *bytes;
  return fail({.code = ErrorCode::unsupported,
               .what = "read an index from",
               .file = name,
               .found = "a packed file",
               .expected = "one whose size is known: unpack it first"});
}

tl::unexpected<Error> PartErrors::corrupt(const std::string& part, std::string found,
                                          std::string expected) const {
  return fail({.code = ErrorCode::corrupt,
               .what = "read the " + part + " of the " + library_ + " index",
               .file = name_,
               .found = std::move(found),
               .expected = std::move(expected)});
}

Status PartErrors::check_degree(std::uint64_t element, std::uint64_t level, std::uint64_t degree,
                                std::uint64_t degree_max) const {
  if (degree <= degree_max) return {};
  return corrupt(list_name(element, level), std::to_string(degree) + " links",
                 "at most " + std::to_string(degree_max));
}

tl::unexpected<Error> PartErrors::bad_link(std::uint64_t element, std::uint64_t level,
                                           std::uint64_t link, std::string expected) const {
  return corrupt(list_name(element, level), "a link to element " + std::to_string(link),
                 std::move(expected));
}

}  // namespace cairn::formats

// Reads small JSON files that people write by hand: every field is checked, and every error names
// the file, the field, what was found and what was expected.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::tools::plan {

/// Longest such file.
inline constexpr std::uint64_t kJsonBytesMax = 1 << 20;
/// Longest text in one.
inline constexpr std::size_t kTextBytesMax = 400;

/// The whole file. not_found, io; invalid_argument above kJsonBytesMax.
Result<std::string> read_small_file(const std::string& path);

/// invalid_argument unless `text` is one JSON object.
Result<nlohmann::json> parse_object(std::string_view text, const std::string& file);

/// The fields of one object, which must outlive this. Errors are invalid_argument.
class Fields {
 public:
  /// `what`: how errors name the object, e.g. "instance 3 of the prices".
  Fields(const nlohmann::json& object, std::string file, std::string what)
      : object_(object), file_(std::move(file)), what_(std::move(what)) {}

  /// Refuses anything but an object, and a field of any other name: one that is misspelt would go
  /// unnoticed.
  Status only(std::initializer_list<std::string_view> names) const;
  /// Not empty, printable, at most kTextBytesMax.
  Result<std::string> text(const char* name) const;
  /// "2026-07-20"
  Result<std::string> date(const char* name) const;
  /// Finite, within [least, most].
  Result<double> number(const char* name, double least, double most) const;
  Result<std::uint32_t> whole(const char* name, std::uint32_t least, std::uint32_t most) const;
  /// As number(); nothing when it is null.
  Result<std::optional<double>> number_or_null(const char* name, double least, double most) const;
  /// An array of 1 to `most` elements.
  Result<const nlohmann::json*> array(const char* name, std::size_t most) const;

  tl::unexpected<Error> wrong(const char* name, std::string found, std::string expected) const;

 private:
  Result<const nlohmann::json*> field(const char* name) const;

  const nlohmann::json& object_;
  std::string file_, what_;
};

}  // namespace cairn::tools::plan

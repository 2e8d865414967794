#include "tools/plan/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "io/fs.h"

namespace cairn::tools::plan {
namespace {

using nlohmann::json;

constexpr std::size_t kShownMax = 60;

/// Nothing within is shown: a hostile file nests deeper than a stack.
std::string shown(const json& value) {
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  if (value.is_object()) return fmt::format("an object of {}", value.size());
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "...";
  return text;
}

bool is_date(const std::string& text) {
  constexpr std::string_view form = "dddd-dd-dd";
  if (text.size() != form.size()) return false;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == 'd' ? !digit : text[i] != form[i]) return false;
  }
  const int month = (text[5] - '0') * 10 + text[6] - '0',
            day = (text[8] - '0') * 10 + text[9] - '0';
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

}  // namespace

Result<std::string> read_small_file(const std::string& path) {
  CAIRN_ASSIGN(const auto file, io::posix_fs().open(path, false));
  if (file->bytes() > kJsonBytesMax)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "read",
                 .file = path,
                 .found = std::to_string(file->bytes()) + " bytes",
                 .expected = "at most " + std::to_string(kJsonBytesMax)});
  std::string text(file->bytes(), '\0');
  CAIRN_TRY(file->read(0, std::as_writable_bytes(std::span(text))));
  return text;
}

Result<json> parse_object(std::string_view text, const std::string& file) {
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object())
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "read JSON",
                 .file = file,
                 .found = parsed.is_discarded() ? "text that is no JSON" : shown(parsed),
                 .expected = "one whole object"});
  return parsed;
}

tl::unexpected<Error> Fields::wrong(const char* name, std::string found,
                                    std::string expected) const {
  return fail({.code = ErrorCode::invalid_argument,
               .what = fmt::format("\"{}\" of {}", name, what_),
               .file = file_,
               .found = std::move(found),
               .expected = std::move(expected)});
}

Status Fields::only(std::initializer_list<std::string_view> names) const {
  if (!object_.is_object())
    return fail({.code = ErrorCode::invalid_argument,
                 .what = what_,
                 .file = file_,
                 .found = shown(object_),
                 .expected = "an object"});
  for (const auto& [name, value] : object_.items())
    if (std::ranges::find(names, name) == names.end())
      return fail({.code = ErrorCode::invalid_argument,
                   .what = what_,
                   .file = file_,
                   .found = "a field " + shown(json(name)),
                   .expected = fmt::format("only {}", fmt::join(names, ", "))});
  return {};
}

Result<const json*> Fields::field(const char* name) const {
  const auto at = object_.find(name);
  if (at == object_.end()) return wrong(name, "nothing", "a value");
  return &*at;
}

Result<std::string> Fields::text(const char* name) const {
  CAIRN_ASSIGN(const json* value, field(name));
  if (!value->is_string()) return wrong(name, shown(*value), "text");
  const auto& text = value->get_ref<const std::string&>();
  const bool printable = std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (text.empty() || text.size() > kTextBytesMax || !printable)
    return wrong(name, shown(*value),
                 fmt::format("1 to {} bytes without line ends", kTextBytesMax));
  return text;
}

Result<std::string> Fields::date(const char* name) const {
  CAIRN_ASSIGN(std::string text, this->text(name));
  if (!is_date(text)) return wrong(name, "'" + text + "'", "a date such as 2026-07-20");
  return text;
}

Result<double> Fields::number(const char* name, double least, double most) const {
  CAIRN_ASSIGN(const json* value, field(name));
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (!(number >= least && number <= most))
    return wrong(name, shown(*value), fmt::format("a number of {:g} to {:g}", least, most));
  return number;
}

Result<std::uint32_t> Fields::whole(const char* name, std::uint32_t least,
                                    std::uint32_t most) const {
  CAIRN_ASSIGN(const double value, number(name, least, most));
  if (value != std::floor(value)) return wrong(name, fmt::format("{:g}", value), "a whole number");
  return static_cast<std::uint32_t>(value);
}

Result<std::optional<double>> Fields::number_or_null(const char* name, double least,
                                                     double most) const {
  CAIRN_ASSIGN(const json* value, field(name));
  if (value->is_null()) return std::optional<double>();
  CAIRN_ASSIGN(const double number, this->number(name, least, most));
  return std::optional(number);
}

Result<const json*> Fields::array(const char* name, std::size_t most) const {
  CAIRN_ASSIGN(const json* value, field(name));
  if (!value->is_array() || value->empty() || value->size() > most)
    return wrong(name, shown(*value), fmt::format("an array of 1 to {} objects", most));
  return value;
}

}  // namespace cairn::tools::plan

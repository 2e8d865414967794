#include "tools/formats/npy.h"

#include <charconv>
#include <cstring>

namespace cairn::formats {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::string_view kDescrExpected = "'<f4', '|u1' or '|i1'";

tl::unexpected<Error> malformed(std::string found, std::string expected) {
  return fail({.code = ErrorCode::corrupt,
               .what = "read the header of",
               .found = std::move(found),
               .expected = std::move(expected)});
}

/// Just enough of Python's literals: quoted strings without escapes, True, False, tuples of
/// non-negative integers.
class Literal {
 public:
  explicit Literal(std::string_view text) : text_(text) {}

  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::optional<std::string_view> quoted() {
    skip_space();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) return std::nullopt;
    const std::size_t end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view body = text_.substr(1, end - 1);
    if (body.find('\\') != std::string_view::npos) return std::nullopt;
    text_.remove_prefix(end + 1);
    return body;
  }

  std::optional<bool> boolean() {
    skip_space();
    for (const auto& [word, value] :
         {std::pair{std::string_view{"True"}, true}, std::pair{std::string_view{"False"}, false}}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return value;
    }
    return std::nullopt;
  }

  std::optional<std::vector<std::uint64_t>> tuple() {
    std::vector<std::uint64_t> values;
    if (!accept('(')) return std::nullopt;
    while (!accept(')')) {
      if (!values.empty() && !accept(',')) return std::nullopt;
      if (!values.empty() && accept(')')) break;
      skip_space();
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
      if (error != std::errc{}) return std::nullopt;
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      values.push_back(value);
      if (values.size() > kShapeMax) return std::nullopt;
    }
    return values;
  }

  bool at_end() {
    skip_space();
    return text_.empty();
  }
  std::string_view rest() const { return text_.substr(0, 24); }

 private:
  static constexpr std::size_t kShapeMax = 32;  // NumPy's own limit

  void skip_space() {
    const std::size_t n = text_.find_first_not_of(" \n");
    text_.remove_prefix(n == std::string_view::npos ? text_.size() : n);
  }

  std::string_view text_;
};

/// Bytes of untrusted text for an error message: printable only.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text) out += c >= ' ' && c <= '~' ? c : '?';
  return "'" + out + "'";
}

struct Fields {
  std::optional<std::string_view> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::uint64_t>> shape;
};

Status parse_value(Literal& in, std::string_view key, Fields& fields) {
  if (key == "descr" && !fields.descr) {
    fields.descr = in.quoted();
    if (fields.descr) return {};
  } else if (key == "fortran_order" && !fields.fortran_order) {
    fields.fortran_order = in.boolean();
    if (fields.fortran_order) return {};
  } else if (key == "shape" && !fields.shape) {
    fields.shape = in.tuple();
    if (fields.shape) return {};
  } else {
    return malformed("key " + shown(key.substr(0, 24)),
                     "descr, fortran_order and shape, once each");
  }
  return malformed("at key " + shown(key) + " " + shown(in.rest()), "a value NumPy writes there");
}

Result<Fields> parse_dictionary(std::string_view text) {
  Literal in{text};
  Fields fields;
  if (!in.accept('{')) return malformed(shown(in.rest()), "'{'");
  while (!in.accept('}')) {
    const auto key = in.quoted();
    if (!key || !in.accept(':')) return malformed(shown(in.rest()), "a key and ':'");
    CAIRN_TRY(parse_value(in, *key, fields));
    if (in.accept(',')) continue;
    if (!in.accept('}')) return malformed(shown(in.rest()), "',' or '}'");
    break;
  }
  if (!in.at_end()) return malformed(shown(in.rest()), "nothing after '}'");
  if (!fields.descr || !fields.fortran_order || !fields.shape)
    return malformed("a key missing", "descr, fortran_order and shape");
  return fields;
}

std::optional<DType> dtype_of_descr(std::string_view descr) {
  if (descr == "<f4") return DType::f32;
  if (descr == "|u1") return DType::u8;
  if (descr == "|i1") return DType::i8;
  return std::nullopt;
}

std::string_view descr_of_dtype(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::u8:
      return "|u1";
    case DType::i8:
      return "|i1";
  }
  return "";
}

Result<VectorHeader> header_of_fields(const Fields& fields) {
  const auto dtype = dtype_of_descr(*fields.descr);
  if (!dtype)
    return fail({.code = ErrorCode::unsupported,
                 .what = "read the element type (descr) of",
                 .found = shown(fields.descr->substr(0, 24)),
                 .expected = std::string{kDescrExpected}});
  if (*fields.fortran_order)
    return fail({.code = ErrorCode::unsupported,
                 .what = "read the order of",
                 .found = "Fortran order (fortran_order: True)",
                 .expected = "C order, as numpy.save(numpy.ascontiguousarray(a)) writes it"});
  if (fields.shape->size() != 2)
    return malformed(std::to_string(fields.shape->size()) + " dimensions",
                     "2, a shape of (count, dim)");
  VectorHeader header{.format = Format::npy, .dtype = *dtype, .count = (*fields.shape)[0]};
  if ((*fields.shape)[1] > kDimMax)
    return fail({.code = ErrorCode::over_limit,
                 .what = "read the header of",
                 .found = "dimension " + std::to_string((*fields.shape)[1]),
                 .expected = "at most " + std::to_string(kDimMax)});
  header.dim = static_cast<std::uint32_t>((*fields.shape)[1]);
  return header;
}

}  // namespace

Result<VectorHeader> decode_npy_header(std::span<const std::byte> head) {
  const std::string_view text{reinterpret_cast<const char*>(head.data()), head.size()};
  if (!text.starts_with(kMagic)) return malformed("no magic", "\\x93NUMPY at byte 0");
  if (text.size() < 10) return malformed(std::to_string(text.size()) + " bytes", "at least 10");
  const auto byte_at = [&](std::size_t i) { return std::to_integer<unsigned>(head[i]); };
  const unsigned major = byte_at(6), minor = byte_at(7);
  if (major < 1 || major > 3 || minor != 0)
    return fail({.code = ErrorCode::unsupported,
                 .what = "read the header of",
                 .found = "version " + std::to_string(major) + "." + std::to_string(minor),
                 .expected = "1.0, 2.0 or 3.0"});
  const std::size_t start = major == 1 ? 10 : 12;
  if (text.size() < start) return malformed(std::to_string(text.size()) + " bytes", "at least 12");
  std::uint64_t length = byte_at(8) | byte_at(9) << 8;
  if (major > 1) length |= std::uint64_t{byte_at(10)} << 16 | std::uint64_t{byte_at(11)} << 24;
  if (length > text.size() - start)
    return malformed("a dictionary of " + std::to_string(length) + " bytes",
                     "at most " + std::to_string(text.size() - start));
  CAIRN_ASSIGN(const Fields fields, parse_dictionary(text.substr(start, length)));
  CAIRN_ASSIGN(VectorHeader header, header_of_fields(fields));
  header.header_bytes = start + length;
  return header;
}

std::vector<std::byte> encode_npy_header(const VectorHeader& header) {
  std::string dictionary = "{'descr': '";
  dictionary += descr_of_dtype(header.dtype);
  dictionary += "', 'fortran_order': False, 'shape': (" + std::to_string(header.count) + ", " +
                std::to_string(header.dim) + "), }";
  const std::size_t total = (10 + dictionary.size() + 1 + 63) / 64 * 64;
  dictionary.append(total - 10 - 1 - dictionary.size(), ' ');
  dictionary += '\n';
  const std::size_t length = dictionary.size();
  std::string text{kMagic};
  text += {'\x01', '\x00', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  text += dictionary;
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

}  // namespace cairn::formats

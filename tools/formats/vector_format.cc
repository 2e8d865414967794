#include "tools/formats/vector_format.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "tools/formats/bytes.h"
#include "tools/formats/idx.h"
#include "tools/formats/npy.h"

namespace cairn::formats {
namespace {

/// What the extension alone says. A dtype of nullopt stands in the header.
struct FormatFacts {
  Format format;
  std::string_view extension;
  std::optional<DType> dtype;
  Coding coding;
  std::uint32_t header_bytes;
  std::uint32_t row_prefix_bytes;
};

constexpr std::array<FormatFacts, 8> kFacts = {{
    {Format::fbin, ".fbin", DType::f32, Coding::plain, 8, 0},
    {Format::u8bin, ".u8bin", DType::u8, Coding::plain, 8, 0},
    {Format::i8bin, ".i8bin", DType::i8, Coding::plain, 8, 0},
    {Format::fvecs, ".fvecs", DType::f32, Coding::plain, 0, 4},
    {Format::bvecs, ".bvecs", DType::u8, Coding::plain, 0, 4},
    {Format::ivecs, ".ivecs", DType::f32, Coding::int32, 0, 4},
    {Format::npy, ".npy", std::nullopt, Coding::plain, 0, 0},
    {Format::idx, ".idx", std::nullopt, Coding::plain, 0, 0},
}};

const FormatFacts& facts_of(Format format) { return kFacts[static_cast<std::size_t>(format)]; }

/// Largest magnitude up to which every int32 is a float.
constexpr std::int32_t kExactInt = 1 << 24;

tl::unexpected<Error> malformed(ErrorCode code, std::string found, std::string expected) {
  return fail({.code = code,
               .what = "read the header of",
               .found = std::move(found),
               .expected = std::move(expected)});
}

/// `x-idx3-ubyte` or `x.idx3-ubyte`: MNIST's own names.
bool is_idx_name(std::string_view name) {
  const std::size_t at = name.rfind("idx");
  if (at == std::string_view::npos || at == 0) return false;
  if (name[at - 1] != '-' && name[at - 1] != '.') return false;
  std::string_view tail = name.substr(at + 3);
  while (!tail.empty() && tail.front() >= '0' && tail.front() <= '9') tail.remove_prefix(1);
  return tail.empty() || tail == "-ubyte" || tail == "-byte" || tail == "-float";
}

Status check_dim(std::uint64_t dim) {
  if (dim >= 1 && dim <= kDimMax) return {};
  return malformed(dim == 0 ? ErrorCode::corrupt : ErrorCode::over_limit,
                   "dimension " + std::to_string(dim), "1 to " + std::to_string(kDimMax));
}

/// count * raw row bytes + header bytes == file bytes, without overflow.
Status check_size(const VectorHeader& header, std::optional<std::uint64_t> file_bytes) {
  if (header.count == 0) return malformed(ErrorCode::corrupt, "0 vectors", "at least 1");
  if (!file_bytes) return {};
  const std::uint64_t row = header.raw_row_bytes();
  const bool fits =
      header.count <= (std::numeric_limits<std::uint64_t>::max() - header.header_bytes) / row;
  if (fits && header.header_bytes + header.count * row == *file_bytes) return {};
  std::string expected = std::to_string(header.header_bytes) + " + " +
                         std::to_string(header.count) + " vectors of " + std::to_string(row) +
                         " bytes";
  return malformed(ErrorCode::corrupt, std::to_string(*file_bytes) + " bytes", std::move(expected));
}

VectorHeader header_from(const FormatFacts& facts) {
  return {.format = facts.format,
          .dtype = facts.dtype.value_or(DType::f32),
          .coding = facts.coding,
          .header_bytes = facts.header_bytes,
          .row_prefix_bytes = facts.row_prefix_bytes};
}

Result<VectorHeader> decode_bin_header(const FormatFacts& facts, std::span<const std::byte> head) {
  if (head.size() < 8)
    return malformed(ErrorCode::corrupt, std::to_string(head.size()) + " bytes",
                     "at least 8 (u32 count, u32 dim)");
  VectorHeader header = header_from(facts);
  header.count = load_u32(head.data());
  header.dim = load_u32(head.data() + 4);
  return header;
}

/// The count is what the file's size says: the rows themselves are checked as they are read.
Result<VectorHeader> decode_vecs_header(const FormatFacts& facts, std::span<const std::byte> head,
                                        std::optional<std::uint64_t> file_bytes) {
  if (!file_bytes || head.size() < 4)
    return malformed(ErrorCode::corrupt, std::to_string(head.size()) + " bytes",
                     "at least 4 (u32 dim)");
  VectorHeader header = header_from(facts);
  header.dim = load_u32(head.data());
  CAIRN_TRY(check_dim(header.dim));
  header.count = *file_bytes / header.raw_row_bytes();
  if (*file_bytes % header.raw_row_bytes() != 0)
    return malformed(ErrorCode::corrupt, std::to_string(*file_bytes) + " bytes",
                     "a multiple of " + std::to_string(header.raw_row_bytes()) + " (dimension " +
                         std::to_string(header.dim) + ")");
  return header;
}

Status decode_elements(const VectorHeader& header, std::uint64_t row, const std::byte* raw,
                       std::byte* out) {
  switch (header.coding) {
    case Coding::plain:
      std::memcpy(out, raw, header.row_bytes());
      return {};
    case Coding::f32_big_endian:
      for (std::size_t i = 0; i < header.dim; ++i)
        store_u32(out + 4 * i, load_u32_big(raw + 4 * i));
      return {};
    case Coding::int32:
      break;
  }
  for (std::size_t i = 0; i < header.dim; ++i) {
    const auto value = static_cast<std::int32_t>(load_u32(raw + 4 * i));
    if (value < -kExactInt || value > kExactInt)
      return fail({.code = ErrorCode::unsupported,
                   .what = "read row " + std::to_string(row) + " of",
                   .found = std::to_string(value),
                   .expected = "a whole number that an f32 holds exactly (at most 2^24)"});
    store_u32(out + 4 * i, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
  }
  return {};
}

Status encode_elements(const VectorHeader& header, std::uint64_t row, const std::byte* in,
                       std::byte* raw) {
  switch (header.coding) {
    case Coding::plain:
      std::memcpy(raw, in, header.row_bytes());
      return {};
    case Coding::f32_big_endian:
      for (std::size_t i = 0; i < header.dim; ++i) store_u32_big(raw + 4 * i, load_u32(in + 4 * i));
      return {};
    case Coding::int32:
      break;
  }
  for (std::size_t i = 0; i < header.dim; ++i) {
    const auto value = std::bit_cast<float>(load_u32(in + 4 * i));
    if (!(std::fabs(value) <= static_cast<float>(kExactInt)) || value != std::trunc(value))
      return fail({.code = ErrorCode::invalid_argument,
                   .what = "write row " + std::to_string(row) + " of",
                   .found = std::to_string(value),
                   .expected = "whole numbers of at most 2^24 (.ivecs)"});
    store_u32(raw + 4 * i, static_cast<std::uint32_t>(static_cast<std::int32_t>(value)));
  }
  return {};
}

}  // namespace

Result<FileKind> kind_of_path(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  FileKind kind{.gzip = name.ends_with(".gz")};
  const std::string_view plain = kind.gzip ? name.substr(0, name.size() - 3) : name;
  kind.format = Format::idx;
  if (is_idx_name(plain)) return kind;
  for (const FormatFacts& facts : kFacts) {
    if (kind.gzip || !plain.ends_with(facts.extension)) continue;
    kind.format = facts.format;
    return kind;
  }
  const std::size_t dot = name.rfind('.');
  return fail({.code = ErrorCode::invalid_argument,
               .what = "tell the format of",
               .file = std::string{path},
               .found = dot == std::string_view::npos
                            ? "no extension"
                            : "extension " + std::string{name.substr(dot)},
               .expected = ".fbin .u8bin .i8bin .fvecs .bvecs .ivecs .npy .idx -idxN-ubyte[.gz]"});
}

Result<VectorHeader> decode_header(Format format, std::span<const std::byte> head,
                                   std::optional<std::uint64_t> file_bytes) {
  const FormatFacts& facts = facts_of(format);
  const auto decode = [&]() -> Result<VectorHeader> {
    if (format == Format::npy) return decode_npy_header(head);
    if (format == Format::idx) return decode_idx_header(head);
    if (facts.row_prefix_bytes != 0) return decode_vecs_header(facts, head, file_bytes);
    return decode_bin_header(facts, head);
  };
  CAIRN_ASSIGN(const VectorHeader header, decode());
  CAIRN_TRY(check_dim(header.dim));
  CAIRN_TRY(check_size(header, file_bytes));
  return header;
}

Result<VectorHeader> make_header(Format format, DType dtype, std::uint32_t dim,
                                 std::uint64_t count) {
  const FormatFacts& facts = facts_of(format);
  if (facts.dtype.value_or(dtype) != dtype)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "write " + std::string{facts.extension} + " to",
                 .found = std::string{dtype_name(dtype)} + " vectors",
                 .expected = std::string{dtype_name(*facts.dtype)}});
  CAIRN_TRY(check_dim(dim));
  const bool count_is_u32 = format == Format::idx || facts.header_bytes == 8;
  if (count == 0 || (count_is_u32 && count > std::numeric_limits<std::uint32_t>::max()))
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "write " + std::string{facts.extension} + " to",
                 .found = std::to_string(count) + " vectors",
                 .expected = count == 0 ? "at least 1" : "at most 2^32 - 1"});
  VectorHeader header = header_from(facts);
  header.dtype = dtype;
  header.dim = dim;
  header.count = count;
  if (format == Format::idx && dtype == DType::f32) header.coding = Coding::f32_big_endian;
  header.header_bytes = encode_header(header).size();
  // No file is longer than 2^63 - 1 bytes, and what follows multiplies without looking.
  constexpr std::uint64_t kFileBytesMax = std::numeric_limits<std::int64_t>::max();
  if (count > (kFileBytesMax - header.header_bytes) / header.raw_row_bytes())
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "write " + std::string{facts.extension} + " to",
                 .found = std::to_string(count) + " vectors of " +
                          std::to_string(header.raw_row_bytes()) + " bytes",
                 .expected = "a file of less than 2^63 bytes"});
  return header;
}

std::vector<std::byte> encode_header(const VectorHeader& header) {
  if (header.format == Format::npy) return encode_npy_header(header);
  if (header.format == Format::idx) return encode_idx_header(header);
  if (header.row_prefix_bytes != 0) return {};
  std::vector<std::byte> bytes(8);
  store_u32(&bytes[0], static_cast<std::uint32_t>(header.count));
  store_u32(&bytes[4], header.dim);
  return bytes;
}

Status decode_rows(const VectorHeader& header, std::span<const std::byte> raw,
                   std::uint64_t first_row, std::span<std::byte> rows) {
  const std::size_t count = raw.size() / header.raw_row_bytes();
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* from = raw.data() + i * header.raw_row_bytes();
    if (header.row_prefix_bytes != 0 && load_u32(from) != header.dim)
      return fail({.code = ErrorCode::corrupt,
                   .what = "read row " + std::to_string(first_row + i) + " of",
                   .found = "dimension " + std::to_string(load_u32(from)),
                   .expected = std::to_string(header.dim) + ", that of row 0"});
    CAIRN_TRY(decode_elements(header, first_row + i, from + header.row_prefix_bytes,
                              rows.data() + i * header.row_bytes()));
  }
  return {};
}

Status encode_rows(const VectorHeader& header, std::span<const std::byte> rows,
                   std::uint64_t first_row, std::span<std::byte> raw) {
  const std::size_t count = rows.size() / header.row_bytes();
  for (std::size_t i = 0; i < count; ++i) {
    std::byte* to = raw.data() + i * header.raw_row_bytes();
    if (header.row_prefix_bytes != 0) store_u32(to, header.dim);
    CAIRN_TRY(encode_elements(header, first_row + i, rows.data() + i * header.row_bytes(),
                              to + header.row_prefix_bytes));
  }
  return {};
}

}  // namespace cairn::formats

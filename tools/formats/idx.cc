#include "tools/formats/idx.h"

#include <cstdio>

#include "tools/formats/bytes.h"

namespace cairn::formats {
namespace {

enum class ElementType : std::uint8_t { u8 = 0x08, i8 = 0x09, f32 = 0x0D };

tl::unexpected<Error> malformed(ErrorCode code, std::string found, std::string expected) {
  return fail({.code = code,
               .what = "read the header of",
               .found = std::move(found),
               .expected = std::move(expected)});
}

std::optional<DType> dtype_of(std::byte type) {
  switch (static_cast<ElementType>(type)) {
    case ElementType::u8:
      return DType::u8;
    case ElementType::i8:
      return DType::i8;
    case ElementType::f32:
      return DType::f32;
  }
  return std::nullopt;
}

std::byte type_of(DType dtype) {
  switch (dtype) {
    case DType::u8:
      return std::byte{0x08};
    case DType::i8:
      return std::byte{0x09};
    case DType::f32:
      return std::byte{0x0D};
  }
  return std::byte{0};
}

std::string hex(std::byte value) {
  char text[8];
  std::snprintf(text, sizeof text, "0x%02x", std::to_integer<unsigned>(value));
  return text;
}

}  // namespace

Result<VectorHeader> decode_idx_header(std::span<const std::byte> head) {
  if (head.size() < 4)
    return malformed(ErrorCode::corrupt, std::to_string(head.size()) + " bytes", "at least 12");
  if (head[0] != std::byte{0} || head[1] != std::byte{0})
    return malformed(ErrorCode::corrupt, hex(head[0]) + " " + hex(head[1]), "two zero bytes first");
  const auto dtype = dtype_of(head[2]);
  if (!dtype)
    return malformed(ErrorCode::unsupported, "element type " + hex(head[2]),
                     "0x08 (u8), 0x09 (i8) or 0x0d (f32)");
  const auto dimensions = std::to_integer<std::size_t>(head[3]);
  if (dimensions < 2)
    return malformed(ErrorCode::corrupt, std::to_string(dimensions) + " dimension(s)",
                     "at least 2 (a file of labels has 1)");
  const std::size_t header_bytes = 4 + 4 * dimensions;
  if (head.size() < header_bytes)
    return malformed(ErrorCode::corrupt, std::to_string(head.size()) + " bytes",
                     "a header of " + std::to_string(header_bytes));
  std::uint64_t dim = 1;
  for (std::size_t i = 1; i < dimensions; ++i) {
    const std::uint32_t factor = load_u32_big(&head[4 + 4 * i]);
    if (factor == 0 || factor > kDimMax || (dim *= factor) > kDimMax)
      return malformed(factor == 0 ? ErrorCode::corrupt : ErrorCode::over_limit,
                       "dimension " + std::to_string(i) + " of " + std::to_string(factor),
                       "a product of 1 to " + std::to_string(kDimMax));
  }
  return VectorHeader{
      .format = Format::idx,
      .dtype = *dtype,
      .coding = *dtype == DType::f32 ? Coding::f32_big_endian : Coding::plain,
      .dim = static_cast<std::uint32_t>(dim),
      .count = load_u32_big(&head[4]),
      .header_bytes = header_bytes,
  };
}

std::vector<std::byte> encode_idx_header(const VectorHeader& header) {
  std::vector<std::byte> bytes(12);
  bytes[2] = type_of(header.dtype);
  bytes[3] = std::byte{2};
  store_u32_big(&bytes[4], static_cast<std::uint32_t>(header.count));
  store_u32_big(&bytes[8], header.dim);
  return bytes;
}

}  // namespace cairn::formats

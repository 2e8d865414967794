// The fixed parts of an index that USearch 2 saved, as usearch_reader.h has them in a file:
//   matrix   u32 rows, u32 row_bytes (or both u64), then rows x row_bytes of vectors
//   head     64 bytes: "usearch", u16 major, minor, patch, u8 metric, u8 kind of scalars, of keys
//   and
//            of slots, u64 present, u64 deleted, u64 dim, u8 multi, the rest 0
//   graph    u64 elements, u64 M, u64 M0, u64 level_max, u64 entry
// Little-endian and without padding, so that fields lie at odd places.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace cairn::formats {

inline constexpr std::size_t kUsearchHeadBytes = 64, kUsearchGraphBytes = 40;

/// Kinds of scalars that can be read. Numbers are those of USearch from 2.10 on; the head of an
/// older file is translated.
enum class UsearchScalar : std::uint8_t {
  bf16 = 4,
  f64 = 10,
  f32 = 11,
  f16 = 12,
  u8 = 17,
  i8 = 23
};

DType usearch_dtype(UsearchScalar scalar);        // that holds its values
std::size_t usearch_bytes(UsearchScalar scalar);  // in the file

struct UsearchMatrix {
  std::uint64_t offset = 0;  // of the first vector
  std::uint64_t rows = 0, row_bytes = 0;

  /// Whether a file of so many bytes has room for it and for what must follow.
  bool fits(std::uint64_t file_bytes) const;
  /// Where the head is, if it fits.
  std::uint64_t end() const { return offset + rows * row_bytes; }
};

/// As the front of a file says it with sizes of 64 bits (`wide`) or 32.
UsearchMatrix decode_usearch_matrix(std::span<const std::byte, 16> front, bool wide);

/// Whether a head stands here.
bool is_usearch_head(std::span<const std::byte> bytes);

struct UsearchHead {
  std::array<std::uint16_t, 3> version = {};
  Metric metric = Metric::l2;
  UsearchScalar scalar = UsearchScalar::f32;
  std::size_t key_bytes = 8;   // 8 or 4
  std::size_t slot_bytes = 4;  // 4 or 5
  std::uint64_t present = 0, deleted = 0;
  std::uint32_t dim = 0;
  bool multi = false;  // a key may have several vectors

  /// The key of what was removed: all ones, as is never given to a vector.
  std::uint64_t free_key() const { return key_bytes == 8 ? ~std::uint64_t{0} : 0xffff'ffffu; }
  /// "USearch 2.25.3, f16"
  std::string kind() const;
};

/// Errors: unsupported names the kind found; over_limit; corrupt where the head contradicts itself
/// or the matrix.
Result<UsearchHead> decode_usearch_head(std::span<const std::byte, kUsearchHeadBytes> bytes,
                                        const UsearchMatrix& matrix);

struct UsearchGraph {
  std::uint64_t elements = 0;
  std::uint64_t degree_max = 0, degree_max0 = 0;  // M and M0: links above level 0 and there
  std::uint32_t level_max = 0;
  std::uint64_t entry = 0;
};

/// Errors: corrupt, over_limit.
Result<UsearchGraph> decode_usearch_graph(std::span<const std::byte, kUsearchGraphBytes> bytes,
                                          const UsearchMatrix& matrix);

}  // namespace cairn::formats

// The vector file formats Cairn reads and writes, as pure functions over bytes: no I/O here, so
// that every decoder can be fuzzed. All input is untrusted: counts are bounded and compared with
// the file's size before anybody allocates.
//   .fbin .u8bin .i8bin   u32 count, u32 dim, rows (big-ann); little-endian
//   .fvecs .bvecs .ivecs  per row: u32 dim, elements (corpus-texmex.irisa.fr); little-endian
//   .npy                  NumPy 1.0-3.0, C order, shape (count, dim), '<f4' '|u1' '|i1'
//   IDX                   yann.lecun.com/exdb/mnist: big-endian; dimensions after the first are
//                         flattened (60000 x 28 x 28 is 60000 rows of 784); gzip or not
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::formats {

enum class Format : std::uint8_t { fbin, u8bin, i8bin, fvecs, bvecs, ivecs, npy, idx };

/// How an element lies in the file; in memory it is always a little-endian DType.
enum class Coding : std::uint8_t {
  plain,           // as in memory
  int32,           // .ivecs: int32 in the file, f32 in memory; exact or refused
  f32_big_endian,  // IDX type 0x0D
};

struct FileKind {
  Format format = Format::fbin;
  bool gzip = false;
};

/// By the file's name alone. IDX is named `x.idx`, `x-idx3-ubyte` or `x.idx3-ubyte`, each also with
/// `.gz`. invalid_argument when the extension is none of these.
Result<FileKind> kind_of_path(std::string_view path);

/// What a header says, checked.
struct VectorHeader {
  Format format = Format::fbin;
  DType dtype = DType::f32;
  Coding coding = Coding::plain;
  std::uint32_t dim = 0;               // 1..kDimMax
  std::uint64_t count = 0;             // >= 1
  std::uint64_t header_bytes = 0;      // before the first row
  std::uint32_t row_prefix_bytes = 0;  // 4 in the .*vecs formats

  /// Bytes of a row in memory.
  std::size_t row_bytes() const { return std::size_t{dim} * dtype_bytes(dtype); }
  /// Bytes of a row in the file (int32 and f32 have one size).
  std::size_t raw_row_bytes() const { return row_prefix_bytes + row_bytes(); }
};

/// The longest head decode_header() wants: NumPy's, limited to 64 KiB of dictionary.
inline constexpr std::size_t kHeadBytesMax = 12 + 65536;

/// `head`: the first min(kHeadBytesMax, file size) bytes. `file_bytes`: the size of the (unpacked)
/// file, unknown for gzip. Errors: corrupt (found, expected), unsupported (dtype, Fortran order, a
/// newer version), over_limit (dimension above kDimMax).
Result<VectorHeader> decode_header(Format format, std::span<const std::byte> head,
                                   std::optional<std::uint64_t> file_bytes);

/// Header of a new file of `count` rows. invalid_argument when the format cannot hold the dtype or
/// the count.
Result<VectorHeader> make_header(Format format, DType dtype, std::uint32_t dim,
                                 std::uint64_t count);

/// The bytes before the first row; empty for the .*vecs formats.
std::vector<std::byte> encode_header(const VectorHeader& header);

/// Whole rows of the file -> rows in memory. raw.size() is a multiple of raw_row_bytes(), `rows`
/// has the matching size; `first_row` names rows in errors (a row of another dimension, an int32
/// that no float equals).
Status decode_rows(const VectorHeader& header, std::span<const std::byte> raw,
                   std::uint64_t first_row, std::span<std::byte> rows);

/// The inverse of decode_rows(); .ivecs refuses elements that are not whole numbers.
Status encode_rows(const VectorHeader& header, std::span<const std::byte> rows,
                   std::uint64_t first_row, std::span<std::byte> raw);

}  // namespace cairn::formats

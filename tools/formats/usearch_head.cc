#include "tools/formats/usearch_head.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "tools/formats/bytes.h"
#include "tools/formats/index_reader.h"

namespace cairn::formats {
namespace {

constexpr std::string_view kMagic = "usearch";
constexpr std::uint64_t kDegreeMin = 2, kDegreeMax = 0xffff;  // usearch's own least; far above use
constexpr std::uint64_t kLevelMax = 0x7fff;                   // levels are i16
/// Before it the kinds were numbered through.
constexpr unsigned kMajor = 2, kMinorOfKinds = 10;

constexpr unsigned kB1 = 1, kU40 = 2, kUuid = 3, kU64 = 14, kU32 = 15;

constexpr std::pair<unsigned, std::string_view> kKinds[] = {
    {0, "unknown"}, {kB1, "b1"}, {kU40, "u40"}, {kUuid, "uuid"}, {4, "bf16"},
    {5, "e5m2"},    {6, "e4m3"}, {7, "e2m3"},   {8, "e3m2"},     {10, "f64"},
    {11, "f32"},    {12, "f16"}, {kU64, "u64"}, {kU32, "u32"},   {16, "u16"},
    {17, "u8"},     {20, "i64"}, {21, "i32"},   {22, "i16"},     {23, "i8"},
};

/// What the kinds before 2.10 are since: the place is the old number.
constexpr std::uint8_t kOldKinds[] = {0,    kB1,  kU40, kUuid, 10, 11, 12, 5,
                                      kU64, kU32, 17,   20,    21, 22, 23};

std::string number(std::uint64_t value) { return std::to_string(value); }

tl::unexpected<Error> bad_head(ErrorCode code, std::string found, std::string expected) {
  return fail({.code = code,
               .what = "read the head of the USearch index",
               .found = std::move(found),
               .expected = std::move(expected)});
}

std::string kind_name(unsigned kind) {
  const auto* named =
      std::ranges::find(kKinds, kind, &std::pair<unsigned, std::string_view>::first);
  return named == std::end(kKinds) ? "of kind " + number(kind) : std::string(named->second);
}

Result<Metric> metric_of(std::byte code) {
  switch (std::to_integer<char>(code)) {
    case 'i':
      return Metric::ip;
    case 'c':
      return Metric::cosine;
    case 'e':
      return Metric::l2;
    default:
      return bad_head(ErrorCode::unsupported, "metric " + number(std::to_integer<unsigned>(code)),
                      "105 (ip), 99 (cos) or 101 (l2sq)");
  }
}

Result<UsearchScalar> scalar_of(unsigned kind) {
  for (const auto scalar : {UsearchScalar::bf16, UsearchScalar::f64, UsearchScalar::f32,
                            UsearchScalar::f16, UsearchScalar::u8, UsearchScalar::i8})
    if (static_cast<unsigned>(scalar) == kind) return scalar;
  return bad_head(ErrorCode::unsupported, "scalars " + kind_name(kind),
                  "f64, f32, f16, bf16, i8 or u8");
}

/// Kinds of scalar, key and slot.
Status decode_kinds(const std::byte* kinds, bool old, UsearchHead& head) {
  const auto kind_at = [&](std::size_t i) {
    const auto kind = std::to_integer<unsigned>(kinds[i]);
    return old && kind < std::size(kOldKinds) ? kOldKinds[kind] : kind;
  };
  CAIRN_ASSIGN(head.scalar, scalar_of(kind_at(0)));
  const unsigned key = kind_at(1), slot = kind_at(2);
  if (key != kU64 && key != kU32)
    return bad_head(ErrorCode::unsupported, "keys " + kind_name(key), "u64 or u32");
  if (slot != kU32 && slot != kU40)
    return bad_head(ErrorCode::unsupported, "slots " + kind_name(slot), "u32 or u40");
  head.key_bytes = key == kU64 ? 8 : 4;
  head.slot_bytes = slot == kU32 ? 4 : 5;
  return {};
}

Status check_population(const UsearchHead& head, std::uint64_t dim, unsigned multi,
                        const UsearchMatrix& matrix) {
  if (dim == 0 || dim > kDimMax)
    return bad_head(dim == 0 ? ErrorCode::corrupt : ErrorCode::over_limit,
                    "dimension " + number(dim), "1 to " + number(kDimMax));
  if (matrix.row_bytes != dim * usearch_bytes(head.scalar))
    return bad_head(ErrorCode::corrupt, "vectors of " + number(matrix.row_bytes) + " bytes",
                    number(dim * usearch_bytes(head.scalar)) + " by its dimension and scalars");
  if (head.present > matrix.rows || head.deleted != matrix.rows - head.present)
    return bad_head(ErrorCode::corrupt,
                    number(head.present) + " elements and " + number(head.deleted) + " deleted",
                    "together its " + number(matrix.rows) + " vectors");
  if (multi > 1)
    return bad_head(ErrorCode::corrupt, "several vectors a key: " + number(multi), "0 or 1");
  return {};
}

}  // namespace

DType usearch_dtype(UsearchScalar scalar) {
  switch (scalar) {
    case UsearchScalar::u8:
      return DType::u8;
    case UsearchScalar::i8:
      return DType::i8;
    default:
      return DType::f32;
  }
}

std::size_t usearch_bytes(UsearchScalar scalar) {
  switch (scalar) {
    case UsearchScalar::f64:
      return 8;
    case UsearchScalar::f32:
      return 4;
    case UsearchScalar::f16:
    case UsearchScalar::bf16:
      return 2;
    default:
      return 1;
  }
}

bool UsearchMatrix::fits(std::uint64_t file_bytes) const {
  const std::uint64_t others = offset + kUsearchHeadBytes + kUsearchGraphBytes;
  if (file_bytes < others) return false;
  return row_bytes == 0 || rows <= (file_bytes - others) / row_bytes;
}

UsearchMatrix decode_usearch_matrix(std::span<const std::byte, 16> front, bool wide) {
  if (wide) return {.offset = 16, .rows = load_u64(&front[0]), .row_bytes = load_u64(&front[8])};
  return {.offset = 8, .rows = load_u32(&front[0]), .row_bytes = load_u32(&front[4])};
}

bool is_usearch_head(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() &&
         std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

std::string UsearchHead::kind() const {
  return "USearch " + number(version[0]) + "." + number(version[1]) + "." + number(version[2]) +
         ", " + kind_name(static_cast<unsigned>(scalar));
}

Result<UsearchHead> decode_usearch_head(std::span<const std::byte, kUsearchHeadBytes> bytes,
                                        const UsearchMatrix& matrix) {
  UsearchHead head;
  for (std::size_t i = 0; i < 3; ++i) head.version[i] = load_u16(&bytes[7 + 2 * i]);
  if (head.version[0] != kMajor)
    return bad_head(ErrorCode::unsupported, "version " + number(head.version[0]), number(kMajor));
  CAIRN_ASSIGN(head.metric, metric_of(bytes[13]));
  CAIRN_TRY(decode_kinds(&bytes[14], head.version[1] < kMinorOfKinds, head));
  head.present = load_u64(&bytes[17]);
  head.deleted = load_u64(&bytes[25]);
  const std::uint64_t dim = load_u64(&bytes[33]);
  const auto multi = std::to_integer<unsigned>(bytes[41]);
  CAIRN_TRY(check_population(head, dim, multi, matrix));
  head.dim = static_cast<std::uint32_t>(dim);
  head.multi = multi == 1;
  return head;
}

Result<UsearchGraph> decode_usearch_graph(std::span<const std::byte, kUsearchGraphBytes> bytes,
                                          const UsearchMatrix& matrix) {
  UsearchGraph graph{.elements = load_u64(&bytes[0]),
                     .degree_max = load_u64(&bytes[8]),
                     .degree_max0 = load_u64(&bytes[16]),
                     .entry = load_u64(&bytes[32])};
  const std::uint64_t level_max = load_u64(&bytes[24]);
  if (graph.elements != matrix.rows)
    return bad_head(ErrorCode::corrupt, "a graph of " + number(graph.elements) + " elements",
                    "as many as vectors, " + number(matrix.rows));
  if (graph.elements > kElementsMax)
    return bad_head(ErrorCode::over_limit, number(graph.elements) + " elements",
                    "at most " + number(kElementsMax));
  if (graph.degree_max < kDegreeMin || graph.degree_max0 < graph.degree_max ||
      graph.degree_max0 > kDegreeMax)
    return bad_head(ErrorCode::corrupt,
                    "M " + number(graph.degree_max) + ", M0 " + number(graph.degree_max0),
                    number(kDegreeMin) + " <= M <= M0 <= " + number(kDegreeMax));
  if (graph.elements == 0) return graph;
  if (level_max > kLevelMax || graph.entry >= graph.elements)
    return bad_head(
        ErrorCode::corrupt, "entry " + number(graph.entry) + " at level " + number(level_max),
        "one of the " + number(graph.elements) + " elements, at level 0 to " + number(kLevelMax));
  graph.level_max = static_cast<std::uint32_t>(level_max);
  return graph;
}

}  // namespace cairn::formats

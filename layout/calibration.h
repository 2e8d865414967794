// Role calibration: what recall costs, measured on the index itself. One for the whole index; a
// stream. See FORMAT.md, Calibration.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

namespace cairn::layout {

/// Whose neighbours were looked for. Persisted: never renumber.
enum class CalibrationSource : std::uint32_t {
  rows = 1,   // vectors of the index, each hidden from its own search
  given = 2,  // queries that the user gave
};

struct CalibrationHeader {
  std::uint32_t curves;
  std::uint32_t source;  // CalibrationSource
  std::uint64_t points;  // of all curves
};
static_assert(sizeof(CalibrationHeader) == 16);
static_assert(std::has_unique_object_representations_v<CalibrationHeader>);

/// For which searches a curve holds. Records ascend by these fields, up to list_size.
struct CurveRecord {
  std::uint32_t refine_bytes;  // of refinement in RAM
  std::uint32_t nav_edges;     // of each node in RAM
  std::uint32_t k;
  std::uint32_t width;      // blocks under way at once
  std::uint32_t list_size;  // L
  std::uint32_t queries;    // it is the mean of
  std::uint32_t points;
  std::uint32_t reserved;

  auto key() const { return std::tie(refine_bytes, nav_edges, k, width, list_size); }
};
static_assert(sizeof(CurveRecord) == 32);
static_assert(std::has_unique_object_representations_v<CurveRecord>);

/// With this slack a search found this share of the true k, wanted so many blocks and looked at so
/// many codes, on the mean.
struct CurvePoint {
  float slack;
  float recall;
  float blocks;
  float codes;
};
static_assert(sizeof(CurvePoint) == 16);

inline constexpr std::uint32_t kCurvesMax = 1u << 16;
inline constexpr std::uint32_t kCurvePointsMax = 1u << 10;

struct Curve {
  CurveRecord record{};
  std::vector<CurvePoint> points;  // ascending in slack, recall and blocks
};
struct Calibration {
  CalibrationSource source = CalibrationSource::rows;
  std::vector<Curve> curves;
};

/// Fills counts; order and points are the caller's.
std::vector<std::byte> encode_calibration(const Calibration& calibration);
/// Curves ascend by key and have points; slacks are finite, recall is within [0, 1].
Result<Calibration> decode_calibration(std::span<const std::byte> bytes);

}  // namespace cairn::layout

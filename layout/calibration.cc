#include "layout/calibration.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "layout/byte_reader.h"

namespace cairn::layout {
namespace {

constexpr std::string_view kName = "calibration";

Status check_record(const CurveRecord& record, const CurveRecord* before) {
  const std::string of = "curve for k = " + std::to_string(record.k);
  if (record.k == 0 || record.width == 0 || record.list_size == 0 || record.queries == 0)
    return malformed(kName, of + ": a zero", "k, width, list size and queries of 1 or more");
  if (record.points == 0 || record.points > kCurvePointsMax)
    return malformed(kName, of + ": " + std::to_string(record.points) + " points",
                     "1 to " + std::to_string(kCurvePointsMax));
  if (record.reserved != 0) return malformed(kName, of + ": reserved bits", "zeros");
  if (before != nullptr && !(before->key() < record.key()))
    return malformed(kName, of + " after one not below it", "ascending curves");
  return {};
}

Status check_points(std::span<const CurvePoint> points) {
  CurvePoint before{-std::numeric_limits<float>::max(), 0, 0, 0};
  for (const CurvePoint& point : points) {
    const bool ascends = point.slack >= before.slack && point.recall >= before.recall &&
                         point.blocks >= before.blocks;  // false for NaN
    if (!ascends || !std::isfinite(point.slack) || point.recall > 1 ||
        !std::isfinite(point.blocks) || !(point.codes >= 0) || !std::isfinite(point.codes))
      return malformed(kName,
                       "point of slack " + std::to_string(point.slack) + ", recall " +
                           std::to_string(point.recall) + ", blocks " +
                           std::to_string(point.blocks),
                       "finite ascending points, recall within 0 to 1");
    before = point;
  }
  return {};
}

template <class T>
std::byte* put(std::byte* at, std::span<const T> items) {
  if (!items.empty()) std::memcpy(at, items.data(), items.size_bytes());
  return at + items.size_bytes();
}

}  // namespace

std::vector<std::byte> encode_calibration(const Calibration& calibration) {
  CalibrationHeader header{.curves = static_cast<std::uint32_t>(calibration.curves.size()),
                           .source = static_cast<std::uint32_t>(calibration.source),
                           .points = 0};
  for (const Curve& curve : calibration.curves) header.points += curve.points.size();
  std::vector<std::byte> bytes(sizeof header + calibration.curves.size() * sizeof(CurveRecord) +
                               header.points * sizeof(CurvePoint));
  std::byte* at = put(bytes.data(), std::span<const CalibrationHeader>(&header, 1));
  for (const Curve& curve : calibration.curves) {
    CurveRecord record = curve.record;
    record.points = static_cast<std::uint32_t>(curve.points.size());
    at = put(at, std::span<const CurveRecord>(&record, 1));
  }
  for (const Curve& curve : calibration.curves)
    at = put(at, std::span<const CurvePoint>(curve.points));
  return bytes;
}

Result<Calibration> decode_calibration(std::span<const std::byte> bytes) {
  ByteReader reader(bytes, kName);
  CAIRN_ASSIGN(const CalibrationHeader header, reader.take<CalibrationHeader>());
  if (header.curves == 0 || header.curves > kCurvesMax)
    return malformed(kName, std::to_string(header.curves) + " curves",
                     "1 to " + std::to_string(kCurvesMax));
  if (header.source < 1 || header.source > static_cast<std::uint32_t>(CalibrationSource::given))
    return malformed(kName, "source " + std::to_string(header.source), "1 or 2");
  CAIRN_ASSIGN(const auto records, reader.take_many<CurveRecord>(header.curves));
  Calibration calibration;
  calibration.source = static_cast<CalibrationSource>(header.source);
  std::uint64_t points = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    CAIRN_TRY(check_record(records[i], i == 0 ? nullptr : &records[i - 1]));
    Curve curve{.record = records[i], .points = {}};
    CAIRN_ASSIGN(curve.points, reader.take_many<CurvePoint>(records[i].points));
    CAIRN_TRY(check_points(curve.points));
    points += curve.points.size();
    calibration.curves.push_back(std::move(curve));
  }
  if (points != header.points || reader.remaining() != 0)
    return malformed(kName,
                     std::to_string(points) + " points and " + std::to_string(reader.remaining()) +
                         " bytes more",
                     std::to_string(header.points) + " points and no more");
  return calibration;
}

}  // namespace cairn::layout

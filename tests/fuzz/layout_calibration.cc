// Calibrations, and the efforts that follow from one that is taken. The first bytes say for what in
// RAM and for which recall, the rest is the stream.
#include "layout/calibration.h"

#include <algorithm>
#include <cmath>

#include "engine/search/effort.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using namespace cairn::layout;

void check_curves(const Calibration& calibration) {
  for (const Curve& curve : calibration.curves) {
    FUZZ_REQUIRE(!curve.points.empty() && curve.points.size() == curve.record.points);
    for (std::size_t i = 0; i < curve.points.size(); ++i) {
      const CurvePoint& point = curve.points[i];
      FUZZ_REQUIRE(std::isfinite(point.slack) && point.recall >= 0 && point.recall <= 1);
      FUZZ_REQUIRE(i == 0 || point.slack >= curve.points[i - 1].slack);
    }
  }
  FUZZ_REQUIRE(std::ranges::is_sorted(calibration.curves, {},
                                      [](const Curve& curve) { return curve.record.key(); }));
}

void check_effort(const Calibration& calibration, std::uint32_t refine_bytes,
                  std::uint32_t nav_edges, std::uint32_t k, double recall) {
  const search::EffortTable table(calibration, refine_bytes, nav_edges, 4);
  FUZZ_REQUIRE(table.ram_bytes() <= search::EffortTable::ram_bytes_max(calibration));
  if (table.empty()) return;
  const search::Effort effort = table.at(k, recall);
  FUZZ_REQUIRE(effort.list_size >= 1);
  FUZZ_REQUIRE(std::isfinite(effort.slack_alone) && std::isfinite(effort.slack_wide));
  FUZZ_REQUIRE(effort.recall >= 0 && effort.recall <= 1);
  FUZZ_REQUIRE(effort.blocks >= 0 && effort.blocks_wide >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint32_t refine_bytes = input.take<std::uint8_t>();
  const std::uint32_t nav_edges = input.take<std::uint8_t>();
  const std::uint32_t k = 1U + input.take<std::uint16_t>();
  const double recall = (1 + input.take<std::uint8_t>()) / 256.0;
  const auto decoded = decode_calibration(input.rest());
  if (!decoded) {
    FUZZ_REQUIRE(!decoded.error().found.empty() && !decoded.error().expected.empty());
    return 0;
  }
  const auto bytes = encode_calibration(*decoded);
  FUZZ_REQUIRE(std::ranges::equal(bytes, input.rest()));
  check_curves(*decoded);
  check_effort(*decoded, refine_bytes, nav_edges, k, recall);
  return 0;
}

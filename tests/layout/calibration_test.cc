#include "layout/calibration.h"

#include <limits>

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

Calibration sample() {
  const auto curve = [](std::uint32_t refine, std::uint32_t k, std::vector<CurvePoint> points) {
    Curve made;
    made.record = {.refine_bytes = refine,
                   .nav_edges = 8,
                   .k = k,
                   .width = 1,
                   .list_size = 64,
                   .queries = 1000,
                   .points = static_cast<std::uint32_t>(points.size()),
                   .reserved = 0};
    made.points = std::move(points);
    return made;
  };
  return {.source = CalibrationSource::given,
          .curves = {curve(0, 1, {{-1, 0.5F, 1, 100}, {0.5F, 1, 9, 300}}),
                     curve(0, 10, {{0, 0.75F, 8, 200}}),
                     curve(14, 1, {{0, 0.75F, 8, 200}, {0, 0.75F, 8, 100}})}};
}

TEST(Calibration, ComesBackAsItWas) {
  const auto bytes = encode_calibration(sample());
  EXPECT_EQ(bytes.size(), 16U + 3 * 32 + 5 * 16);
  const auto decoded = decode_calibration(bytes);
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->source, CalibrationSource::given);
  ASSERT_EQ(decoded->curves.size(), 3U);
  EXPECT_EQ(decoded->curves[1].record.k, 10U);
  EXPECT_EQ(decoded->curves[0].points[1].blocks, 9);
  EXPECT_EQ(decoded->curves[2].points[1].codes, 100);
  EXPECT_EQ(encode_calibration(*decoded), bytes);
}

TEST(Calibration, NoPrefixIsOne) {
  const auto whole = encode_calibration(sample());
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(decode_calibration(std::span(whole).first(length))) << length;
  auto longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_calibration(longer));
}

TEST(Calibration, EveryDisagreementIsNamed) {
  const auto refused = [](auto change, const std::vector<std::string>& words) {
    Calibration calibration = sample();
    change(calibration);
    const auto decoded = decode_calibration(encode_calibration(calibration));
    ASSERT_FALSE(decoded) << ::testing::PrintToString(words);
    expect_error(decoded.error(), ErrorCode::corrupt, words);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinite = std::numeric_limits<float>::infinity();
  refused([](auto& c) { c.curves.clear(); }, {"0 curves"});
  refused([](auto& c) { c.source = static_cast<CalibrationSource>(3); }, {"source 3"});
  refused([](auto& c) { c.curves[1].record.k = 0; }, {"k = 0"});
  refused([](auto& c) { c.curves[1].record.width = 0; }, {"k = 10"});
  refused([](auto& c) { c.curves[1].record.list_size = 0; }, {"k = 10"});
  refused([](auto& c) { c.curves[1].record.queries = 0; }, {"k = 10"});
  refused([](auto& c) { c.curves[1].record.reserved = 1; }, {"reserved"});
  refused([](auto& c) { c.curves[1].points.clear(); }, {"0 points"});
  refused([](auto& c) { c.curves[1].points.resize(kCurvePointsMax + 1); }, {"1025 points"});
  refused([](auto& c) { std::swap(c.curves[0], c.curves[1]); }, {"ascending curves"});
  refused([](auto& c) { c.curves[1].record = c.curves[0].record; }, {"ascending curves"});
  refused([](auto& c) { c.curves[0].points[1].slack = -2; }, {"slack -2"});
  refused([](auto& c) { c.curves[0].points[1].recall = 0.25F; }, {"recall 0.25"});
  refused([](auto& c) { c.curves[0].points[1].recall = 1.5F; }, {"recall 1.5"});
  refused([](auto& c) { c.curves[0].points[1].blocks = 0; }, {"blocks 0"});
  for (const float bad : {nan, infinite}) {
    refused([&](auto& c) { c.curves[0].points[1].slack = bad; }, {"slack"});
    refused([&](auto& c) { c.curves[0].points[1].recall = bad; }, {"recall"});
    refused([&](auto& c) { c.curves[0].points[1].blocks = bad; }, {"blocks"});
    refused([&](auto& c) { c.curves[0].points[1].codes = bad; }, {"points"});
  }
  refused([](auto& c) { c.curves[0].points[1].codes = -1; }, {"points"});
}

TEST(Calibration, ACountOfPointsThatIsNotThereIsRefused) {
  auto bytes = encode_calibration(sample());
  store(bytes, offsetof(CalibrationHeader, points), std::uint64_t{6});
  const auto decoded = decode_calibration(bytes);
  ASSERT_FALSE(decoded);
  expect_error(decoded.error(), ErrorCode::corrupt, {"5 points", "6 points"});
}

}  // namespace
}  // namespace cairn::layout

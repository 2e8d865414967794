#include "engine/math/row_scan.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "tests/engine/math/paths.h"

namespace cairn::math {
namespace {

class RowScan : public OnPath {};
CAIRN_ON_EVERY_PATH(RowScan);

TEST_P(RowScan, FindsWhatIsThereAndNothingBehind) {
  std::mt19937 random(1);
  for (std::size_t count = 0; count <= 130; ++count) {
    std::vector<std::uint32_t> values(count + 1);
    for (std::uint32_t& value : values) value = static_cast<std::uint32_t>(random());
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_TRUE(contains(values.data(), count, values[i])) << i << " of " << count;
    const std::uint32_t behind = values[count];
    if (std::find(values.begin(), values.end() - 1, behind) == values.end() - 1) {
      EXPECT_FALSE(contains(values.data(), count, behind)) << count;
    }
  }
}

TEST_P(RowScan, FindsTheFarthestAndOfEqualOnesTheLargestId) {
  std::mt19937 random(2);
  EXPECT_EQ(farthest(nullptr, nullptr, 0), 0U);
  for (std::size_t count = 1; count <= 130; ++count)
    for (const std::uint32_t values : {1U, 3U, 1000U}) {
      std::vector<float> distances(count);
      std::vector<std::uint32_t> ids(count);
      for (std::size_t i = 0; i < count; ++i) {
        distances[i] = static_cast<float>(random() % values);
        ids[i] = static_cast<std::uint32_t>(i);
      }
      std::shuffle(ids.begin(), ids.end(), random);
      std::size_t expected = 0;
      for (std::size_t i = 1; i < count; ++i)
        if (std::pair(distances[i], ids[i]) > std::pair(distances[expected], ids[expected]))
          expected = i;
      EXPECT_EQ(farthest(distances.data(), ids.data(), count), expected) << count;
    }
}

}  // namespace
}  // namespace cairn::math

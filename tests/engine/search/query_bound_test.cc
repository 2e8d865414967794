// Searches that end before their list, and the width of a search.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include "tests/engine/search/query_world.h"

namespace cairn::search::testing {
namespace {

constexpr std::uint32_t kList = 150;

/// Recall, reads and ends of all queries of a world.
struct Summary {
  double recall = 0, reads = 0;
  std::uint32_t bounded = 0;
};
Summary all_queries(const World& w, std::optional<float> slack) {
  Summary sum;
  for (std::uint32_t i = 0; i < w.queries.count; ++i) {
    SearchRequest request = w.request(i, 10, kList);
    request.slack = slack;
    const SearchResult result = search(w, request);
    EXPECT_EQ(result.neighbors.size(), 10u);
    sum.recall += recall(result.neighbors, truth(w, request)) / w.queries.count;
    sum.reads += result.counters.reads;
    sum.bounded += result.stop == Stop::bound;
  }
  return sum;
}

struct Kind {
  Metric metric;
  std::uint32_t nav_slices, refine_m;
};
class Slack : public ::testing::TestWithParam<Kind> {
 protected:
  World world() const {
    return make_world({.metric = GetParam().metric,
                       .refine_m = GetParam().refine_m,
                       .nav_slices = GetParam().nav_slices,
                       .seed = 3});
  }
};

TEST_P(Slack, SavesReadsAndLosesLittle) {
  const World w = world();
  const Summary whole = all_queries(w, {}), easy = all_queries(w, 0.3f);
  EXPECT_EQ(whole.bounded, 0u);
  EXPECT_GT(easy.bounded, 0u);
  EXPECT_LT(easy.reads, 0.9 * whole.reads);
  EXPECT_GT(easy.recall, whole.recall - 0.1);
}

TEST_P(Slack, MoreOfItNeverReadsLess) {
  const World w = world();
  double reads = 0;
  for (const float slack : {-0.5f, 0.0f, 0.2f, 0.5f, 2.0f}) {
    const Summary now = all_queries(w, slack);
    EXPECT_GE(now.reads, reads) << slack;
    reads = now.reads;
  }
}

TEST_P(Slack, WithoutEndItIsTheWholeList) {
  const World w = world();
  for (std::uint32_t i = 0; i < w.queries.count; ++i) {
    SearchRequest request = w.request(i, 10, 60);
    const SearchResult whole = search(w, request);
    request.slack = std::numeric_limits<float>::max();
    const SearchResult slack = search(w, request);
    EXPECT_EQ(slack.stop, Stop::list_exhausted);
    EXPECT_GE(recall(slack.neighbors, truth(w, request)) + 0.21,
              recall(whole.neighbors, truth(w, request)));
  }
}

/// The k best of what was read are the answer wherever the search ends.
TEST_P(Slack, TheLeastStillReadsForKResults) {
  const World w = world();
  for (const std::uint32_t k : {1u, 10u, 40u}) {
    SearchRequest request = w.request(2, k, kList);
    request.slack = -1e30f;
    const SearchResult result = search(w, request);
    EXPECT_EQ(result.neighbors.size(), k);
    EXPECT_EQ(result.stop, Stop::bound);
    EXPECT_GE(result.counters.exact_distances, k);
  }
}

TEST_P(Slack, AListOfEverythingReadsEverything) {
  const World w = world();
  SearchRequest request = w.request(0, kCount, 0);
  request.slack = 0.0f;
  const SearchResult result = search(w, request);
  EXPECT_EQ(result.stop, Stop::exhausted);
  EXPECT_EQ(result.neighbors.size(), kCount);
}

INSTANTIATE_TEST_SUITE_P(Query, Slack,
                         ::testing::Values(Kind{Metric::l2, 0, 0}, Kind{Metric::l2, 1, 8},
                                           Kind{Metric::l2, kAllSlices, 8},
                                           Kind{Metric::cosine, 0, 0}, Kind{Metric::cosine, 1, 8},
                                           Kind{Metric::ip, 0, 0}, Kind{Metric::ip, 1, 8}));

/// What a vector looks like by its code and what it is.
struct Distances {
  float code, exact;
};

/// One vector a block, at given distances from the origin: the codebook has never seen the element
/// that holds what exact distances have above those of codes. Every node leads to the first two.
class Told {
 public:
  explicit Told(const std::vector<Distances>& told) {
    const auto count = static_cast<std::uint32_t>(told.size());
    Vectors seen{DType::f32, kDim, count, std::vector<std::byte>(count * sizeof(float[kDim]))};
    const auto put = [](Vectors& vectors, std::uint32_t i, std::uint32_t element, float square) {
      const float value = std::sqrt(square);
      std::memcpy(vectors.bytes.data() + (i * kDim + element) * sizeof value, &value, sizeof value);
    };
    for (std::uint32_t i = 0; i < count; ++i) put(seen, i, 0, told[i].code);
    Vectors vectors = seen;
    Graph graph(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      put(vectors, i, kDim - 1, told[i].exact - told[i].code);
      graph[i] = {0, 1, (i + 1) % count, (i + 2) % count};
    }
    SegmentOptions options{.m = 2, .slots_per_block = 1, .nav_slices = 1};
    teacher_.emplace(std::move(seen), graph, options);
    options.codebook = teacher_->view().codebook;
    owner_.emplace(std::move(vectors), graph, options);
  }

  /// Blocks that the search for the nearest reads, one at a time.
  std::uint32_t blocks_read(float slack) const {
    const float origin[kDim] = {};
    const SearchRequest request{
        .query = {origin, kDim, DType::f32}, .k = 1, .list_size = kListSize, .slack = slack};
    const Segment segments[] = {owner_->view()};
    Query query({Metric::l2, DType::f32, kDim, 4});
    query.start(request, segments);
    BlockWant wanted[1];
    std::uint32_t blocks = 0;
    for (; query.wants(wanted, 1) == 1; ++blocks)
      EXPECT_TRUE(
          query.absorb(wanted[0], owner_->page(wanted[0].first_slot), io::BlockSource::disk));
    EXPECT_TRUE(query.done());
    return blocks;
  }

  static constexpr std::uint32_t kListSize = 200;

 private:
  static constexpr std::uint32_t kDim = 4;
  std::optional<SmallSegment> teacher_, owner_;
};

/// Beside the nearest all look alike, 1.1 times as far: only what was read in vain ends the search.
TEST(QueryBound, EachBlockInARowWithoutAResultNarrowsTheSlack) {
  std::vector<Distances> vectors(300, {110, 130});
  vectors[0] = {100, 100};
  const Told told(vectors);
  EXPECT_EQ(told.blocks_read(0.09f), 1u);
  // 1/256 a block: as a part of the slack or as a factor of the distance.
  for (const float slack : {0.15f, 0.25f, 0.35f}) {
    const float in_vain = (slack - 0.1f) * 256;
    const auto blocks = static_cast<float>(told.blocks_read(slack));
    EXPECT_GE(blocks, 1 + in_vain / 1.1f) << slack;
    EXPECT_LE(blocks, 1 + in_vain + 1.01f) << slack;
  }
  EXPECT_EQ(told.blocks_read(100), Told::kListSize);
}

/// The second of the results comes after ten blocks in vain, which then count no more.
TEST(QueryBound, ABlockWithAResultGivesTheSlackBack) {
  std::vector<Distances> vectors(300, {110, 200});
  vectors[0] = {100, 112};
  for (std::size_t i = 2; i < 12; ++i) vectors[i].code = 105;
  vectors[1] = {108, 110};
  const std::uint32_t before = 1 + 10 + 1;
  for (const float slack : {0.1f, 0.2f}) {
    const float in_vain = slack * 256;
    const auto blocks = static_cast<float>(Told(vectors).blocks_read(slack));
    EXPECT_GE(blocks, before + in_vain * 0.99f) << slack;
    EXPECT_LE(blocks, before + in_vain + 1.01f) << slack;
  }
}

TEST(QueryWidth, BoundsWhatIsUnderWay) {
  const World w = make_world({.nav_slices = 0});
  SearchRequest request = w.request(1, 10, 60);
  request.slack = 1.0f;
  const Segment segments[] = {w.owner->view()};
  for (const std::uint32_t width : {0u, 1u, 2u, 100u}) {
    Query query(w.limits);
    query.start(request, segments);
    const std::uint32_t most = std::clamp(width, 1u, w.limits.beam_width);
    std::vector<BlockWant> wanted(64);
    EXPECT_EQ(query.wants(wanted, width), most);
    EXPECT_EQ(query.wants(wanted, width), 0u);
    ASSERT_TRUE(
        query.absorb(wanted[0], w.owner->page(wanted[0].first_slot), io::BlockSource::disk));
    EXPECT_EQ(query.wants(wanted, width), 1u);
  }
}

TEST(QueryWidth, IsTheFullOneWithoutSlack) {
  const World w = make_world({.nav_slices = 0});
  const SearchRequest request = w.request(1, 10, 60);
  const Segment segments[] = {w.owner->view()};
  Query query(w.limits);
  query.start(request, segments);
  std::vector<BlockWant> wanted(64);
  EXPECT_EQ(query.wants(wanted, 1), w.limits.beam_width);
}

TEST(QueryWidth, ANarrowerSearchReadsLess) {
  const World w = make_world({.slots_per_block = 3, .nav_slices = 0, .seed = 5});
  const Segment segments[] = {w.owner->view()};
  double reads[2] = {};
  for (const bool wide : {false, true}) {
    for (std::uint32_t i = 0; i < w.queries.count; ++i) {
      SearchRequest request = w.request(i, 10, 30);
      request.slack = 10.0f;
      Query query(w.limits);
      query.start(request, segments);
      std::vector<BlockWant> wanted(8);
      for (;;) {
        const std::uint32_t count = query.wants(wanted, wide ? 8 : 1);
        for (std::uint32_t b = 0; b < count; ++b)
          ASSERT_TRUE(
              query.absorb(wanted[b], w.owner->page(wanted[b].first_slot), io::BlockSource::disk));
        if (query.done()) break;
      }
      reads[wide] += query.take().counters.reads;
    }
  }
  EXPECT_LT(reads[0], reads[1]);
}

}  // namespace
}  // namespace cairn::search::testing

// What a search does with blocks, navigation bytes, codes and requests that are wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "engine/search/query.h"
#include "tests/engine/search/query_world.h"

namespace cairn::search::testing {
namespace {

TEST(QueryInput, CorruptAdjacencyIsAnError) {
  World w = make_world({});
  const Segment segments[] = {w.owner->view()};
  const layout::BlockShape& shape = segments[0].shape;
  for (std::uint32_t block = 0; block < w.owner->block_count(); ++block) {
    const auto page = w.owner->mutable_page(block * shape.slots);
    const auto opened = layout::BlockView::open(shape, page, block * shape.slots);
    ASSERT_TRUE(opened);
    std::fill_n(page.begin() + shape.adjacency_at(), opened->adjacency_bytes_used(),
                std::byte{0xff});
  }
  const SearchRequest request = w.request(0, 10, 40);
  Query query(w.limits);
  query.start(request, segments);
  BlockWant wanted[1];
  ASSERT_EQ(query.wants(wanted), 1u);
  const Status status =
      query.absorb(wanted[0], w.owner->page(wanted[0].first_slot), io::BlockSource::disk);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::corrupt);
}

TEST(QueryInput, ABlockOfAnotherPlaceIsAnError) {
  const World w = make_world({.nav_slices = kAllSlices});
  const Segment segments[] = {w.owner->view()};
  const SearchRequest request = w.request(0, 10, 40);
  Query query(w.limits);
  query.start(request, segments);
  BlockWant wanted[1];
  ASSERT_EQ(query.wants(wanted), 1u);
  const std::uint32_t other = wanted[0].first_slot == 0 ? segments[0].shape.slots : 0;
  const Status status = query.absorb(wanted[0], w.owner->page(other), io::BlockSource::disk);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::corrupt);
}

TEST(QueryInput, RandomNavigationBytesDoNoHarm) {
  const World w = make_world({.nav_slices = 1});
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    Segment segment = w.owner->view();
    std::vector<std::byte> slice(segment.slot_count * segment.nav_bits + layout::kNavPadBytes);
    for (std::byte& b : slice) b = static_cast<std::byte>(random());
    const std::byte* slices[] = {slice.data()};
    segment.nav = slices;
    segment.nav_complete = seed % 2 == 0;
    const SmallSegment* owners[] = {w.owner.get()};
    Query query(w.limits);
    const auto result = run(query, w.request(0, 10, 60), owners, {&segment, 1});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->neighbors.size(), 10u);
  }
}

TEST(QueryInput, ACodebookOfNaNsDoesNoHarm) {
  const World w = make_world({.nav_slices = 1});
  Segment segment = w.owner->view();
  math::Codebook book = *segment.codebook;
  for (std::size_t i = 0; i < book.centroids.size(); i += 3)
    book.centroids[i] = i % 2 == 0 ? std::nanf("") : std::numeric_limits<float>::max();
  math::pq_prepare(book);
  segment.codebook = &book;
  const SmallSegment* owners[] = {w.owner.get()};
  Query query(w.limits);
  const auto result = run(query, w.request(0, 10, 60), owners, {&segment, 1});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->neighbors.size(), 10u);
}

TEST(QueryInput, RequestsAreChecked) {
  const World w = make_world({});
  const auto code_of = [&](const SearchRequest& request, QueryLimits limits) {
    const Status status = check_request(request, limits);
    return status ? std::string("ok") : std::string(error_name(status.error().code));
  };
  const SearchRequest good = w.request(0, 10, 0);
  EXPECT_EQ(code_of(good, w.limits), "ok");
  SearchRequest bad = good;
  bad.k = 0;
  EXPECT_EQ(code_of(bad, w.limits), "invalid_argument");
  for (const float slack : {std::nanf(""), INFINITY, -INFINITY}) {
    bad = good;
    bad.slack = slack;
    EXPECT_EQ(code_of(bad, w.limits), "invalid_argument");
  }
  bad = good;
  bad.query.dim = 15;
  EXPECT_EQ(code_of(bad, w.limits), "invalid_argument");
  bad = good;
  bad.query.dtype = DType::u8;
  EXPECT_EQ(code_of(bad, w.limits), "invalid_argument");
  bad = good;
  bad.query.data = nullptr;
  EXPECT_EQ(code_of(bad, w.limits), "invalid_argument");
  std::vector<float> row(16, 1.0f);
  bad.query.data = row.data();
  for (const float value : {std::nanf(""), INFINITY, -INFINITY}) {
    row[7] = value;
    EXPECT_EQ(code_of(bad, w.limits), "invalid_argument");
  }
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    QueryLimits limits = w.limits;
    limits.metric = metric;
    row.assign(16, 1e18f);
    EXPECT_EQ(code_of(bad, limits), "ok");
    row[7] = -1e30f;
    EXPECT_EQ(code_of(bad, limits), "invalid_argument");
    row.assign(16, 1e-25f);
    EXPECT_EQ(code_of(bad, limits), metric == Metric::cosine ? "invalid_argument" : "ok");
  }
  row.assign(16, 0.0f);
  EXPECT_EQ(code_of(bad, w.limits), "ok");
  QueryLimits cosine = w.limits;
  cosine.metric = Metric::cosine;
  EXPECT_EQ(code_of(bad, cosine), "invalid_argument");
}

}  // namespace
}  // namespace cairn::search::testing

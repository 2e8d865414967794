// What a search context costs: its bytes, and that a warm one allocates nothing between start and
// take.
#include <gtest/gtest.h>

#include "tests/engine/search/count_allocations.h"
#include "tests/engine/search/small_segment.h"

namespace cairn::search::testing {
namespace {

struct Setting {
  std::uint32_t nav_slices, refine_m;
};

TEST(QueryMemory, AWarmContextAllocatesNothing) {
  for (const Setting setting : {Setting{0, 0}, Setting{0, 8}, Setting{1, 8}, Setting{2, 8}}) {
    Vectors vectors = random_vectors(DType::f32, 16, 500, 10, 1);
    const Vectors queries = random_vectors(DType::f32, 16, 12, 10, 1);
    const Graph graph = brute_force_graph(vectors, 10, 3, 1);
    const SmallSegment owner(std::move(vectors), graph,
                             {.refine_m = setting.refine_m, .nav_slices = setting.nav_slices});
    const Segment segments[] = {owner.view()};
    Query query({Metric::l2, DType::f32, 16, 4});
    std::vector<BlockWant> wanted(256);
    for (std::uint32_t i = 0; i < queries.count; ++i) {
      SearchRequest request;
      request.query = queries.row(i);
      request.list_size = 80;
      const std::size_t before = allocation_count();
      query.start(request, segments);
      while (!query.done()) {
        const std::uint32_t count = query.wants(wanted);
        for (std::uint32_t b = 0; b < count; ++b)
          ASSERT_TRUE(
              query.absorb(wanted[b], owner.page(wanted[b].first_slot), io::BlockSource::disk));
      }
      const std::size_t made = allocation_count() - before;
      EXPECT_TRUE(i == 0 || made == 0) << "query " << i << " allocated " << made << " times";
      EXPECT_EQ(query.take().neighbors.size(), 10u);
    }
  }
}

TEST(QueryMemory, ContextStaysWithin256KiB) {
  for (const std::uint32_t nav_slices : {0u, 1u, 2u}) {
    Vectors vectors = random_vectors(DType::f32, 128, 1600, 10, 1);
    const Vectors queries = random_vectors(DType::f32, 128, 5, 10, 1);
    const Graph graph = brute_force_graph(vectors, 10, 3, 1);
    const SmallSegment owner(std::move(vectors), graph,
                             {.m = 128, .refine_m = 64, .nav_slices = nav_slices});
    const SmallSegment* owners[] = {&owner};
    const Segment segments[] = {owner.view()};
    Query query({Metric::l2, DType::f32, 128, 4});
    for (std::uint32_t i = 0; i < queries.count; ++i) {
      SearchRequest request;
      request.query = queries.row(i);
      request.list_size = 1024;
      request.k = 100;
      const auto result = run(query, request, owners, segments);
      ASSERT_TRUE(result);
      EXPECT_EQ(result->neighbors.size(), 100u);
    }
    EXPECT_LE(query.ram_bytes(), 256u * 1024);
    EXPECT_GE(query.ram_bytes(), 128u * 1024);  // the table at least
  }
}

}  // namespace
}  // namespace cairn::search::testing

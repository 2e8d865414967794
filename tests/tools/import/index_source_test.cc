// What a build reads of another library's index: live elements numbered through, their labels, and
// edges that lead over what is deleted.
#include "tools/import/index_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <queue>
#include <random>
#include <set>

#include "tests/io/io_test_util.h"

namespace cairn::tools {
namespace {

using formats::kNoElement;
using io::must;

/// An index in memory: one f32 an element, its number; label = 1000 - number.
class MemoryIndex final : public formats::IndexReader {
 public:
  MemoryIndex(std::vector<std::vector<std::uint32_t>> lists, std::set<std::uint64_t> gone,
              std::uint32_t links_max, bool labelled = true)
      : lists_(std::move(lists)), gone_(std::move(gone)) {
    facts_ = {.kind = "memory",
              .dim = 1,
              .elements = lists_.size(),
              .deleted = gone_.size(),
              .labelled = labelled,
              .links_max = links_max};
  }
  Status read(std::uint64_t first, std::span<std::byte> vectors, std::span<Label> labels) override {
    EXPECT_EQ(labels.size(), facts_.labelled ? vectors.size() / 4 : 0);
    EXPECT_LE(first + vectors.size() / 4, facts_.elements);
    for (std::uint64_t i = 0; i < vectors.size() / 4; ++i) {
      const auto value = static_cast<float>(first + i);
      std::memcpy(vectors.data() + i * 4, &value, 4);
      if (facts_.labelled) labels[i] = 1000000 - (first + i);
    }
    return {};
  }
  Status read_links(std::uint64_t first, std::span<std::uint32_t> links) override {
    std::fill(links.begin(), links.end(), kNoElement);
    for (std::uint64_t i = 0; i < links.size() / facts_.links_max; ++i)
      std::copy(lists_[first + i].begin(), lists_[first + i].end(),
                links.begin() + static_cast<std::ptrdiff_t>(i * facts_.links_max));
    return {};
  }
  bool deleted(std::uint64_t element) const override { return gone_.contains(element); }
  bool upper(std::uint64_t element) const override { return element % 5 == 0; }

 private:
  std::vector<std::vector<std::uint32_t>> lists_;
  std::set<std::uint64_t> gone_;
};

std::unique_ptr<IndexSource> source_of(std::vector<std::vector<std::uint32_t>> lists,
                                       const std::set<std::uint64_t>& gone, std::uint32_t links_max,
                                       bool edges = true) {
  return must(IndexSource::create(
      "x", std::make_unique<MemoryIndex>(std::move(lists), gone, links_max), {.edges = edges}));
}

std::vector<std::uint32_t> edges_of(IndexSource& source, std::uint64_t row) {
  std::vector<std::uint32_t> edges(source.edges_max());
  std::uint8_t start = 0;
  EXPECT_TRUE(source.read_edges(row, edges, std::span(&start, 1)));
  edges.erase(std::find(edges.begin(), edges.end(), kNoRow), edges.end());
  return edges;
}

using List = std::vector<std::uint32_t>;

TEST(LiveRows, NumbersAsCountedOneByOne) {
  std::mt19937 random(5);
  for (const std::uint32_t elements : {1U, 63U, 64U, 65U, 1000U}) {
    std::vector<bool> gone(elements);
    for (std::uint32_t i = 0; i < elements; ++i) gone[i] = random() % 3 == 0;
    const LiveRows live(elements, [&](std::uint64_t e) { return gone[e]; });
    std::uint64_t row = 0;
    for (std::uint32_t element = 0; element < elements; ++element) {
      EXPECT_EQ(live.row_of(element), row);
      EXPECT_EQ(live.live(element), !gone[element]);
      if (gone[element]) continue;
      EXPECT_EQ(live.element_of(row), element);
      ++row;
    }
    EXPECT_EQ(live.count(), row);
  }
}

TEST(IndexSource, LeavesDeletedOnesOut) {
  std::mt19937 random(7);
  constexpr std::uint32_t kElements = 20'000;
  std::set<std::uint64_t> gone;
  for (std::uint32_t i = 0; i < kElements; ++i)
    if (random() % 10 < 3 || (i > 6000 && i < 12'000)) gone.insert(i);
  const auto source = source_of(std::vector<List>(kElements), gone, 4);
  std::vector<std::uint32_t> elements;
  for (std::uint32_t i = 0; i < kElements; ++i)
    if (!gone.contains(i)) elements.push_back(i);
  ASSERT_EQ(source->count(), elements.size());
  for (std::uint64_t first = 0; first < source->count();) {
    const std::uint64_t n = std::min<std::uint64_t>(1 + random() % 5000, source->count() - first);
    std::vector<float> rows(n);
    std::vector<Label> labels(n);
    ASSERT_TRUE(source->read(first, std::as_writable_bytes(std::span(rows)), labels));
    for (std::uint64_t i = 0; i < n; ++i) {
      ASSERT_EQ(rows[i], static_cast<float>(elements[first + i]));
      ASSERT_EQ(labels[i], 1000000 - elements[first + i]);
    }
    first += n;
  }
  EXPECT_EQ(source->row_name(4000), "element " + std::to_string(elements[4000]) + " of 'x'");
}

TEST(IndexSource, EdgesWithoutDeletionsStand) {
  const auto source = source_of({{1, 2}, {3}, {}, {0, 1, 2}}, {}, 3);
  EXPECT_EQ(source->edges_max(), 3U);
  EXPECT_EQ(edges_of(*source, 0), (List{1, 2}));
  EXPECT_EQ(edges_of(*source, 1), (List{3}));
  EXPECT_EQ(edges_of(*source, 2), (List{}));
  EXPECT_EQ(edges_of(*source, 3), (List{0, 1, 2}));
}

/// 0 -> 1 -> 2 -> 3 where 1 and 2 are deleted; rows are 0, 3 and 4.
TEST(IndexSource, EdgesLeadOverWhatIsDeleted) {
  const auto source = source_of({{1, 4}, {2, 0}, {3, 1}, {2}, {0}}, {1, 2}, 2);
  ASSERT_EQ(source->count(), 3U);
  EXPECT_EQ(edges_of(*source, 0), (List{2, 1}));  // to 4; over 1 and 2 to 3; not to itself
  EXPECT_EQ(edges_of(*source, 1), (List{0}));     // 3 over 2 and 1 to 0
  EXPECT_EQ(edges_of(*source, 2), (List{0}));
  std::vector<std::uint32_t> edges(3 * source->edges_max());
  std::vector<std::uint8_t> starts(3);
  ASSERT_TRUE(source->read_edges(0, edges, starts));
  EXPECT_EQ(starts, (std::vector<std::uint8_t>{1, 0, 0}));  // of elements 0, 3 and 4
}

/// Whatever could be walked to with deleted elements as stepping stones can be walked to without.
TEST(IndexSource, ReachesWhatWasReached) {
  constexpr std::uint32_t kElements = 3000, kLinks = 6;
  std::mt19937 random(3);
  std::vector<List> lists(kElements);
  for (std::uint32_t i = 0; i < kElements; ++i) {
    lists[i].push_back((i + 1) % kElements);
    while (lists[i].size() < kLinks)
      lists[i].push_back(static_cast<std::uint32_t>((i + 1 + random() % 20) % kElements));
  }
  std::set<std::uint64_t> gone;
  for (std::uint32_t i = 0; i < kElements; ++i)
    if (random() % 10 < 3) gone.insert(i);
  const auto source = source_of(lists, gone, kLinks);
  std::vector<bool> seen(source->count());
  std::queue<std::uint32_t> queue({0});
  seen[0] = true;
  std::uint64_t reached = 1;
  while (!queue.empty()) {
    for (const std::uint32_t to : edges_of(*source, queue.front()))
      if (!seen[to]) {
        seen[to] = true;
        ++reached;
        queue.push(to);
      }
    queue.pop();
  }
  EXPECT_EQ(reached, source->count());
}

TEST(IndexSource, WhatCannotBeImported) {
  const auto create = [](std::vector<List> lists, const std::set<std::uint64_t>& gone,
                         std::uint32_t links_max, const IndexSource::Options& options) {
    const auto source = IndexSource::create(
        "x", std::make_unique<MemoryIndex>(std::move(lists), gone, links_max), options);
    return source ? std::string{} : source.error().to_string();
  };
  EXPECT_NE(create({}, {}, 2, {}).find("no vectors"), std::string::npos);
  EXPECT_NE(create({{}, {}}, {0, 1}, 2, {}).find("all of them deleted"), std::string::npos);
  EXPECT_NE(create({{}}, {}, 0, {.edges = true}).find("--graph rebuild"), std::string::npos);
  EXPECT_EQ(create({{}}, {}, 0, {}), "");
  const std::vector<List> full(5000, List{1, 2, 3, 4});
  std::set<std::uint64_t> most;
  for (std::uint64_t i = 1; i < 5000; ++i) most.insert(i);
  EXPECT_NE(create(full, most, 4, {.edges = true, .bridges_max_bytes = 50'000})
                .find("more memory, or --graph rebuild"),
            std::string::npos);
  EXPECT_EQ(create(full, most, 4, {.edges = true, .bridges_max_bytes = 200'000}), "");
}

TEST(IndexSource, RefusesRowsThatAreNotThere) {
  const auto source = source_of({{1}, {2}, {0}}, {1}, 2);
  std::vector<std::byte> rows(8);
  std::vector<Label> labels(2);
  EXPECT_TRUE(source->read(0, rows, labels));
  EXPECT_FALSE(source->read(1, rows, labels));
  EXPECT_FALSE(source->read(0, rows, {}));
  std::vector<std::uint32_t> edges(2 * source->edges_max());
  std::vector<std::uint8_t> starts(2);
  EXPECT_TRUE(source->read_edges(0, edges, starts));
  EXPECT_FALSE(source->read_edges(1, edges, starts));
}

TEST(IndexSource, StampFollowsTheFile) {
  const io::ScratchDir dir;
  const std::string path = dir.file("x");
  std::ofstream(path) << "one";
  const auto source = must(IndexSource::create(
      path, std::make_unique<MemoryIndex>(std::vector<List>{{}}, std::set<std::uint64_t>{}, 1),
      {}));
  const std::uint64_t before = source->stamp();
  EXPECT_EQ(source->stamp(), before);
  std::ofstream(path) << "longer";
  EXPECT_NE(source->stamp(), before);
}

}  // namespace
}  // namespace cairn::tools

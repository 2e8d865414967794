// A build that keeps the graph its vectors come with: what stands in the index are those edges.
#include <cairn/builder.h>
#include <cairn/index.h>

#include <algorithm>
#include <set>

#include "engine/math/distance.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

BuildOptions options_of(std::uint32_t degree, std::uint32_t partitions) {
  BuildOptions options;
  options.calibration_rows = 0;
  options.keep_edges = true;
  options.degree = degree;
  options.code_bytes = 4;
  options.refine_bytes = 4;
  options.threads = 2;
  options.partitions = partitions;
  return options;
}

float distance(Rows& rows, std::uint64_t a, std::uint64_t b) {
  return math::l2_kernel(rows.dtype)(rows.row(a).data(), rows.row(b).data(), rows.dim);
}

/// To each row `near` of its nearest, farthest first, then `far` others anywhere; one place in
/// `width` stays free.
RowsSource source_of(std::uint64_t count, DType dtype, std::uint32_t near, std::uint32_t far) {
  RowsSource source(random_rows(count, 6, dtype, 11));
  const std::uint32_t width = near + far + 1;
  source.edges.assign(count * width, kNoRow);
  source.starts.assign(count, 0);
  std::vector<std::pair<float, std::uint32_t>> others;
  for (std::uint32_t i = 0; i < count; ++i) {
    others.clear();
    for (std::uint32_t j = 0; j < count; ++j)
      if (j != i) others.emplace_back(distance(source.rows, i, j), j);
    std::partial_sort(others.begin(), others.begin() + near, others.end());
    std::uint32_t* const to = source.edges.data() + std::size_t{i} * width;
    for (std::uint32_t e = 0; e < near; ++e) to[near - 1 - e] = others[e].second;
    for (std::uint32_t e = 0; e < far; ++e)
      to[near + e] = others[near + (i * 7919ULL + e * 104729ULL) % (count - 1 - near)].second;
    source.starts[i] = i % 8 == 0 ? 1 : 0;
  }
  return source;
}

std::set<std::uint32_t> targets(const RowsSource& source, std::uint64_t row) {
  const auto all = std::span(source.edges).subspan(row * source.edges_max(), source.edges_max());
  std::set<std::uint32_t> out(all.begin(), all.end());
  out.erase(kNoRow);
  return out;
}

using Vectors = std::set<std::vector<std::byte>>;

Vectors vectors_at(const StoredIndex& index, const std::vector<std::uint32_t>& slots) {
  Vectors out;
  for (const std::uint32_t slot : slots) out.insert(index.vectors[slot]);
  return out;
}

Vectors vectors_of(RowsSource& source, const std::set<std::uint32_t>& rows) {
  Vectors out;
  for (const std::uint32_t row : rows)
    out.emplace(source.rows.row(row).begin(), source.rows.row(row).end());
  return out;
}

void expect_sound(const std::string& folder, RowsSource& source, const BuildReport& report) {
  expect_whole(read_index(folder), source.rows, source.labels);
  EXPECT_EQ(report.copies, 1);
  const auto opened = must(Index::open(folder));
  const VerifyReport verified = must(opened->verify());
  for (const Error& problem : verified.problems) ADD_FAILURE() << problem.to_string();
  EXPECT_EQ(verified.unreachable, 0U);
}

/// Every edge of the source stands in the index, and what else does was added by the repair.
void expect_kept(const std::string& folder, RowsSource& source, const BuildReport& report) {
  expect_sound(folder, source, report);
  EXPECT_EQ(report.dropped_edges, 0U);
  const StoredIndex index = read_index(folder);
  std::uint64_t given = 0;
  for (std::uint32_t row = 0; row < source.count(); ++row) {
    const auto to = targets(source, row);
    given += to.size();
    const auto& list = index.lists[index.slot_of_label.at(row)];
    for (const std::uint32_t target : to) {
      const std::uint32_t slot = index.slot_of_label.at(target);
      ASSERT_TRUE(std::binary_search(list.begin(), list.end(), slot)) << row << " to " << target;
    }
  }
  EXPECT_EQ(report.edges, given + report.repair_edges);
  EXPECT_LT(report.repair_edges, given / 50);
}

TEST(KeepEdges, AllStandWhateverThePartitions) {
  const ScratchDir dir;
  RowsSource source = source_of(900, DType::u8, 9, 3);
  for (const std::uint32_t partitions : {1U, 2U, 6U}) {
    const std::string folder = dir.file("of" + std::to_string(partitions));
    const auto report = must(cairn::build_index(folder, source, options_of(13, partitions)));
    EXPECT_GE(report.partitions, partitions);
    expect_kept(folder, source, report);
  }
}

TEST(KeepEdges, UnderEveryMetric) {
  const ScratchDir dir;
  RowsSource source = source_of(500, DType::f32, 8, 2);
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    BuildOptions options = options_of(16, 3);
    options.metric = metric;
    const std::string folder = dir.file(std::string{metric_name(metric)});
    expect_kept(folder, source, must(cairn::build_index(folder, source, options)));
  }
}

/// In RAM the nearest of the partition come first, whatever order they were given in.
TEST(KeepEdges, NearestFirst) {
  const ScratchDir dir;
  RowsSource source = source_of(600, DType::u8, 12, 0);
  must(cairn::build_index(dir.file("i"), source, options_of(16, 1)));
  const StoredIndex index = read_index(dir.file("i"));
  for (std::uint32_t row = 0; row < source.count(); ++row) {
    const auto& nav = index.nav[index.slot_of_label.at(row)];
    const auto all = targets(source, row);
    const auto nearest = *std::min_element(all.begin(), all.end(), [&](auto a, auto b) {
      return distance(source.rows, row, a) < distance(source.rows, row, b);
    });
    const auto at = std::find(nav.begin(), nav.end(), index.slot_of_label.at(nearest));
    // Pinned edges of the repair stand before them.
    EXPECT_LE(at - nav.begin(), 3) << row;
  }
}

TEST(KeepEdges, DuplicatesLeadOnTogether) {
  const ScratchDir dir;
  RowsSource wide = source_of(400, DType::u8, 6, 12);  // room for the edges of both
  for (std::uint64_t row = 0; row < wide.count(); ++row)
    std::fill_n(wide.edges.begin() + static_cast<std::ptrdiff_t>(row * wide.edges_max() + 8), 11,
                kNoRow);
  copy_row(wide.rows, 10, 333);
  const auto report = must(cairn::build_index(dir.file("i"), wide, options_of(24, 2)));
  EXPECT_EQ(report.duplicates, 1U);
  expect_sound(dir.file("i"), wide, report);
  const StoredIndex index = read_index(dir.file("i"));
  Vectors both = vectors_of(wide, targets(wide, 10));
  both.merge(vectors_of(wide, targets(wide, 333)));
  both.erase(index.vectors[index.slot_of_label.at(10)]);
  const Vectors found = vectors_at(index, index.lists[index.slot_of_label.at(10)]);
  for (const auto& vector : both) EXPECT_TRUE(found.contains(vector));
}

/// Rows of more edges than the degree are pruned: the nearest stays, and all is reached.
TEST(KeepEdges, TooManyArePruned) {
  const ScratchDir dir;
  RowsSource source = source_of(700, DType::u8, 30, 4);
  const auto report = must(cairn::build_index(dir.file("i"), source, options_of(10, 3)));
  expect_sound(dir.file("i"), source, report);
  const StoredIndex index = read_index(dir.file("i"));
  std::uint64_t nearest_kept = 0;
  for (std::uint32_t row = 0; row < source.count(); ++row) {
    const auto& list = index.lists[index.slot_of_label.at(row)];
    EXPECT_LE(list.size(), 10U);
    const std::uint32_t nearest = source.edges[row * source.edges_max() + 29];
    if (std::binary_search(list.begin(), list.end(), index.slot_of_label.at(nearest)))
      ++nearest_kept;
  }
  // Where it lies in another partition its place is a draw.
  EXPECT_GT(nearest_kept, source.count() * 9 / 10);
}

/// Of rows of too many edges those to other partitions have their share, the first ones given.
TEST(KeepEdges, PartitionsShareThePlaces) {
  constexpr std::uint32_t kDegree = 9;
  const ScratchDir dir;
  RowsSource source = source_of(900, DType::u8, 12, 18);
  const auto report = must(cairn::build_index(dir.file("i"), source, options_of(kDegree, 2)));
  expect_sound(dir.file("i"), source, report);
  const StoredIndex index = read_index(dir.file("i"));
  const auto partition_of = [&](std::uint32_t slot) {
    std::size_t extent = 0;
    while (slot >=
           index.manifest.extents[extent].first_slot + index.manifest.extents[extent].slot_count)
      ++extent;
    return extent;
  };
  std::uint64_t alike = 0, leading_out = 0;
  for (std::uint32_t row = 0; row < source.count(); ++row) {
    const std::uint32_t own = index.slot_of_label.at(row);
    const auto given = std::span(source.edges).subspan(row * source.edges_max(), 30);
    std::vector<std::uint32_t> out, kept;
    for (const std::uint32_t target : given)
      if (const auto slot = index.slot_of_label.at(target); partition_of(slot) != partition_of(own))
        out.push_back(slot);
    for (const std::uint32_t slot : index.lists[own])
      if (partition_of(slot) != partition_of(own)) kept.push_back(slot);
    out.resize((out.size() * kDegree + given.size() - 1) / given.size());
    std::sort(out.begin(), out.end());
    alike += out == kept ? 1 : 0;
    leading_out += out.size();
  }
  EXPECT_GT(leading_out, source.count());
  // What the repair adds is not counted beforehand.
  EXPECT_GT(alike, source.count() * 19 / 20);
}

TEST(KeepEdges, SearchesBeginWhereTheGraphSays) {
  const ScratchDir dir;
  RowsSource source = source_of(2400, DType::u8, 6, 1);
  must(cairn::build_index(dir.file("i"), source, options_of(12, 2)));
  const StoredIndex index = read_index(dir.file("i"));
  EXPECT_GE(index.entries.slots.size(), 2400U / 32);
  for (const std::uint32_t slot : index.entries.slots)
    EXPECT_EQ(index.labels[slot] % 8, 0U) << "no start of the graph";
}

TEST(KeepEdges, SameBytesForAnyThreadsAndInterruptions) {
  const ScratchDir dir;
  RowsSource source = source_of(600, DType::u8, 9, 3);
  BuildOptions options = options_of(13, 4);
  must(cairn::build_index(dir.file("two"), source, options));
  options.threads = 1;
  for (const char* phase : {"scatter", "link", "merge"}) {
    options.progress = [&](const BuildProgress& step) { return step.phase != phase; };
    const auto cancelled = cairn::build_index(dir.file("one"), source, options);
    ASSERT_FALSE(cancelled);
    EXPECT_EQ(cancelled.error().code, ErrorCode::cancelled);
  }
  options.progress = {};
  must(cairn::build_index(dir.file("one"), source, options));
  EXPECT_EQ(read_files(dir.file("one")), read_files(dir.file("two")));
}

TEST(KeepEdges, WhatCannotBeKept) {
  const ScratchDir dir;
  RowsSource source = source_of(300, DType::u8, 4, 1);
  source.edges[17 * source.edges_max() + 2] = 300;
  expect_error(cairn::build_index(dir.file("i"), source, options_of(12, 1)).error(),
               ErrorCode::corrupt, {"row 17", "row 300", "below 300"});
  RowsSource bare(random_rows(300, 6, DType::u8, 1));
  expect_error(cairn::build_index(dir.file("i"), bare, options_of(12, 1)).error(),
               ErrorCode::invalid_argument, {"keep_edges", "without edges"});
  EXPECT_FALSE(Builder::create(dir.file("j"), 6, DType::u8, options_of(12, 1)));
}

/// A graph that does not lead everywhere is mended like any other.
TEST(KeepEdges, WhatIsCutOffIsReached) {
  const ScratchDir dir;
  RowsSource source = source_of(600, DType::u8, 6, 0);
  for (std::uint64_t row = 0; row < 600; row += 3)
    std::fill_n(source.edges.begin() + static_cast<std::ptrdiff_t>(row * source.edges_max()),
                source.edges_max(), kNoRow);
  const auto report = must(cairn::build_index(dir.file("i"), source, options_of(12, 2)));
  expect_sound(dir.file("i"), source, report);
}

}  // namespace
}  // namespace cairn::build

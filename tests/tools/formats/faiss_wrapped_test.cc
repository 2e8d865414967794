// Inverted lists, id maps and transforms of FAISS in files written by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/tools/formats/faiss_opening.h"

namespace cairn::formats {
namespace {

using io::must;

constexpr auto kCorrupt = ErrorCode::corrupt, kUnsupported = ErrorCode::unsupported;

struct Row {
  Label label;
  Floats vector;
};
void expect_rows(const FaissSample& sample, const std::vector<Row>& rows) {
  std::vector<Element> elements;
  for (const Row& row : rows)
    elements.push_back({.label = row.label, .links = {}, .vector = bytes_of_floats(row.vector)});
  expect_elements(*open_sample(sample), elements);
}

/// Of one dimension; list 1 is empty.
const std::vector<FaissList> kLists = {
    {bytes_of_floats({5, 6}), {70, 3}}, {}, {bytes_of_floats({7}), {1}}};
FaissSample centroids() { return faiss_flat("IxF2", 1, {100, 200, 300}); }
FaissSample ivf_flat(const FaissSample& lists, std::uint64_t count = 3) {
  return faiss_ivf("IwFl", 1, count, 3, centroids()).append(lists);
}

TEST(FaissLists, ElementsListAfterList) {
  const std::vector<Row> rows = {{70, {5}}, {3, {6}}, {1, {7}}};
  expect_rows(ivf_flat(faiss_lists(kLists, 4)), rows);
  expect_rows(ivf_flat(faiss_lists(kLists, 4, true)), rows);
  expect_rows(ivf_flat(faiss_lists(kLists, 4), 4), rows);  // one was NaN: in no list
  expect_rows(ivf_flat(faiss_lists({{}, {}, {}}, 4, true), 0), {});
  EXPECT_EQ(open_sample(ivf_flat(faiss_lists(kLists, 4)))->facts().kind,
            "FAISS IndexIVFFlat, 3 lists");
}

/// Bytes as they are, in two lists.
const std::vector<FaissList> kByteLists = {
    {Sample{}.u8(1).u8(2).bytes(), {10, 11}}, {}, {Sample{}.u8(3).bytes(), {12}}};

TEST(FaissLists, ResidualsAreAddedToTheirCentroid) {
  const auto scalar = [](const char* kind) {
    return faiss_ivf(kind, 1, 3, 3, centroids()).append(faiss_scalar(5, 1, 1, {})).count(1);
  };
  const auto lists = faiss_lists(kByteLists, 1);
  const std::vector<Row> added = {{10, {101}}, {11, {102}}, {12, {303}}};
  const std::vector<Row> whole = {{10, {1}}, {11, {2}}, {12, {3}}};
  expect_rows(scalar("IwSQ").append(lists), added);  // the older kind always has residuals
  expect_rows(scalar("IwSq").free_u8(1).append(lists), added);
  expect_rows(scalar("IwSq").free_u8(0).append(lists), whole);
  const auto product = [&](unsigned residual) {
    return faiss_ivf("IwPQ", 1, 3, 3, centroids())
        .free_u8(residual)
        .count(1)
        .append(faiss_product(1, 1, 2, {0, 1, 2, 3}))
        .append(lists);
  };
  expect_rows(product(1), added);
  expect_rows(product(0), whole);
}

TEST(FaissLists, CentroidsOfAGraph) {
  const auto graph = faiss_hnsw("IHNf", 1, {}, centroids());
  const auto ivf = faiss_ivf("IwSq", 1, 3, 3, graph)
                       .append(faiss_scalar(5, 1, 1, {}))
                       .count(1)
                       .free_u8(1)
                       .append(faiss_lists(kByteLists, 1));
  expect_rows(ivf, {{10, {101}}, {11, {102}}, {12, {303}}});
  EXPECT_EQ(open_sample(ivf)->facts().links_max, 0u) << "the graph is not one of elements";
}

TEST(FaissLists, DirectMapsAreLeftBehind) {
  const auto with = [](const FaissSample& map) {
    return FaissSample{}
        .name("IwFl")
        .header(1, 3)
        .count(3)
        .count(1)
        .append(centroids())
        .append(map)
        .append(faiss_lists(kLists, 4));
  };
  const std::vector<Row> rows = {{70, {5}}, {3, {6}}, {1, {7}}};
  expect_rows(with(FaissSample{}.u8(1).longs({1, 2, 3})), rows);
  expect_rows(with(FaissSample{}.u8(2).longs({}).count(1).free(Bytes(16))), rows);
  refused(with(FaissSample{}.u8(3).longs({})), kCorrupt, "type 3", "0 to 2");
}

TEST(FaissLists, ANegativeIdIsCorrupt) {
  auto lists = kLists;
  lists[0].ids[1] = -5;
  refused(ivf_flat(faiss_lists(lists, 4)), kCorrupt, "list 0 of: -5 for element 1",
          "an id of at least 0");
}

TEST(FaissLists, ElsewhereOrNowhere) {
  refused(ivf_flat(FaissSample{}.name("ilod").count(3)), kUnsupported,
          "'ilod': they lie in another file", "lists in this file");
  refused(ivf_flat(FaissSample{}.name("il00")), kUnsupported, "'il00': they were not written",
          "'ilar'");
  refused(ivf_flat(FaissSample{}.name("ilbl")), kUnsupported, "'ilbl'", "'ilar'");
}

TEST(FaissLists, ThatContradictThemselves) {
  const auto lists = [](std::uint64_t count, std::uint64_t code_bytes) {
    return FaissSample{}.name("ilar").count(count).count(code_bytes);
  };
  refused(ivf_flat(lists(2, 4)), kCorrupt, "2 lists of codes of 4 bytes", "3 of 4");
  refused(ivf_flat(lists(3, 5)), kCorrupt, "3 lists of codes of 5 bytes", "3 of 4");
  refused(ivf_flat(lists(3, 4).name("fuLL").sizes({})), kCorrupt, "'fuLL'", "'full' or 'sprs'");
  refused(ivf_flat(lists(3, 4).name("full").sizes({0, 0})), kCorrupt, "2 numbers", "3");
  refused(ivf_flat(lists(3, 4).name("sprs").sizes({0})), kCorrupt, "1 numbers", "pairs");
  refused(ivf_flat(lists(3, 4).name("sprs").sizes({3, 0})), kCorrupt, "list 3", "below 3");
  refused(ivf_flat(lists(3, 4).name("sprs").sizes({1, 0, 1, 0})), kCorrupt, "list 1", "ascending");
  refused(ivf_flat(lists(3, 4).name("sprs").sizes({2, 0, 1, 0})), kCorrupt, "list 1", "ascending");
  refused(ivf_flat(faiss_lists(kLists, 4), 2), kCorrupt, "3 elements", "at most 2");
  const auto other = faiss_ivf("IwFl", 1, 0, 3, faiss_flat("IxF2", 1, {1, 2}));
  refused(other, kCorrupt, "2 centroids of dimension 1", "3 of dimension 1");
  const auto wide = faiss_ivf("IwFl", 1, 0, 3, faiss_flat("IxF2", 2, ramp(6)));
  refused(wide, kCorrupt, "3 centroids of dimension 2", "3 of dimension 1");
  const auto mapped = faiss_id_map("IxMp", 1, centroids(), {4, 5, 6});
  refused(faiss_ivf("IwFl", 1, 0, 3, mapped), kUnsupported, "'IxMp' with ids", "numbers");
  const auto sq =
      faiss_ivf("IwSq", 1, 0, 3, centroids()).append(faiss_scalar(5, 1, 1, {})).count(2);
  refused(FaissSample(sq).u8(0), kCorrupt, "codes of 2 bytes", "1 bytes");
  const auto untrained = FaissSample{}.name("IwFl").header(1, 0, 1, false).count(3);
  refused(untrained, kUnsupported, "not trained", "a trained index");
}

TEST(FaissIdMap, GivesLabels) {
  for (const char* kind : {"IxMp", "IxM2"}) {
    const auto map =
        faiss_id_map(kind, 2, faiss_flat("IxF2", 2, ramp(6)), {9, std::int64_t{1} << 62, 0});
    expect_rows(map, {{9, {0, 1}}, {Label{1} << 62, {2, 3}}, {0, {4, 5}}});
    EXPECT_TRUE(open_sample(map)->facts().labelled);
  }
  const auto twice = faiss_id_map(
      "IxMp", 1, faiss_id_map("IxM2", 1, faiss_flat("IxF2", 1, {5, 6}), {1, 0}), {40, 41});
  expect_rows(twice, {{41, {5}}, {40, {6}}});
}

TEST(FaissIdMap, OfListsMapsTheNumbersInThem) {
  auto lists = kLists;
  lists[0].ids = {2, 0};
  const auto ivf = ivf_flat(faiss_lists(lists, 4));
  expect_rows(faiss_id_map("IxM2", 1, ivf, {500, 501, 502}), {{502, {5}}, {500, {6}}, {501, {7}}});
  lists[0].ids = {3, 0};
  refused(faiss_id_map("IxM2", 1, ivf_flat(faiss_lists(lists, 4)), {500, 501, 502}), kCorrupt,
          "number 3 at element 0", "below 3");
}

TEST(FaissIdMap, OfAGraphKeepsItsLinks) {
  const auto graph = faiss_hnsw("IHNf", 1, {}, faiss_flat("IxF2", 1, {1, 2, 3}));
  const auto reader = open_sample(faiss_id_map("IxMp", 1, graph, {7, 8, 9}));
  EXPECT_EQ(reader->facts().kind, "FAISS IndexIDMap of IndexHNSWFlat, M 1");
  EXPECT_EQ(reader->facts().links_max, 2u);
  const auto elements = must(read_all(*reader));
  EXPECT_EQ(elements[1].label, 8u);
  EXPECT_EQ(elements[1].links, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_TRUE(elements[1].upper);
}

TEST(FaissIdMap, ThatDoesNotFit) {
  const auto flat = faiss_flat("IxF2", 1, {1, 2});
  refused(faiss_id_map("IxMp", 1, flat, {5, -1}), kUnsupported, "-1 for number 1", "at least 0");
  refused(faiss_id_map("IxMp", 1, flat, {5}), kCorrupt, "2 vectors of dimension 1 under l2",
          "1 vectors of dimension 1 under l2");
  refused(faiss_id_map("IxMp", 1, flat, {5, 6}, 0), kCorrupt, "under l2", "under ip");
  refused(faiss_id_map("IxMp", 2, flat, {5, 6}), kCorrupt, "dimension 1", "dimension 2");
  refused(FaissSample{}.name("IxMp").header(1, 2).append(flat).longs({5}), kCorrupt, "1 ids", "2");
}

FaissSample nested(int depth) {
  FaissSample index = faiss_flat("IxF2", 1, {4});
  for (int i = 0; i < depth; ++i) index = faiss_id_map("IxMp", 1, index, {0});
  return index;
}

TEST(FaissIdMap, NestingIsBounded) {
  expect_rows(nested(7), {{0, {4}}});
  refused(nested(8), kUnsupported, "inside of each other", "at most 8");
  refused(nested(100), kUnsupported, "inside of each other", "at most 8");
}

TEST(FaissTransforms, LinearOnesAreReversed) {
  // (x, y) -> (y, -x) + (10, 20)
  const Floats quarter = {0, 1, -1, 0};
  const auto inner = faiss_flat("IxF2", 2, {12, 19, 10, 20});
  for (const char* kind : {"LTra", "rrot", "Pcam"})
    expect_rows(faiss_transformed(2, 2, {faiss_linear(kind, 2, 2, quarter, {10, 20})}, inner),
                {{0, {1, 2}}, {1, {0, 0}}});
  // Only y is kept.
  const auto keep = faiss_linear("Pcam", 2, 1, {0, 1}, {-5});
  const auto reduced = faiss_transformed(2, 2, {keep}, faiss_flat("IxF2", 1, {1, 2}));
  expect_rows(reduced, {{0, {0, 6}}, {1, {0, 7}}});
  EXPECT_EQ(open_sample(reduced)->facts().decoded_from, "transformed vectors (2 to 1 dimensions)");
  // The last transform is the first to be reversed.
  const auto chain = faiss_transformed(2, 2, {faiss_linear("LTra", 2, 2, quarter), keep},
                                       faiss_flat("IxF2", 1, {1, 2}));
  expect_rows(chain, {{0, {-6, 0}}, {1, {-7, 0}}});
  expect_rows(faiss_transformed(1, 1, {}, faiss_flat("IxF2", 1, {3})), {{0, {3}}});
}

TEST(FaissTransforms, ManyRowsAtOnce) {
  constexpr std::uint32_t kDim = 24, kCount = 700;
  Floats reversed(kDim * kDim), rows = ramp(kDim * kCount);
  for (std::size_t i = 0; i < kDim; ++i) reversed[i * kDim + (kDim - 1 - i)] = 1;
  std::vector<Row> expected;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const auto from = rows.begin() + i * kDim;
    Floats row(from, from + kDim);
    expected.push_back({i, {row.rbegin(), row.rend()}});
  }
  expect_rows(faiss_transformed(kDim, kCount, {faiss_linear("rrot", kDim, kDim, reversed)},
                                faiss_flat("IxF2", kDim, rows)),
              expected);
}

TEST(FaissTransforms, CentringIsUndone) {
  const auto centre = FaissSample{}.name("VCnt").floats({1, 2}).u32(2).u32(2).u8(1);
  const auto index = faiss_transformed(2, 2, {centre}, faiss_flat("IxF2", 2, ramp(4)));
  expect_rows(index, {{0, {1, 3}}, {1, {3, 5}}});
}

TEST(FaissTransforms, WithoutAReverse) {
  const auto flat = faiss_flat("IxF2", 2, ramp(4));
  const auto linear = [&](const FaissSample& transform) {
    return faiss_transformed(2, 2, {transform}, flat);
  };
  for (const Floats& matrix : {Floats{1, 0, 0, 2}, Floats{1, 0, 1, 0}, Floats{1, 1e-3F, 0, 1},
                               Floats{1, 0, 0, std::nanf("")}, Floats{1, INFINITY, 0, 1}})
    refused(linear(faiss_linear("LTra", 2, 2, matrix)), kUnsupported, "not orthonormal",
            "a rotation");
  const auto wider = faiss_linear("rrot", 1, 2, {1, 0});
  refused(faiss_transformed(1, 2, {wider}, flat), kUnsupported, "not orthonormal", "a rotation");
  refused(linear(faiss_norm(2, 1)), kUnsupported, "a norm of power 1", "2");
  refused(linear(FaissSample{}.name("RmDT")), kUnsupported, "'RmDT'", "VNrm, VCnt");
  refused(linear(FaissSample{}.name("VNrm").f32(2).u32(2).u32(2).u8(0)), kUnsupported,
          "not trained", "a trained index");
}

TEST(FaissTransforms, ThatContradictThemselves) {
  const auto flat = faiss_flat("IxF2", 2, ramp(4));
  const auto linear = [&](const FaissSample& transform) {
    return faiss_transformed(2, 2, {transform}, flat);
  };
  refused(linear(faiss_linear("LTra", 2, 2, {1, 0, 0})), kCorrupt, "a matrix of 3 numbers", "4");
  refused(linear(faiss_linear("LTra", 2, 2, {1, 0, 0, 1}, {1})), kCorrupt, "a bias of 1", "and 2");
  refused(linear(faiss_linear("LTra", 3, 2, Floats(6))), kCorrupt, "dimensions 3 to 2", "from 2");
  refused(linear(faiss_linear("LTra", 2, 0, {})), kCorrupt, "dimensions 2 to 0", "1 .. 32768");
  refused(linear(FaissSample{}.name("VNrm").f32(2).u32(2).u32(1).u8(1)), kCorrupt,
          "dimensions 2 to 1", "as many as before");
  refused(linear(FaissSample{}.name("VCnt").floats({1}).u32(2).u32(2).u8(1)), kCorrupt,
          "a mean of 1 numbers", "2 of each");
  refused(linear(faiss_linear("LTra", 2, 1, {1, 0})), kCorrupt, "dimension 2", "dimension 1");
  const auto many = FaissSample{}.name("IxPT").header(2, 2);
  refused(FaissSample(many).u32(17), kCorrupt, "17 of them", "0 to 16");
  refused(FaissSample(many).u32(~0u), kCorrupt, "-1 of them", "0 to 16");
}

TEST(FaissTransforms, TheMetricIsThatOfWhatIsGivenBack) {
  const auto metric_of = [](const std::vector<FaissSample>& transforms, std::uint32_t metric) {
    const auto inner = faiss_flat("IxFl", 1, {1}, metric);
    return open_sample(faiss_transformed(1, 1, transforms, inner, metric))->facts().metric;
  };
  const auto norm = faiss_norm(1), turn = faiss_linear("LTra", 1, 1, {-1});
  const auto shift = faiss_linear("LTra", 1, 1, {1}, {3}),
             none = faiss_linear("LTra", 1, 1, {1}, {0});
  EXPECT_EQ(metric_of({norm}, 0), Metric::cosine);
  EXPECT_EQ(metric_of({norm, turn}, 0), Metric::cosine);
  EXPECT_EQ(metric_of({turn, norm}, 0), Metric::cosine);
  EXPECT_EQ(metric_of({turn, none}, 0), Metric::ip);
  EXPECT_EQ(metric_of({}, 0), Metric::ip);
  EXPECT_EQ(metric_of({shift}, 0), std::nullopt);
  EXPECT_EQ(metric_of({norm, shift}, 0), std::nullopt);
  EXPECT_EQ(metric_of({norm, shift}, 1), Metric::l2);
  EXPECT_EQ(metric_of({norm}, 1), Metric::l2);
}

}  // namespace
}  // namespace cairn::formats

// Every kind of FAISS index in files written by hand.

#include <gtest/gtest.h>

#include <cmath>

#include "tests/tools/formats/faiss_opening.h"
#include "tests/tools/formats/memory_source.h"

namespace cairn::formats {
namespace {

using io::must;

constexpr auto kCorrupt = ErrorCode::corrupt, kUnsupported = ErrorCode::unsupported;

/// Vectors of `dim` under their labels, without links.
std::vector<Element> labelled(const std::vector<Label>& labels, const Floats& rows) {
  std::vector<Element> elements;
  const std::size_t dim = rows.size() / labels.size();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto from = rows.begin() + static_cast<std::ptrdiff_t>(i * dim);
    elements.push_back(
        {.label = labels[i],
         .links = {},
         .vector = bytes_of_floats({from, from + static_cast<std::ptrdiff_t>(dim)})});
  }
  return elements;
}
std::vector<Element> numbered(std::size_t count, const Floats& rows) {
  std::vector<Label> labels(count);
  for (std::size_t i = 0; i < count; ++i) labels[i] = i;
  return labelled(labels, rows);
}
Bytes codes(std::initializer_list<unsigned> values) {
  Sample raw;
  for (const unsigned value : values) raw.u8(value);
  return raw.bytes();
}

TEST(FaissReader, Flat) {
  for (const auto& [kind, metric] :
       {std::pair{"IxF2", 1u}, {"IxFI", 0u}, {"IxFl", 0u}, {"IxFl", 1u}}) {
    const auto reader = open_sample(faiss_flat(kind, 3, ramp(12), metric));
    EXPECT_EQ(reader->facts().kind, "FAISS IndexFlat");
    EXPECT_EQ(reader->facts().metric, metric == 0 ? Metric::ip : Metric::l2);
    EXPECT_EQ(reader->facts().links_max, 0u);
    EXPECT_FALSE(reader->facts().labelled);
    EXPECT_FALSE(reader->upper(0) || reader->deleted(0));
    expect_elements(*reader, numbered(4, ramp(12)));
  }
  EXPECT_EQ(open_sample(faiss_flat("IxF2", 3, {}))->facts().elements, 0u);
  refused(faiss_flat("IxF2", 3, ramp(12), 0), kCorrupt, "ip in 'IxF2'", "l2 in 'IxF2'");
  refused(faiss_flat("IxFI", 3, ramp(12), 1), kCorrupt, "l2 in 'IxFI'", "ip in 'IxFI'");
  refused(FaissSample{}.name("IxF2").header(3, 5).floats(ramp(12)), kCorrupt, "48 bytes",
          "5 vectors of 12 bytes");
}

TEST(FaissReader, HeadersOutOfBounds) {
  const auto flat = [](std::uint32_t dim, std::uint64_t count) {
    return FaissSample{}.name("IxF2").header(dim, count).floats({});
  };
  refused(flat(0, 0), kCorrupt, "dimension 0", "1 to 32768");
  refused(flat(~0u, 0), kCorrupt, "dimension -1", "1 to 32768");
  refused(flat(32769, 0), ErrorCode::over_limit, "dimension 32769", "1 to 32768");
  refused(flat(1, ~0ull), kCorrupt, "-1 vectors", "0 to");
  refused(flat(1, kElementsMax + 1), ErrorCode::over_limit, "4293918721 vectors", "0 to");
  for (const auto& [metric, name] : {std::pair{2u, "metric 2 (L1)"},
                                     {3u, "metric 3 (Linf)"},
                                     {4u, "metric 4 (Lp)"},
                                     {20u, "metric 20"}})
    refused(FaissSample{}.name("IxFl").header(1, 0, metric).f32(0).floats({}), kUnsupported, name,
            "inner product");
}

std::vector<Element> graph_elements(const Floats& rows) {
  auto elements = numbered(3, rows);
  elements[0].links = {1};
  elements[1].links = {0, 2};
  elements[1].upper = true;
  elements[2].links = {1};
  return elements;
}

TEST(FaissReader, GraphOverEveryStorage) {
  const Floats rows = ramp(6, 10);
  const auto flat = open_sample(faiss_hnsw("IHNf", 2, {}, faiss_flat("IxF2", 2, rows)));
  EXPECT_EQ(flat->facts().kind, "FAISS IndexHNSWFlat, M 1");
  EXPECT_EQ(flat->facts().links_max, 2u);
  expect_elements(*flat, graph_elements(rows));

  const auto scalar = faiss_sq(2, 3, faiss_scalar(5, 2, 2, {}), codes({10, 11, 12, 13, 14, 15}));
  expect_elements(*open_sample(faiss_hnsw("IHNs", 2, {}, scalar)), graph_elements(rows));

  const auto product =
      faiss_pq("IxPq", 2, 3, faiss_product(2, 1, 2, ramp(8, 10)), codes({0, 1, 2}));
  expect_elements(*open_sample(faiss_hnsw("IHNp", 2, {}, product)), graph_elements(rows));

  refused(faiss_hnsw("IHNf", 2, {}, scalar), kUnsupported, "'IxSQ'", "flat ones in IHNf");
  refused(faiss_hnsw("IHNs", 2, {}, product), kUnsupported, "'IxPq'", "IxSQ in IHNs");
  refused(faiss_hnsw("IHNp", 2, {}, faiss_flat("IxF2", 2, rows)), kUnsupported, "'IxF2'",
          "IxPq in IHNp");
  refused(faiss_hnsw("IHNf", 2, {}, FaissSample{}.name("null")), kUnsupported,
          "'null': the graph was written without them", "with its vectors");
}

TEST(FaissReader, GraphOfNothing) {
  const FaissGraph empty{.levels = {}, .offsets = {0}, .links = {}, .entry = ~0u};
  const auto reader = open_sample(faiss_hnsw("IHNf", 2, empty, faiss_flat("IxF2", 2, {})));
  EXPECT_EQ(reader->facts().elements, 0u);
  expect_elements(*reader, {});
}

TEST(FaissReader, LinksEndAtTheFirstHoleAndLeadElsewhere) {
  FaissGraph graph;
  graph.links = {-1, 2, 1, 2, -1, 1, 1};
  const auto reader = open_sample(faiss_hnsw("IHNf", 2, graph, faiss_flat("IxF2", 2, ramp(6))));
  auto expected = graph_elements(ramp(6));
  expected[0].links = {};
  expected[1].links = {2};  // not itself
  expected[2].links = {1, 1};
  expect_elements(*reader, expected);
}

TEST(FaissReader, GraphsThatContradictThemselves) {
  const auto bad = [](const std::function<void(FaissGraph&)>& change, const std::string& found,
                      const std::string& expected) {
    FaissGraph graph;
    change(graph);
    refused(faiss_hnsw("IHNf", 2, graph, faiss_flat("IxF2", 2, ramp(6))), kCorrupt, found,
            expected);
  };
  bad([](auto& g) { g.offsets[1] = 1; }, "element 1 from 1 on", "2, where");
  bad([](auto& g) { g.offsets[0] = 1; }, "element 0 from 1 on", "0, where");
  bad([](auto& g) { g.offsets[3] = 8; }, "element 3 from 8 on", "7, where");
  bad([](auto& g) { g.offsets.pop_back(); }, "3 levels and 3 offsets", "3 and one more");
  bad([](auto& g) { g.levels[2] = 0; }, "level 0 of element 2", "1 to 2");
  bad([](auto& g) { g.levels[2] = 3; }, "level 3 of element 2", "1 to 2");
  bad([](auto& g) { g.levels[2] = -1; }, "level -1 of element 2", "1 to 2");
  bad([](auto& g) { g.links[2] = 3; }, "element 3 as link 2", "below 3");
  bad([](auto& g) { g.links[4] = -2; }, "element -2 as link 4", "below 3");
  bad([](auto& g) { g.links.push_back(0); }, "8 links", "7 for the levels");
  bad([](auto& g) { g.entry = 3; }, "entry point 3", "below 3");
  bad([](auto& g) { g.entry = ~0u; }, "entry point -1", "below 3");
  bad([](auto& g) { g.ends = {0, 2, 1}; }, "do not ascend", "level 0");
  bad([](auto& g) { g.ends = {0, 0, 1}; }, "do not ascend", "level 0");
  bad([](auto& g) { g.ends = {0}; }, "do not ascend", "level 0");
  bad([](auto& g) { g.ends = {1, 2, 3}; }, "do not ascend", "level 0");
}

TEST(FaissReader, ScalarCodesOfEveryType) {
  const Floats ranges{0, 100, 255, 2550};  // smallest 0 and 100, ranges 255 and 2550
  const auto rows_of = [](std::uint32_t type, std::uint64_t code_bytes, const Floats& trained,
                          const Bytes& code, std::uint32_t dim) {
    const auto sample = faiss_sq(dim, 1, faiss_scalar(type, dim, code_bytes, trained), code);
    Floats row(dim);
    const Bytes bytes = must(read_all(*open_sample(sample)))[0].vector;
    std::memcpy(row.data(), bytes.data(), bytes.size());
    return row;
  };
  EXPECT_EQ(rows_of(0, 2, ranges, codes({3, 9}), 2), (Floats{3.5F, 195}));
  EXPECT_EQ(rows_of(2, 2, {-1, 510}, codes({0, 255}), 2), (Floats{0, 510}));
  EXPECT_EQ(rows_of(1, 2, {0, 0, 0, 15, 15, 30}, codes({0x21, 0x05}), 3), (Floats{1.5F, 2.5F, 11}));
  EXPECT_EQ(rows_of(3, 2, {1, 15}, codes({0xf0, 0x07}), 3), (Floats{1.5F, 16.5F, 8.5F}));
  // 6 bits each, the lowest first: 1, 2, 3, 63, 5
  EXPECT_EQ(rows_of(6, 4, {0, 0, 0, 0, 0, 63, 63, 63, 63, 63}, codes({0x81, 0x30, 0xfc, 0x05}), 5),
            (Floats{1.5F, 2.5F, 3.5F, 63.5F, 5.5F}));
  EXPECT_EQ(rows_of(5, 2, {}, codes({7, 255}), 2), (Floats{7, 255}));
  // 1, -2, the smallest and the largest half, the smallest normal one, -0
  EXPECT_EQ(rows_of(4, 12, {}, codes({0, 0x3c, 0, 0xc0, 1, 0, 0xff, 0x7b, 0, 4, 0, 0x80}), 6),
            (Floats{1, -2, 0x1p-24F, 65504, 0x1p-14F, 0}));
  const Floats special = rows_of(4, 6, {}, codes({0, 0x7c, 0, 0xfc, 0, 0x7e}), 3);
  EXPECT_EQ(special[0], INFINITY);
  EXPECT_EQ(special[1], -INFINITY);
  EXPECT_TRUE(std::isnan(special[2]));
}

TEST(FaissReader, ScalarCodesThatContradictThemselves) {
  const auto sq = [](const FaissSample& scalar) { return faiss_sq(2, 1, scalar, codes({1, 2})); };
  refused(sq(faiss_scalar(7, 2, 4, {})), kUnsupported, "type 7", "0 to 6");
  refused(sq(faiss_scalar(~0u, 2, 4, {})), kUnsupported, "type -1", "0 to 6");
  refused(sq(faiss_scalar(5, 3, 2, {})), kCorrupt, "dimension 3", "dimension 2");
  refused(sq(faiss_scalar(5, 2, 3, {})), kCorrupt, "codes of 3 bytes", "2 bytes");
  refused(sq(faiss_scalar(0, 2, 2, ramp(3))), kCorrupt, "3 numbers", "4 numbers");
  refused(sq(faiss_scalar(2, 2, 2, ramp(4))), kCorrupt, "4 numbers", "2 numbers");
  refused(faiss_sq(2, 2, faiss_scalar(5, 2, 2, {}), codes({1, 2})), kCorrupt, "2 bytes",
          "2 vectors of 2 bytes");
}

TEST(FaissReader, ProductCodesOfAnyWidth) {
  // 10 bits a part: 3, 1023 and 512 in four bytes.
  Floats centroids = ramp(3 * 1024);
  const auto wide = faiss_pq("IxPq", 3, 1, faiss_product(3, 3, 10, centroids),
                             codes({0x03, 0xfc, 0x0f, 0x20}), 0);
  const auto reader = open_sample(wide);
  EXPECT_EQ(reader->facts().decoded_from, "4-byte product codes");
  EXPECT_EQ(reader->facts().metric, Metric::ip);
  expect_elements(*reader, numbered(1, {3, 1024 + 1023, 2048 + 512}));

  const auto halves = faiss_pq("IxPq", 4, 2, faiss_product(4, 2, 1, ramp(8)), codes({0b10, 0b01}));
  expect_elements(*open_sample(halves), numbered(2, {0, 1, 6, 7, 2, 3, 4, 5}));
}

TEST(FaissReader, OldProductCodesMeanL2) {
  const auto old = faiss_pq("IxPQ", 2, 1, faiss_product(2, 1, 8, ramp(512)), codes({4}), 0);
  const auto reader = open_sample(old);
  EXPECT_EQ(reader->facts().metric, Metric::l2);
  expect_elements(*reader, numbered(1, {8, 9}));
}

TEST(FaissReader, ProductCodesThatContradictThemselves) {
  const auto pq = [](std::uint32_t dim, std::uint64_t parts, std::uint64_t bits, std::size_t size) {
    return faiss_pq("IxPq", 4, 0, faiss_product(dim, parts, bits, ramp(size)), {});
  };
  refused(pq(3, 1, 1, 8), kCorrupt, "1 parts of dimension 3", "dimension 4");
  refused(pq(4, 0, 1, 8), kCorrupt, "0 parts", "dimension 4");
  refused(pq(4, 3, 1, 8), kCorrupt, "3 parts", "dimension 4");
  refused(pq(4, 2, 0, 4), kUnsupported, "0 bits", "1 to 16");
  refused(pq(4, 2, 17, 8), kUnsupported, "17 bits", "1 to 16");
  refused(pq(4, 2, 2, 8), kCorrupt, "8 numbers", "16 numbers");
}

TEST(FaissReader, AnotherKindShowsItsName) {
  for (const char* kind : {"IHN2", "IHNc", "IHc2", "IHfP", "IxRF", "IwPf", "Imiq"})
    refused(FaissSample{}.name(kind).header(1, 0), kUnsupported, std::string("'") + kind + "'",
            "IwFl IwSQ IwSq IwPQ (IVF)");
  refused(FaissSample{}.name("IBHf"), kUnsupported, "'IBHf', a binary index", "IxF2");
  refused(FaissSample{}.u32(0x01020304), kUnsupported, "0x01020304", "IxF2");
}

TEST(FaissReader, AFileOfUnknownSize) {
  const OpenSource open = []() -> Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(faiss_flat("IxF2", 1, ramp(1)).bytes(), false);
  };
  const auto reader = open_faiss(open, "x");
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, kUnsupported);
  EXPECT_EQ(reader.error().found, "a packed file");
}

}  // namespace
}  // namespace cairn::formats

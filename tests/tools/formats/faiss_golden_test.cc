// Indexes that FAISS wrote, against what FAISS itself read in them (tests/golden/faiss).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "tests/tools/formats/faiss_opening.h"

namespace cairn::formats {
namespace {

using io::must;

struct Golden {
  const char* name;
  const char* kind;  // behind "FAISS "
  std::uint32_t dim;
  std::uint64_t elements;
  std::optional<Metric> metric;
  std::uint32_t links_max;
  bool labelled;
  const char* decoded_from;
};

constexpr auto kL2 = Metric::l2, kIp = Metric::ip, kCosine = Metric::cosine;

const std::vector<Golden> kGoldens = {
    {"flat-l2", "IndexFlat", 8, 20, kL2, 0, false, ""},
    {"flat-ip", "IndexFlat", 8, 20, kIp, 0, false, ""},
    {"hnsw-flat", "IndexHNSWFlat, M 4", 8, 60, kL2, 8, false, ""},
    {"hnsw-flat-ip", "IndexHNSWFlat, M 3", 8, 60, kIp, 6, false, ""},
    {"hnsw-one", "IndexHNSWFlat, M 4", 8, 1, kL2, 8, false, ""},
    {"hnsw-sq8", "IndexHNSWSQ, M 4", 8, 60, kL2, 8, false, "8-bit scalar codes"},
    {"hnsw-pq", "IndexHNSWPQ, M 4", 2, 40, kL2, 8, false, "1-byte product codes"},
    {"idmap-flat", "IndexIDMap of IndexFlat", 8, 20, kL2, 0, true, ""},
    {"idmap2-hnsw", "IndexIDMap2 of IndexHNSWFlat, M 4", 8, 40, kL2, 8, true, ""},
    {"sq-8bit", "IndexScalarQuantizer", 9, 20, kL2, 0, false, "8-bit scalar codes"},
    {"sq-4bit", "IndexScalarQuantizer", 9, 20, kL2, 0, false, "4-bit scalar codes"},
    {"sq-6bit", "IndexScalarQuantizer", 9, 20, kL2, 0, false, "6-bit scalar codes"},
    {"sq-fp16", "IndexScalarQuantizer", 9, 20, kL2, 0, false, "16-bit floats"},
    {"sq-fp16-extremes", "IndexScalarQuantizer", 8, 1, kIp, 0, false, "16-bit floats"},
    {"sq-8bit-uniform", "IndexScalarQuantizer", 9, 20, kL2, 0, false, "8-bit uniform scalar codes"},
    {"sq-4bit-uniform", "IndexScalarQuantizer", 9, 20, kL2, 0, false, "4-bit uniform scalar codes"},
    {"sq-8bit-direct", "IndexScalarQuantizer", 9, 20, kL2, 0, false, "whole numbers of 8 bits"},
    {"pq-8bit", "IndexPQ", 4, 30, kL2, 0, false, "2-byte product codes"},
    {"pq-4bit", "IndexPQ", 9, 30, kIp, 0, false, "2-byte product codes"},
    {"pq-5bit", "IndexPQ", 6, 30, kL2, 0, false, "2-byte product codes"},
    {"ivf-flat", "IndexIVFFlat, 6 lists", 8, 40, kL2, 0, true, ""},
    {"ivf-flat-sparse", "IndexIVFFlat, 24 lists", 8, 5, kL2, 0, true, ""},
    {"ivf-flat-ip", "IndexIVFFlat, 6 lists", 8, 40, kIp, 0, true, ""},
    {"ivf-flat-array", "IndexIVFFlat, 6 lists", 8, 40, kL2, 0, true, ""},
    {"ivf-flat-hashtable", "IndexIVFFlat, 6 lists", 8, 40, kL2, 0, true, ""},
    {"ivf-sq8", "IndexIVFScalarQuantizer, 6 lists", 8, 40, kL2, 0, true, "8-bit scalar codes"},
    {"ivf-sq4-whole", "IndexIVFScalarQuantizer, 6 lists", 8, 40, kL2, 0, true,
     "4-bit scalar codes"},
    {"ivf-pq", "IndexIVFPQ, 6 lists", 8, 40, kL2, 0, true, "2-byte product codes"},
    {"ivf-pq-whole", "IndexIVFPQ, 6 lists", 8, 40, kL2, 0, true, "2-byte product codes"},
    {"ivf-hnsw-sq8", "IndexIVFScalarQuantizer, 8 lists", 8, 30, kL2, 0, true, "8-bit scalar codes"},
    {"idmap2-ivf", "IndexIDMap2 of IndexIVFScalarQuantizer, 6 lists", 8, 40, kL2, 0, true,
     "8-bit scalar codes"},
    {"l2norm-flat-ip", "IndexPreTransform (L2 norm) of IndexFlat", 8, 20, kCosine, 0, false, ""},
    {"l2norm-flat-l2", "IndexPreTransform (L2 norm) of IndexFlat", 8, 20, kL2, 0, false,
     "transformed vectors (L2 norm)"},
    {"l2norm-hnsw-ip", "IndexPreTransform (L2 norm) of IndexHNSWFlat, M 4", 8, 40, kCosine, 8,
     false, ""},
    {"rotated-flat-ip", "IndexPreTransform (rotation) of IndexFlat", 8, 20, kIp, 0, false,
     "transformed vectors (rotation)"},
    {"pca-flat", "IndexPreTransform (8 to 4 dimensions) of IndexFlat", 8, 20, kL2, 0, false,
     "transformed vectors (8 to 4 dimensions)"},
    {"pca-flat-ip",
     "IndexPreTransform (rotation) of IndexFlat",
     8,
     20,
     {},
     0,
     false,
     "transformed vectors (rotation)"},
    {"opq-ivf-pq", "IndexPreTransform (rotation) of IndexIVFPQ, 4 lists", 8, 40, kL2, 0, true,
     "2-byte product codes of transformed vectors (rotation)"},
    {"idmap-l2norm-rr-sq8",
     "IndexIDMap of IndexPreTransform (L2 norm, 8 to 4 dimensions) of IndexScalarQuantizer", 8, 20,
     kCosine, 0, true, "8-bit scalar codes of transformed vectors (8 to 4 dimensions)"},
    {"centred-flat", "IndexPreTransform (centring) of IndexFlat", 8, 20, kL2, 0, false,
     "transformed vectors (centring)"},
};

std::vector<float> floats_of(const Bytes& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Within a millionth of the largest number of the vector. Infinity is itself.
void expect_near(const Bytes& found, const Bytes& expected) {
  const auto ours = floats_of(found), theirs = floats_of(expected);
  ASSERT_EQ(ours.size(), theirs.size());
  float most = 0;
  for (const float value : theirs)
    if (std::isfinite(value)) most = std::max(most, std::abs(value));
  for (std::size_t i = 0; i < ours.size(); ++i)
    if (std::isfinite(theirs[i])) {
      EXPECT_NEAR(ours[i], theirs[i], 1e-6F * most) << i;
    } else {
      EXPECT_EQ(ours[i], theirs[i]) << i;
    }
}

/// Sums of transforms may round otherwise; all else is exact, and codes nearly so.
void expect_golden(IndexReader& reader, std::vector<Element> expected) {
  std::vector<Element> found = must(read_all(reader));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    expect_near(found[i].vector, expected[i].vector);
    if (reader.facts().decoded_from.empty()) {
      EXPECT_EQ(found[i].vector, expected[i].vector) << i;
    }
    expected[i].vector = found[i].vector;
  }
  expect_elements(reader, expected);
}

TEST(FaissGolden, ReadsWhatFaissWrote) {
  for (const Golden& golden : kGoldens) {
    SCOPED_TRACE(golden.name);
    const std::string path = std::string("faiss/") + golden.name;
    const auto reader = must(kOpen(source_of_bytes(read_golden(path + ".faiss"))), golden.name);
    const IndexFacts& facts = reader->facts();
    EXPECT_EQ(facts.kind, std::string("FAISS ") + golden.kind);
    EXPECT_EQ(facts.dtype, DType::f32);
    EXPECT_EQ(facts.dim, golden.dim);
    EXPECT_EQ(facts.elements, golden.elements);
    EXPECT_EQ(facts.metric, golden.metric);
    EXPECT_EQ(facts.links_max, golden.links_max);
    EXPECT_EQ(facts.labelled, golden.labelled);
    EXPECT_EQ(facts.decoded_from, golden.decoded_from);
    expect_golden(*reader, read_expected(path + ".txt"));
  }
}

TEST(FaissGolden, ReadsNoneButTheseAndAllOfThem) {
  std::set<std::string> files, named;
  for (const auto& entry : std::filesystem::directory_iterator(CAIRN_GOLDEN "/faiss"))
    if (entry.path().extension() == ".faiss" &&
        !entry.path().stem().string().starts_with("refused"))
      files.insert(entry.path().stem().string());
  for (const Golden& golden : kGoldens) named.insert(golden.name);
  EXPECT_EQ(files, named);
}

TEST(FaissGolden, SomeElementsHaveUpperLinks) {
  const auto elements = read_expected("faiss/hnsw-flat.txt");
  const auto uppers = std::ranges::count(elements, true, &Element::upper);
  EXPECT_GT(uppers, 3);
  EXPECT_LT(uppers, 30);
}

TEST(FaissGolden, RefusesWhatHasNoVectorsOfOurs) {
  const auto refused = [](const std::string& name, const std::string& found,
                          const std::string& expected) {
    expect_refused(kOpen, read_golden("faiss/refused-" + name + ".faiss"), ErrorCode::unsupported,
                   found, expected);
  };
  refused("whitened", "not orthonormal", "a PCA that does not whiten");
  refused("itq", "'Viqt'", "VNrm");
  refused("l1", "metric 2 (L1)", "0 (inner product) or 1 (L2)");
  refused("lsh", "'IxHe'", "IHNf");
  refused("binary", "'IBxF', a binary index", "IxF2");
  refused("untrained", "not trained", "a trained index");
}

TEST(FaissGolden, OnlyTheExactLength) {
  for (const char* name : {"hnsw-one", "idmap-l2norm-rr-sq8", "ivf-flat-sparse", "pq-4bit"}) {
    SCOPED_TRACE(name);
    expect_exact_length(kOpen, read_golden(std::string("faiss/") + name + ".faiss"));
  }
}

TEST(FaissGolden, NoChangedByteHarms) {
  for (const Golden& golden : kGoldens) {
    SCOPED_TRACE(golden.name);
    const Bytes file = read_golden(std::string("faiss/") + golden.name + ".faiss");
    for (std::size_t at = 0; at < file.size(); at += at < 120 ? 1 : 23) {
      Bytes other = file;
      other[at] ^= std::byte{0xff};
      const auto reader = kOpen(source_of_bytes(other));
      if (!reader) {
        EXPECT_FALSE(reader.error().found.empty()) << at;
        continue;
      }
      EXPECT_EQ((*reader)->facts().elements, golden.elements) << at;
      EXPECT_EQ((*reader)->facts().dim, golden.dim) << at;
      EXPECT_EQ(must(read_all(**reader)).size(), golden.elements) << at;
    }
  }
}

}  // namespace
}  // namespace cairn::formats

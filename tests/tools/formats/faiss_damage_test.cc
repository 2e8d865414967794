// FAISS index files that are damaged, cut, or lie: an error that says what is wrong, or the same
// answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "tests/tools/formats/faiss_opening.h"
#include "tests/tools/formats/largest_allocation.h"
#include "tests/tools/formats/memory_source.h"

namespace cairn::formats {
namespace {

using io::must;

Floats identity(std::uint32_t dim) {
  Floats matrix(std::size_t{dim} * dim);
  for (std::size_t i = 0; i < dim; ++i) matrix[i * dim + i] = 1;
  return matrix;
}

Bytes some_bytes(std::size_t count) {
  Sample raw;
  for (std::size_t i = 0; i < count; ++i) raw.u8(static_cast<unsigned>(i * 37 % 251));
  return raw.bytes();
}

FaissSample ivf_scalar() {
  return faiss_ivf("IwSq", 2, 3, 2, faiss_flat("IxFI", 2, ramp(4), 0), 0)
      .append(faiss_scalar(0, 2, 2, ramp(4)))
      .count(2)
      .free_u8(1)
      .append(faiss_lists({{some_bytes(4), {0, 2}}, {some_bytes(2), {1}}}, 2));
}

/// One of each kind and part.
std::map<std::string, FaissSample> samples() {
  const auto flat = faiss_flat("IxF2", 2, ramp(6));
  const auto scalar = faiss_sq(2, 3, faiss_scalar(2, 2, 2, ramp(2)), some_bytes(6));
  const auto product = faiss_product(2, 2, 4, ramp(32));
  const auto pq = faiss_pq("IxPq", 2, 3, product, some_bytes(3));
  const auto ivf_pq =
      faiss_ivf("IwPQ", 2, 2, 3, flat)
          .free_u8(0)  // with residuals, another list's number is another answer
          .count(1)
          .append(product)
          .append(faiss_lists({{some_bytes(1), {7}}, {}, {some_bytes(1), {9}}}, 1, true));
  const auto hash = FaissSample{}.name("IwFl").header(2, 1).count(3).count(1).append(flat);
  return {
      {"flat", flat},
      {"scalar", scalar},
      {"product", pq},
      {"old product", faiss_pq("IxPQ", 2, 3, product, some_bytes(3))},
      {"graph", faiss_hnsw("IHNf", 2, {}, flat)},
      {"graph over scalar codes", faiss_hnsw("IHNs", 2, {}, scalar)},
      {"graph over product codes", faiss_hnsw("IHNp", 2, {}, pq)},
      {"lists of scalar codes", ivf_scalar()},
      {"lists of product codes", ivf_pq},
      {"lists with a hash table", FaissSample(hash).u8(2).longs({}).count(1).free(Bytes(16)).append(
                                      faiss_lists({{some_bytes(8), {7}}, {}, {}}, 8))},
      {"id map of lists", faiss_id_map("IxM2", 2, ivf_scalar(), {10, 11, 12}, 0)},
      {"transformed graph",
       faiss_id_map(
           "IxMp", 2,
           faiss_transformed(2, 3,
                             {faiss_norm(2), faiss_linear("Pcam", 2, 2, identity(2), {1, 2}),
                              faiss_linear("LTra", 2, 2, identity(2))},
                             faiss_hnsw("IHNf", 2, {}, flat)),
           {5, 6, 7})},
  };
}

TEST(FaissDamage, EachByteOfTheStructureMatters) {
  for (const auto& [name, sample] : samples()) {
    SCOPED_TRACE(name);
    int refused = 0;
    for (const auto& [first, last] : sample.structure())
      refused += flip_bytes(kOpen, sample.bytes(), first, last);
    EXPECT_GT(refused, 6 * 4 * 4) << "kind, dimension and count at least";
  }
}

TEST(FaissDamage, OnlyTheExactLength) {
  for (const auto& [name, sample] : samples()) {
    SCOPED_TRACE(name);
    expect_exact_length(kOpen, sample.bytes());
  }
}

/// 3,000 elements under ids: the residuals of a rotation, in lists whose centroids have a graph.
FaissSample large() {
  constexpr std::uint32_t kDim = 32, kLists = 60, kPerList = 50;
  FaissGraph graph{.ends = {0, 4, 6}, .levels = {}, .offsets = {0}, .links = {}, .entry = 0};
  std::vector<FaissList> lists(kLists);
  std::vector<std::int64_t> ids;
  for (std::uint32_t i = 0; i < kLists; ++i) {
    graph.levels.push_back(i % 4 == 0 ? 2 : 1);
    graph.links.insert(graph.links.end(), i % 4 == 0 ? 6 : 4, -1);
    graph.offsets.push_back(graph.links.size());
    lists[i].codes = some_bytes(kPerList * kDim);
    for (std::uint32_t j = 0; j < kPerList; ++j) {
      lists[i].ids.push_back(j * kLists + i);
      ids.push_back(i * kPerList + j);
    }
  }
  const auto centroids =
      faiss_hnsw("IHNf", kDim, graph, faiss_flat("IxF2", kDim, ramp(kLists * kDim)));
  const auto ivf = faiss_ivf("IwSq", kDim, kLists * kPerList, kLists, centroids)
                       .append(faiss_scalar(5, kDim, kDim, {}))
                       .count(kDim)
                       .free_u8(1)
                       .append(faiss_lists(lists, kDim));
  const auto turned = faiss_transformed(kDim, kLists * kPerList,
                                        {faiss_linear("rrot", kDim, kDim, identity(kDim))}, ivf);
  return faiss_id_map("IxM2", kDim, turned, ids);
}

TEST(FaissDamage, LargerThanItsWindows) {
  const FaissSample sample = large();
  const auto reader = must(kOpen(source_of_bytes(sample.bytes())));
  const auto elements = must(read_all(*reader, 61));
  ASSERT_EQ(elements.size(), 3000u);
  EXPECT_TRUE(must(read_all(*reader, 3000)) == elements);
  const Bytes code = some_bytes(50 * 32);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::size_t list = i / 50, place = i % 50;
    // Number place * 60 + list, which the map gives as id.
    ASSERT_EQ(elements[i].label, place * 60 + list);
    Floats expected = ramp(32, static_cast<float>(list * 32));
    for (std::size_t d = 0; d < 32; ++d)
      expected[d] += static_cast<float>(std::to_integer<int>(code[place * 32 + d]));
    ASSERT_EQ(elements[i].vector, bytes_of_floats(expected)) << i;
  }
}

/// Counts where reading went on elsewhere.
class CountingSource final : public ByteSource {
 public:
  CountingSource(Bytes file, int& jumps) : file_(std::move(file)), jumps_(jumps) {}
  Result<std::size_t> read(std::span<std::byte> into) override {
    CAIRN_ASSIGN(const std::size_t got, file_.read(into));
    at_ += got;
    return got;
  }
  Status seek(std::uint64_t offset) override {
    jumps_ += offset == at_ ? 0 : 1;
    at_ = offset;
    return file_.seek(offset);
  }
  std::optional<std::uint64_t> bytes() const override { return file_.bytes(); }

 private:
  MemorySource file_;
  int& jumps_;
  std::uint64_t at_ = 0;
};

TEST(FaissDamage, LabelsOfAMapAroundListsAreReadInOrder) {
  const Bytes file = large().bytes();
  int jumps = 0;
  const auto reader = must(kOpen([&]() -> Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<CountingSource>(file, jumps);
  }));
  EXPECT_LT(jumps, 20) << "one a region, not one a list";
  jumps = 0;
  EXPECT_EQ(must(read_all(*reader)).size(), 3000u);
  EXPECT_LT(jumps, 20) << "not one a label";
}

TEST(FaissDamage, CutAtEveryPage) {
  const Bytes file = large().bytes();
  ASSERT_GT(file.size(), 150000u);
  for (std::size_t length = 0; length < file.size(); length += 4096) {
    Bytes cut = file;
    cut.resize(length);
    const auto reader = kOpen(source_of_bytes(cut));
    ASSERT_FALSE(reader) << length;
    EXPECT_EQ(reader.error().code, ErrorCode::corrupt) << reader.error().to_string();
  }
}

TEST(FaissDamage, LyingCountsAllocateNothing) {
  int refused = 0;
  auto all = samples();
  all.emplace("large", large());
  for (const auto& [name, sample] : all) {
    SCOPED_TRACE(name);
    const std::size_t step = std::max<std::size_t>(1, sample.counts().size() / 60);
    for (std::size_t i = 0; i < sample.counts().size(); i += step) {
      for (const std::uint64_t lie :
           {std::uint64_t{1} << 24, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
            std::uint64_t{1} << 61, std::uint64_t{1} << 62,
            static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()),
            std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()}) {
        Bytes file = sample.bytes();
        const Bytes bytes = Sample{}.u64(lie).bytes();
        std::ranges::copy(bytes, file.begin() + static_cast<std::ptrdiff_t>(sample.counts()[i]));
        const OpenSource source = source_of_bytes(file);
        const std::size_t copies = file.size();
        largest_allocation();
        const auto reader = kOpen(source);
        EXPECT_LE(largest_allocation(), 2 * copies + 65536) << sample.counts()[i] << " " << lie;
        if (!reader) ++refused;
        if (reader) {
          EXPECT_EQ(must(read_all(**reader)),
                    must(read_all(*must(kOpen(source_of_bytes(sample.bytes()))))));
        }
      }
    }
  }
  EXPECT_GT(refused, 8 * 200);
}

TEST(FaissDamage, AGraphWithoutItsOffsets) {
  // 2^64 - 1 elements, one offset more.
  const auto file = FaissSample{}
                        .name("IHNf")
                        .header(1, 0)
                        .count(0)
                        .ints({0, 2})
                        .ints({})
                        .sizes({})
                        .ints({})
                        .u32(~0u)
                        .u32(0)
                        .u32(0)
                        .u32(0)
                        .u32(0);
  expect_refused(kOpen, file.bytes(), ErrorCode::corrupt, "0 levels and 0 offsets", "one more");
}

/// A file that is another once it was opened: sources that are asked for while `opened` is false
/// give the first, and all those that live give the other as soon as it is true.
class ChangingSource final : public ByteSource {
 public:
  ChangingSource(const Bytes& first, const Bytes& then, const bool& changed)
      : first_(first), then_(then), changed_(changed) {}
  Result<std::size_t> read(std::span<std::byte> into) override {
    return (changed_ ? then_ : first_).read(into);
  }
  Status seek(std::uint64_t offset) override {
    CAIRN_TRY(first_.seek(offset));
    return then_.seek(offset);
  }
  std::optional<std::uint64_t> bytes() const override { return first_.bytes(); }

 private:
  MemorySource first_, then_;
  const bool& changed_;
};

/// What reading everything gives when `then` takes the place of `first` after opening. Labels and
/// links of the first are read in windows of which nothing is left.
Status read_changed(const Bytes& first, const Bytes& then) {
  bool changed = false;
  const auto reader = must(kOpen([&]() -> Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<ChangingSource>(first, then, changed);
  }));
  changed = true;
  const auto read = read_all(*reader, 500);
  if (!read) return fail(read.error());
  return {};
}

TEST(FaissDamage, AFileThatChangesAfterOpening) {
  const Bytes file = large().bytes();
  // Windows that looked at everything hold what they last saw: only later bytes are seen anew.
  Bytes ones(file.size(), std::byte{0xff});
  const auto labels = read_changed(file, ones);
  ASSERT_FALSE(labels);
  EXPECT_EQ(labels.error().file, "x");
  EXPECT_FALSE(read_changed(file, Bytes(100)));
  EXPECT_TRUE(io::ok(read_changed(file, file)));
}

TEST(FaissDamage, AGraphThatChangesAfterOpening) {
  constexpr std::uint32_t kCount = 70000;  // more links than a window holds
  FaissGraph graph{
      .ends = {0, 4}, .levels = Ints(kCount, 1), .offsets = {0}, .links = {}, .entry = 0};
  for (std::uint32_t i = 0; i < kCount; ++i) {
    for (std::uint32_t j = 1; j <= 4; ++j)
      graph.links.push_back(static_cast<std::int32_t>((i + j) % kCount));
    graph.offsets.push_back(graph.links.size());
  }
  const auto flat = faiss_flat("IxF2", 1, ramp(kCount));
  const Bytes file = faiss_hnsw("IHNf", 1, graph, flat).bytes();
  EXPECT_TRUE(io::ok(read_changed(file, file)));
  FaissGraph other = graph;
  other.links[1] = kCount;
  const auto link = read_changed(file, faiss_hnsw("IHNf", 1, other, flat).bytes());
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().found, "element 70000 as link 1");
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1} << 40}) {
    other = graph;
    other.offsets[1] = offset;
    const auto offsets = read_changed(file, faiss_hnsw("IHNf", 1, other, flat).bytes());
    ASSERT_FALSE(offsets);
    EXPECT_NE(offsets.error().found.find("those of element 0"), std::string::npos);
  }
}

}  // namespace
}  // namespace cairn::formats

// A service as its author would write it: only <cairn/...> from the installed tree, flags from
// pkg-config. Exercises every call of the public surface once; prints "ok" when all answered.
#include <cairn/builder.h>
#include <cairn/index.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::uint32_t kDim = 16, kCount = 3000;
constexpr cairn::Label kFirstLabel = 1'000'000'000'000;

#define REQUIRE(condition)                                                 \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::printf("consumer.cc:%d: not true: %s\n", __LINE__, #condition); \
      return false;                                                        \
    }                                                                      \
  } while (false)

#define REQUIRE_OK(result)                                                                 \
  do {                                                                                     \
    if (!(result)) {                                                                       \
      std::printf("consumer.cc:%d: %s\n", __LINE__, (result).error().to_string().c_str()); \
      return false;                                                                        \
    }                                                                                      \
  } while (false)

/// Points on a winding curve: distinct, so that a vector's nearest neighbour is itself.
std::vector<float> make_rows() {
  std::vector<float> rows(std::size_t{kDim} * kCount);
  std::uint32_t state = 12345;
  for (float& value : rows) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(state >> 8) / 65536.0F;
  }
  return rows;
}

bool build(const std::string& folder, const std::vector<float>& rows) {
  std::uint32_t progress_calls = 0;
  cairn::BuildOptions options{.code_bytes = 8, .refine_bytes = 8, .threads = 2, .seed = 7};
  options.progress = [&](const cairn::BuildProgress&) { return ++progress_calls > 0; };
  auto builder = cairn::Builder::create(folder, kDim, cairn::DType::f32, options);
  REQUIRE_OK(builder);
  std::vector<cairn::Label> labels(kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) labels[i] = kFirstLabel + 2 * i;
  const std::uint32_t half = kCount / 2;
  const std::span all(labels);
  REQUIRE_OK((*builder)->add({rows.data(), half, kDim, cairn::DType::f32}, all.first(half)));
  const float* rest = rows.data() + std::size_t{half} * kDim;
  REQUIRE_OK((*builder)->add({rest, kCount - half, kDim, cairn::DType::f32}, all.subspan(half)));
  const auto report = (*builder)->finish();
  REQUIRE_OK(report);
  REQUIRE(report->vectors == kCount);
  REQUIRE(progress_calls > 0);
  const auto second = cairn::Builder::create(folder, kDim, cairn::DType::f32);
  REQUIRE(!second && second.error().code == cairn::ErrorCode::already_exists);
  return true;
}

cairn::SearchRequest request_of(const std::vector<float>& rows, std::uint32_t row) {
  return {.query = {rows.data() + std::size_t{row} * kDim, kDim, cairn::DType::f32}, .k = 5};
}

bool search(const cairn::Index& index, const std::vector<float>& rows) {
  const auto one = index.search(request_of(rows, 42));
  REQUIRE_OK(one);
  REQUIRE(one->neighbors.size() == 5);
  REQUIRE(one->neighbors[0].label == kFirstLabel + 84 && one->neighbors[0].distance == 0);
  REQUIRE(one->counters.reads + one->counters.cache_hits > 0);

  auto odd = request_of(rows, 42);
  odd.allow = [](cairn::Label label) { return label != kFirstLabel + 84; };
  const auto without = index.search(odd);
  REQUIRE_OK(without);
  REQUIRE(without->neighbors[0].label != kFirstLabel + 84);

  std::vector<cairn::SearchRequest> requests;
  for (std::uint32_t i = 0; i < 50; ++i) requests.push_back(request_of(rows, 60 * i));
  const auto batch = index.search_batch(requests);
  REQUIRE(batch.size() == requests.size());
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    REQUIRE_OK(batch[i]);
    REQUIRE(batch[i]->neighbors[0].label == kFirstLabel + 120 * i);
  }
  auto none = request_of(rows, 0);
  none.k = 0;
  const auto refused = index.search(none);
  REQUIRE(!refused && refused.error().code == cairn::ErrorCode::invalid_argument);
  return true;
}

bool inspect(const cairn::Index& index, const std::vector<float>& rows) {
  const auto vector = index.get(kFirstLabel + 2 * 17);
  REQUIRE_OK(vector);
  REQUIRE(vector->size() == kDim * sizeof(float));
  REQUIRE(std::memcmp(vector->data(), rows.data() + 17 * kDim, vector->size()) == 0);
  const auto missing = index.get(kFirstLabel + 1);
  REQUIRE(!missing && missing.error().code == cairn::ErrorCode::not_found);
  const auto verified = index.verify();
  REQUIRE_OK(verified);
  REQUIRE(verified->ok() && verified->vectors == kCount && verified->unreachable == 0);
  const cairn::IndexStats stats = index.stats();
  REQUIRE(stats.vector_count == kCount && stats.dim == kDim);
  REQUIRE(stats.index_ram_bytes > 0 && stats.block_reads > 0);
  return true;
}

bool run(const std::string& folder) {
  const std::vector<float> rows = make_rows();
  if (!build(folder, rows)) return false;
  std::vector<std::string> lines;
  cairn::OpenOptions options;
  options.log = [&](const std::string& line) { lines.push_back(line); };
  const auto index = cairn::Index::open(folder, options);
  REQUIRE_OK(index);
  const auto absent = cairn::Index::open(folder + ".absent");
  REQUIRE(!absent && absent.error().code == cairn::ErrorCode::not_found);
  return search(**index, rows) && inspect(**index, rows);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !run(argv[1])) return 1;
  std::puts("ok");
  return 0;
}

// Ground truth and result files: the whole input is the file.
#include <algorithm>
#include <memory>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/result_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::formats;
  const auto bytes = std::as_bytes(std::span{data, size});
  auto reader = ResultReader::from_source(
      std::make_unique<MemorySource>(std::vector<std::byte>(bytes.begin(), bytes.end())), "input");
  if (!reader) return 0;
  ResultReader& results = **reader;
  FUZZ_REQUIRE(std::uint64_t{results.queries()} * results.k() * 8 + 8 == size);
  for (std::uint32_t query = 0; query < results.queries(); ++query) {
    std::vector<std::uint32_t> ids(results.k());
    std::vector<float> distances(results.k());
    if (results.read(query, ids, distances)) FUZZ_REQUIRE(std::ranges::is_sorted(distances));
  }
  return 0;
}

// An index of USearch: the whole input is the file.
#include <memory>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/index_reading.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/usearch_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::formats;
  const cairn::fuzz::Input input(data, size);
  const std::vector<std::byte> file(input.rest().begin(), input.rest().end());
  const OpenSource open = [&]() -> cairn::Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(file);
  };
  const auto reader = open_usearch(open, "input");
  if (!reader) {
    FUZZ_REQUIRE(!reader.error().found.empty() && !reader.error().expected.empty());
    return 0;
  }
  FUZZ_REQUIRE((*reader)->facts().metric.has_value());
  cairn::fuzz::read_index(**reader, file.size());
  return 0;
}

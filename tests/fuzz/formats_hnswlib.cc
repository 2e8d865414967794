// An index of hnswlib. The first two bytes say dimension and element type, the rest is the file.
#include <memory>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/index_reading.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/hnswlib_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::formats;
  cairn::fuzz::Input input(data, size);
  const std::uint32_t dim = input.take<std::uint8_t>();
  const auto dtype = static_cast<cairn::DType>(1 + input.take<std::uint8_t>() % 3);
  const std::vector<std::byte> file(input.rest().begin(), input.rest().end());
  const OpenSource open = [&]() -> cairn::Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(file);
  };
  const auto reader = open_hnswlib(open, "input", {dim, dtype});
  if (!reader) {
    FUZZ_REQUIRE(!reader.error().found.empty() && !reader.error().expected.empty());
    return 0;
  }
  FUZZ_REQUIRE((*reader)->facts().dim == dim && (*reader)->facts().dtype == dtype);
  cairn::fuzz::read_index(**reader, file.size());
  return 0;
}

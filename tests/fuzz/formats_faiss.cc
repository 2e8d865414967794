// An index of FAISS. The input is the file.
#include <memory>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/index_reading.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/faiss_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::formats;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> file(bytes, bytes + size);
  const OpenSource open = [&]() -> cairn::Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(file);
  };
  const OpenSource packed = [&]() -> cairn::Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(file, false);
  };
  FUZZ_REQUIRE(!open_faiss(packed, "input"));
  const auto reader = open_faiss(open, "input");
  if (!reader) {
    FUZZ_REQUIRE(!reader.error().found.empty() && !reader.error().expected.empty());
    return 0;
  }
  FUZZ_REQUIRE((*reader)->facts().deleted == 0);
  cairn::fuzz::read_index(**reader, file.size());
  return 0;
}

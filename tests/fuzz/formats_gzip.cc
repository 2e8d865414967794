// A gzip IDX file as it comes from a disk: the whole input is the file.
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tools/formats/vector_reader.h"

namespace {

using namespace cairn::formats;

/// Unpacked bytes are bounded by the test alone: a small file may hold gigabytes of zeros.
constexpr std::size_t kRowsMax = 4096;

void read_some(VectorReader& reader) {
  std::vector<std::byte> row(reader.row_bytes());
  for (std::size_t i = 0; i < kRowsMax; ++i) {
    const auto got = reader.read(row);
    if (!got) return;
    if (*got == 0) {
      FUZZ_REQUIRE(reader.position() == reader.count());
      return;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = ::memfd_create("fuzz", MFD_CLOEXEC);
  FUZZ_REQUIRE(fd >= 0);
  FUZZ_REQUIRE(::write(fd, data, size) == static_cast<ssize_t>(size));
  auto source = open_gzip("/proc/self/fd/" + std::to_string(fd));
  if (source) {
    auto reader = VectorReader::from_source(Format::idx, std::move(*source), "input");
    if (reader) {
      read_some(**reader);
      if ((*reader)->rewind()) read_some(**reader);
    }
  }
  ::close(fd);
  return 0;
}

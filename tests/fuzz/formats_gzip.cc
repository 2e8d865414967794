// A gzip IDX file as it comes from a disk. The first byte's lowest bit says that the rest is what
// the file unpacks to: it is packed here, with right checksums, in two members where the second bit
// asks for them. Otherwise the rest is the file.
#include <zlib.h>

#include <memory>
#include <vector>

#include "tests/fuzz/scratch_file.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/vector_reader.h"

namespace {

using namespace cairn::formats;

/// Unpacked bytes are bounded by the test alone: a small file may hold gigabytes of zeros.
constexpr std::size_t kRowsMax = 4096;

using Reader = std::unique_ptr<VectorReader>;

/// The first rows; `whole` is set when they are all and each could be read.
std::vector<std::byte> read_some(VectorReader& reader, bool& whole) {
  std::vector<std::byte> row(reader.row_bytes()), rows;
  whole = false;
  for (std::size_t i = 0; i < kRowsMax; ++i) {
    const auto got = reader.read(row);
    if (!got) return rows;
    if (*got == 0) {
      FUZZ_REQUIRE(reader.position() == reader.count());
      whole = true;
      return rows;
    }
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

void append_member(std::span<const std::byte> content, std::vector<std::byte>& file) {
  z_stream stream{};
  constexpr int kGzip = 16 + MAX_WBITS;
  FUZZ_REQUIRE(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) ==
               Z_OK);
  std::vector<std::byte> packed(deflateBound(&stream, content.size()));
  // zlib does not write to what it reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  FUZZ_REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  const auto used = std::span(packed).first(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  file.insert(file.end(), used.begin(), used.end());
}

/// What is packed reads as it does unpacked, from a source that does not know its size either.
void compare(const std::vector<std::byte>& content, const cairn::Result<Reader>& packed) {
  auto plain = VectorReader::from_source(Format::idx,
                                         std::make_unique<MemorySource>(content, false), "input");
  FUZZ_REQUIRE(plain.has_value() == packed.has_value());
  if (!plain) return;
  FUZZ_REQUIRE((*plain)->count() == (*packed)->count() && (*plain)->dim() == (*packed)->dim());
  bool whole = false, packed_whole = false;
  const auto rows = read_some(**plain, whole);
  FUZZ_REQUIRE((*packed)->rewind().has_value());
  FUZZ_REQUIRE(read_some(**packed, packed_whole) == rows && packed_whole == whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn::fuzz::Input input(data, size);
  const auto flags = input.take<std::uint8_t>();
  const bool right = (flags & 1) != 0;
  std::vector<std::byte> file;
  const auto rest = input.rest();
  if (right) {
    const std::size_t first = (flags & 2) != 0 ? rest.size() / 2 : 0;
    if (first != 0) append_member(rest.first(first), file);
    append_member(rest.subspan(first), file);
  } else {
    file.assign(rest.begin(), rest.end());
  }
  const cairn::fuzz::ScratchFile stored(".idx.gz", file);
  if (auto source = open_gzip(stored.path())) {
    auto reader = VectorReader::open(stored.path());
    bool whole = false;
    if (reader) {
      const auto rows = read_some(**reader, whole);
      const bool was_whole = whole;
      if ((*reader)->rewind())
        FUZZ_REQUIRE(read_some(**reader, whole) == rows && whole == was_whole);
    }
    if (right) compare({rest.begin(), rest.end()}, reader);
  } else {
    FUZZ_REQUIRE(!right);
  }
  return 0;
}

// Every vector format, through the reader. The first byte chooses the format; the lowest bit of the
// second says whether the file's size is known (gzip's is not); the rest is the file, and is taken
// for a file's name as well.
#include <algorithm>
#include <memory>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/vector_reader.h"

namespace {

using namespace cairn::formats;

constexpr Format kFormats[] = {Format::fbin,  Format::u8bin, Format::i8bin, Format::fvecs,
                               Format::bvecs, Format::ivecs, Format::npy,   Format::idx};

/// Rows of a whole file; empty when reading ends in an error.
std::vector<std::byte> read_all(VectorReader& reader) {
  std::vector<std::byte> all, part(3 * reader.row_bytes());
  while (true) {
    const auto got = reader.read(part);
    if (!got) return {};
    FUZZ_REQUIRE(*got <= 3);
    if (*got == 0) return all;
    const auto bytes = static_cast<std::ptrdiff_t>(*got * reader.row_bytes());
    all.insert(all.end(), part.begin(), part.begin() + bytes);
  }
}

/// What was read is written and read again.
void round_trip(Format format, const VectorReader& reader, const std::vector<std::byte>& rows) {
  const auto header = make_header(format, reader.dtype(), reader.dim(), reader.count());
  FUZZ_REQUIRE(header.has_value());
  FUZZ_REQUIRE(!make_header(format, reader.dtype(), reader.dim(), 0));
  const bool any_type = format == Format::npy || format == Format::idx;
  const auto other = reader.dtype() == cairn::DType::u8 ? cairn::DType::i8 : cairn::DType::u8;
  FUZZ_REQUIRE(make_header(format, other, reader.dim(), 1).has_value() == any_type);
  std::vector<std::byte> file = encode_header(*header);
  std::vector<std::byte> raw(reader.count() * header->raw_row_bytes());
  FUZZ_REQUIRE(encode_rows(*header, rows, 0, raw).has_value());
  file.insert(file.end(), raw.begin(), raw.end());
  auto again = VectorReader::from_source(format, std::make_unique<MemorySource>(file), "again");
  FUZZ_REQUIRE(again.has_value());
  FUZZ_REQUIRE((*again)->dim() == reader.dim() && (*again)->count() == reader.count());
  FUZZ_REQUIRE(read_all(**again) == rows);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn::fuzz::Input input(data, size);
  const Format format = kFormats[input.take<std::uint8_t>() % std::size(kFormats)];
  const bool size_known = (input.take<std::uint8_t>() & 1) == 0;
  if (const auto kind = kind_of_path(input.text()))
    FUZZ_REQUIRE(!kind->gzip || kind->format == Format::idx);
  std::vector<std::byte> file(input.rest().begin(), input.rest().end());
  auto reader = VectorReader::from_source(
      format, std::make_unique<MemorySource>(std::move(file), size_known), "input");
  if (!reader) return 0;
  VectorReader& vectors = **reader;
  FUZZ_REQUIRE(vectors.count() >= 1);
  FUZZ_REQUIRE(vectors.dim() >= 1 && vectors.dim() <= cairn::kDimMax);
  const std::vector<std::byte> rows = read_all(vectors);
  if (rows.empty()) return 0;
  FUZZ_REQUIRE(rows.size() == vectors.count() * vectors.row_bytes());
  FUZZ_REQUIRE(vectors.rewind().has_value());
  FUZZ_REQUIRE(read_all(vectors) == rows);
  FUZZ_REQUIRE(!vectors.seek(vectors.count() + 1));
  round_trip(format, vectors, rows);
  return 0;
}

// Label files. The lowest bit of the first byte chooses the coding, the second byte is the number
// of labels wanted, the rest is the file.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/scratch_file.h"
#include "tests/tools/formats/memory_source.h"
#include "tools/formats/label_file.h"

namespace {

using namespace cairn::formats;

/// What was read, as text, is read as the same.
void round_trip(const std::vector<cairn::Label>& labels) {
  std::string text;
  for (const cairn::Label label : labels) text += std::to_string(label) + "\r\n";
  const auto bytes = std::as_bytes(std::span{text});
  MemorySource source(std::vector<std::byte>(bytes.begin(), bytes.end()));
  const auto again = read_labels(source, LabelCoding::text, labels.size(), "again");
  FUZZ_REQUIRE(again.has_value());
  FUZZ_REQUIRE(*again == labels);
}

/// Ranges of a file are what they are of the whole.
void ranges(std::span<const std::byte> file, LabelCoding coding, std::uint64_t count,
            const cairn::Result<std::vector<cairn::Label>>& all) {
  const cairn::fuzz::ScratchFile stored(coding == LabelCoding::text ? ".txt" : ".u64bin", file);
  auto reader = LabelReader::open(stored.path(), count);
  FUZZ_REQUIRE(reader.has_value() == all.has_value());
  const auto again = read_labels(stored.path(), count);
  FUZZ_REQUIRE(again.has_value() == all.has_value() && (!again || *again == *all));
  if (!reader) return;
  for (const std::uint64_t first : {count / 2, std::uint64_t{0}, count / 4}) {
    std::vector<cairn::Label> part(count - first);
    FUZZ_REQUIRE(reader->read(first, part).has_value());
    FUZZ_REQUIRE(std::equal(part.begin(), part.end(),
                            all->end() - static_cast<std::ptrdiff_t>(part.size())));
    reader->close();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn::fuzz::Input input(data, size);
  const LabelCoding coding =
      (input.take<std::uint8_t>() & 1) == 0 ? LabelCoding::text : LabelCoding::u64bin;
  const auto count = input.take<std::uint8_t>();
  MemorySource source(std::vector<std::byte>(input.rest().begin(), input.rest().end()));
  const auto labels = read_labels(source, coding, count, "input");
  ranges(input.rest(), coding, count, labels);
  if (!labels) return 0;
  FUZZ_REQUIRE(labels->size() == count);
  if (coding == LabelCoding::u64bin) FUZZ_REQUIRE(input.rest().size() == 8 + count * 8U);
  round_trip(*labels);
  return 0;
}

// Files of sealed pages: read as a stream, scanned, and gone on with. The first byte's lowest bit
// asks for right checksums; then come the shape of the file, what is asked of it, and edits of its
// bytes (see apply_edits).
#include <algorithm>

#include "io/page_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sealed.h"
#include "tests/sim/sim_fs.h"

namespace {

using namespace cairn;

constexpr char kPath[] = "file";

struct Case {
  bool sealed = false;
  io::PageFileId id;
  std::vector<std::byte> bytes;
  std::uint64_t stream_bytes = 0, offset = 0;
  std::size_t count = 0;

  explicit Case(fuzz::Input& input) {
    const auto flags = input.take<std::uint8_t>();
    sealed = (flags & 1) != 0;
    id = {.identity = 77, .generation = 3, .page_bytes = (flags & 2) != 0 ? 8192U : 4096U};
    // One page size of the manifest's that is none.
    if ((flags & 0x1c) == 0x1c) id.page_bytes = 100;
    bytes.resize(std::size_t{(flags >> 5U) % 4U} * 4096);
    if ((flags & 0x1c) == 4) bytes.resize(bytes.size() / 2 + 1);
    stream_bytes = input.take<std::uint16_t>();
    if ((flags & 0x1c) == 8) stream_bytes = ~stream_bytes;
    offset = input.take<std::uint16_t>();
    if ((flags & 0x1c) == 12) offset = ~offset;
    count = input.take<std::uint16_t>();
  }
  std::size_t pages() const { return bytes.size() / id.page_bytes; }
};

/// What the pages carry, taken apart by FORMAT.md alone.
std::vector<std::byte> payload_of(const Case& of) {
  std::vector<std::byte> payload;
  for (std::size_t at = 0; at < of.bytes.size(); at += of.id.page_bytes)
    payload.insert(payload.end(), of.bytes.begin() + static_cast<std::ptrdiff_t>(at) + 8,
                   of.bytes.begin() + static_cast<std::ptrdiff_t>(at + of.id.page_bytes));
  return payload;
}

void stream(const Case& of, const io::ReadFile& file) {
  auto reader = io::PageStreamReader::create(file, of.id, of.stream_bytes);
  if (!reader) return;
  FUZZ_REQUIRE(reader->stream_bytes() <= of.pages() * of.id.payload_bytes());
  std::vector<std::byte> into(of.count);
  const Status read = reader->read(of.offset, into);
  if (!read) {
    // Right pages are refused for a range outside the stream alone.
    FUZZ_REQUIRE(!of.sealed || !reader->check_range(of.offset, of.count));
    return;
  }
  const auto payload = payload_of(of);
  FUZZ_REQUIRE(of.count <= of.stream_bytes && of.offset <= of.stream_bytes - of.count);
  if (of.count == 0) return;
  FUZZ_REQUIRE(std::memcmp(into.data(), payload.data() + of.offset, of.count) == 0);
  const std::size_t each = of.id.payload_bytes();
  for (auto page = of.offset / each; page <= (of.offset + of.count - 1) / each; ++page)
    FUZZ_REQUIRE(fuzz::is_sealed(of.bytes, of.id, page));
}

void scan(const Case& of, const io::ReadFile& file) {
  std::uint64_t visited = 0, bad = 0;
  const auto sealed = [&](std::uint64_t page) { return fuzz::is_sealed(of.bytes, of.id, page); };
  const auto summary = io::scan_pages(
      file, of.id,
      [&](std::uint64_t number, std::span<const std::byte> page) {
        FUZZ_REQUIRE(page.size() == of.id.page_bytes && sealed(number));
        ++visited;
        return Status{};
      },
      [&](const Error& error) {
        FUZZ_REQUIRE(error.code == ErrorCode::corrupt && error.block && !sealed(*error.block));
        ++bad;
        return Status{};
      });
  if (!summary) return;
  FUZZ_REQUIRE(summary->pages == of.pages() && visited + bad == summary->pages);
  FUZZ_REQUIRE(bad == 0 || !of.sealed);
  if (of.sealed) FUZZ_REQUIRE(summary->digest == fuzz::digest_of(of.bytes, of.id.page_bytes));
}

/// Goes on with the file where a checkpoint of `pages` pages and a tail left it, to its end.
void resume(const Case& of, sim::SimFs& fs, io::PageWriterState state) {
  const std::vector<std::byte> tail = state.tail;
  auto writer = io::PageWriter::resume(fs, kPath, of.id, state);
  if (!writer) return;
  const auto summary = writer->finish();
  FUZZ_REQUIRE(summary.has_value() && summary->stream_bytes == state.stream_bytes);
  const auto file = fs.open(kPath, false);
  FUZZ_REQUIRE(file.has_value());
  const auto again = io::scan_pages(**file, of.id, {});
  FUZZ_REQUIRE(again && again->pages == summary->pages && again->digest == summary->digest);
  if (state.stream_bytes == 0) return;
  auto reader = io::PageStreamReader::create(**file, of.id, state.stream_bytes);
  FUZZ_REQUIRE(reader.has_value());
  std::vector<std::byte> end(tail.size());
  FUZZ_REQUIRE(reader->read(state.stream_bytes - tail.size(), end).has_value() && end == tail);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Case of(input);
  io::PageWriterState state{.pages = input.take<std::uint8_t>(), .stream_bytes = 0, .tail = {}};
  const auto tail = input.take_bytes(input.take<std::uint8_t>());
  state.tail.assign(tail.begin(), tail.end());
  const auto off = input.take<std::uint8_t>();  // 0: as the state has it
  if (!tail.empty() || off != 0)
    state.stream_bytes = state.pages * of.id.payload_bytes() + tail.size() + off;
  fuzz::apply_edits(input, of.bytes);
  if (of.id.page_bytes % 4096 != 0) of.sealed = false;
  if (of.sealed) {
    of.bytes.resize(of.pages() * of.id.page_bytes);
    fuzz::seal_pages(of.bytes, of.id);
  }
  sim::SimFs fs;
  FUZZ_REQUIRE(fs.create(kPath).has_value());
  fs.set_bytes(kPath, of.bytes);
  const auto file = fs.open(kPath, false);
  FUZZ_REQUIRE(file.has_value());
  stream(of, **file);
  scan(of, **file);
  resume(of, fs, std::move(state));
  return 0;
}

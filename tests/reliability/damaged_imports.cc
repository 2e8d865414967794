// Indexes of other libraries, damaged: every one is refused with an error that names the file, or
// reads to its end; no decoder allocates more than twice the file and 64 MiB.
//
//   damaged_imports FORMAT DIM DTYPE FILE [FLIPS]
//
// Every bit of the first 512 bytes, words there that lie (2^31, 2^32, 2^63 - 1, 0, all ones), the
// file cut at every byte of its first 4 KiB and at every 4 KiB behind, FLIPS changes of one to four
// bytes anywhere (default 300). DIM and DTYPE are what hnswlib wants to be told.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "tests/tools/formats/memory_source.h"
#include "tools/formats/faiss_reader.h"
#include "tools/formats/hnswlib_reader.h"
#include "tools/formats/usearch_reader.h"

namespace {

std::atomic<std::size_t> held_bytes{0}, peak_bytes{0};

void* taken(void* at) {
  if (at == nullptr) throw std::bad_alloc();
  const std::size_t now = held_bytes += malloc_usable_size(at);
  if (now > peak_bytes) peak_bytes = now;
  return at;
}

void given(void* at) noexcept {
  if (at != nullptr) held_bytes -= malloc_usable_size(at);
  std::free(at);
}

}  // namespace

void* operator new(std::size_t bytes) { return taken(std::malloc(bytes == 0 ? 1 : bytes)); }
void* operator new(std::size_t bytes, std::align_val_t align) {
  const auto to = static_cast<std::size_t>(align);
  return taken(std::aligned_alloc(to, (bytes + to - 1) / to * to));
}
void operator delete(void* at) noexcept { given(at); }
void operator delete(void* at, std::size_t) noexcept { given(at); }
void operator delete(void* at, std::align_val_t) noexcept { given(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { given(at); }

namespace {

using namespace cairn;
using namespace cairn::formats;

constexpr std::size_t kHeadBytes = 512, kStepBytes = 4096;
constexpr std::size_t kAllowedBytes = std::size_t{64} << 20;

struct Campaign {
  std::string format, file;
  HnswlibShape shape;
  std::vector<std::byte> bytes;  // damaged in place, and mended
  std::uint64_t refused = 0, read = 0, failed = 0;
  std::size_t most_bytes = 0;

  Result<std::unique_ptr<IndexReader>> open(std::span<const std::byte> data) const {
    const OpenSource source = [data]() -> Result<std::unique_ptr<ByteSource>> {
      return std::make_unique<ViewSource>(data);
    };
    if (format == "hnswlib") return open_hnswlib(source, file, shape);
    if (format == "faiss") return open_faiss(source, file);
    return open_usearch(source, file);
  }

  Status read_all(IndexReader& reader) const {
    const IndexFacts& facts = reader.facts();
    constexpr std::uint64_t kAtOnce = 64;
    for (std::uint64_t first = 0; first < facts.elements; first += kAtOnce) {
      const std::uint64_t count = std::min(kAtOnce, facts.elements - first);
      std::vector<std::byte> rows(count * facts.row_bytes());
      std::vector<Label> labels(facts.labelled ? count : 0);
      CAIRN_TRY(reader.read(first, rows, labels));
      std::vector<std::uint32_t> links(count * facts.links_max);
      if (facts.links_max != 0) CAIRN_TRY(reader.read_links(first, links));
      for (const std::uint32_t link : links)
        if (link != kNoElement && link >= facts.elements)
          return fail(ErrorCode::invalid_argument, "a link beyond the elements was handed out");
    }
    return {};
  }

  void attempt(std::span<const std::byte> data, const std::string& what) {
    const std::size_t before = held_bytes;
    peak_bytes = before;
    auto reader = open(data);
    const Status status = reader ? read_all(**reader) : Status(fail(std::move(reader).error()));
    if (reader) reader->reset();
    const std::size_t used = peak_bytes - before;
    most_bytes = std::max(most_bytes, used);
    const std::string text = status ? "" : status.error().to_string();
    const bool clear =
        status ||
        (text.find(file) != std::string::npos &&
         (text.find("found") != std::string::npos || text.find("expected") != std::string::npos));
    ++(status ? read : refused);
    if (clear && used <= 2 * bytes.size() + kAllowedBytes) return;
    ++failed;
    std::printf("FAILED: %s: %zu bytes held, '%s'\n", what.c_str(), used, text.c_str());
  }

  void flip_heads() {
    for (std::size_t at = 0; at < std::min(kHeadBytes, bytes.size()); ++at)
      for (int bit = 0; bit < 8; ++bit) {
        bytes[at] ^= std::byte{1} << bit;
        attempt(bytes, "bit " + std::to_string(bit) + " of byte " + std::to_string(at));
        bytes[at] ^= std::byte{1} << bit;
      }
  }

  void lie() {
    for (const std::uint64_t lie : {std::uint64_t{1} << 31, std::uint64_t{1} << 32,
                                    ~std::uint64_t{0} >> 1, std::uint64_t{0}, ~std::uint64_t{0}})
      for (const std::size_t width : {std::size_t{4}, std::size_t{8}})
        for (std::size_t at = 0; at + width <= std::min(kHeadBytes, bytes.size()); ++at) {
          std::byte was[8];
          std::memcpy(was, bytes.data() + at, width);
          std::memcpy(bytes.data() + at, &lie, width);
          attempt(bytes, std::to_string(lie) + " at byte " + std::to_string(at));
          std::memcpy(bytes.data() + at, was, width);
        }
  }

  void cut() {
    for (std::size_t end = 0; end < bytes.size(); end += end < kStepBytes ? 1 : kStepBytes) {
      const std::uint64_t read_before = read;
      attempt(std::span(bytes).first(end), "cut at " + std::to_string(end));
      if (read == read_before) continue;
      ++failed;
      std::printf("FAILED: cut at %zu was read as a whole\n", end);
    }
  }

  void flip_anywhere(std::uint64_t flips) {
    std::mt19937_64 random(1);
    for (std::uint64_t i = 0; i < flips; ++i) {
      const std::size_t width = std::min<std::size_t>(1 + random() % 4, bytes.size());
      const std::size_t at = random() % (bytes.size() - width + 1);
      std::byte was[4];
      std::memcpy(was, bytes.data() + at, width);
      for (std::size_t j = 0; j < width; ++j) bytes[at + j] ^= static_cast<std::byte>(random());
      attempt(bytes, "flip " + std::to_string(i) + " at byte " + std::to_string(at));
      std::memcpy(bytes.data() + at, was, width);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || !parse_dtype(argv[3])) {
    std::puts("usage: damaged_imports hnswlib|faiss|usearch DIM DTYPE FILE [FLIPS]");
    return 2;
  }
  Campaign campaign{
      .format = argv[1],
      .file = argv[4],
      .shape = {static_cast<std::uint32_t>(std::atoi(argv[2])), *parse_dtype(argv[3])},
      .bytes = {}};
  std::ifstream in(campaign.file, std::ios::binary);
  const std::vector<char> raw(std::istreambuf_iterator<char>(in), {});
  campaign.bytes.resize(raw.size());
  if (!raw.empty()) std::memcpy(campaign.bytes.data(), raw.data(), raw.size());
  campaign.attempt(campaign.bytes, "undamaged");
  if (campaign.read != 1) {
    std::puts("the file cannot be read undamaged");
    return 1;
  }
  campaign.flip_heads();
  campaign.lie();
  campaign.cut();
  campaign.flip_anywhere(argc > 5 ? std::strtoull(argv[5], nullptr, 10) : 300);
  std::printf(
      "%s: %zu bytes: %llu refused, %llu read to the end, %llu failed; at most %zu KiB held\n",
      campaign.file.c_str(), campaign.bytes.size(),
      static_cast<unsigned long long>(campaign.refused),
      static_cast<unsigned long long>(campaign.read),
      static_cast<unsigned long long>(campaign.failed), campaign.most_bytes >> 10);
  return campaign.failed == 0 ? 0 : 1;
}

// Every bit in turn: of all pages through the page verifier, of all metadata through open and
// search.
#include <cstdio>
#include <map>

#include "engine/search/index_folder.h"
#include "layout/page.h"
#include "tests/reliability/corruption.h"

namespace cairn::reliability {
namespace {

constexpr std::uint64_t kIndexBytesMin = 4u << 20;

void flip(std::span<std::byte> bytes, std::uint64_t bit) {
  bytes[bit / 8] ^= std::byte{1} << (bit % 8);
}

/// Flips that the verifier of pages misses.
std::uint64_t flip_file(const SimIndex& index, const layout::FileRecord& record,
                        std::uint64_t stride, std::uint64_t& flips) {
  std::vector<std::byte> bytes = index.bytes_of(record);
  std::uint64_t missed = 0, at = flips % stride;
  for (std::uint64_t page = 0; page < record.pages; ++page) {
    const auto one = std::span(bytes).subspan(page * record.page_bytes, record.page_bytes);
    const layout::PageId id = search::page_file_id(record).page(page);
    if (!layout::check_page(one, id)) {
      std::printf("WRONG: a whole page %llu of %s\n", number(page),
                  SimIndex::path_of(record).c_str());
      ++missed;
    }
    for (; at < one.size() * 8; at += stride) {
      flip(one, at);
      if (layout::check_page(one, id)) {
        std::printf("WRONG: bit %llu of page %llu of %s is missed\n", number(at), number(page),
                    SimIndex::path_of(record).c_str());
        ++missed;
      }
      flip(one, at);
      ++flips;
    }
    at -= one.size() * 8;
  }
  return missed;
}

/// Flips of one file through open and search, in both ways to hold the index in memory; of its
/// first `dense` bits each, whatever the stride.
void flip_through_search(const SimIndex& index, const Asker& asker, const std::string& path,
                         std::uint64_t dense, std::uint64_t stride, Tally& tally) {
  const std::vector<std::byte> whole = index.fs().bytes(path);
  std::vector<std::byte> bytes = whole;
  const Tally before = tally;
  const std::uint64_t first = tally.total() % stride;
  for (std::uint64_t bit = 0; bit < whole.size() * 8; ++bit) {
    if (bit >= dense && bit % stride != first) continue;
    flip(bytes, bit);
    index.fs().set_bytes(path, bytes);
    const Held held = tally.total() % 5 == 0 ? Held::lean : Held::whole;
    tally.add(asker.ask(index.fs(), kSimFolder, held, false, {.places = {{path}}}),
              "bit " + std::to_string(bit) + " of " + path);
    flip(bytes, bit);
  }
  index.fs().set_bytes(path, whole);
  std::printf("    %-24s %9zu bytes: %llu refused, %llu without effect\n", path.c_str(),
              whole.size(), number(tally.refused - before.refused),
              number(tally.harmless - before.harmless));
}

}  // namespace

PartResult flip_pages(const CorruptionOptions& options) {
  SimIndexSpec spec = small_spec(options.seed);
  // Every stride-th bit of an index of a size to match.
  spec.vectors.count = options.stride == 1 ? 21'000 : 2'000;
  spec.vectors.dim = 32;
  spec.build.degree = 48;
  spec.build.refine_layers = {8, 24};
  const SimIndex index(spec);
  std::uint64_t flips = 0, missed = 0, bytes = 0;
  std::map<std::string, std::uint64_t> roles;
  for (const layout::FileRecord& record : index.manifest().files) {
    bytes += record.pages * record.page_bytes;
    roles[std::string(layout::role_name(search::role_of(record)))] += record.pages;
    missed += flip_file(index, record, options.stride, flips);
  }
  std::string pages;
  for (const auto& [role, count] : roles) pages += " " + role + " " + std::to_string(count);
  std::printf(
      "  pages: seed %llu: %llu flips of single bits in %llu bytes (pages:%s): %llu missed\n",
      number(options.seed), number(flips), number(bytes), pages.c_str(), number(missed));
  if (roles.size() != static_cast<std::size_t>(layout::kRoleMax))
    return std::puts("WRONG: the index has not all kinds of files"), PartResult{flips, missed + 1};
  if (options.stride == 1 && bytes < kIndexBytesMin)
    return std::puts("WRONG: the index is too small"), PartResult{flips, missed + 1};
  return {flips, missed};
}

PartResult flip_metadata(const CorruptionOptions& options) {
  SimIndexSpec spec = small_spec(options.seed);
  spec.vectors.count = 300;
  spec.vectors.dim = 4;
  spec.vectors.queries = 3;
  spec.build.code_bytes = 2;
  spec.build.refine_layers = {1, 1};
  spec.build.degree = 12;
  spec.build.nav_edges = 8;
  const KnownIndex known("tiny", spec);
  const SimIndex& index = known.index();
  const Asker asker(known);
  Tally tally;
  std::uint64_t bytes = 0;
  std::vector<std::string> paths = {std::string(kSimFolder) + "/" + layout::kManifestName};
  for (const layout::FileRecord& record : index.manifest().files)
    if (search::role_of(record) != layout::Role::blocks) paths.push_back(SimIndex::path_of(record));
  for (const std::string& path : paths) {
    bytes += index.fs().bytes(path).size();
    // What the fields of the manifest say decides who is blamed, whatever the checksum.
    const bool manifest = path == paths.front();
    const std::uint64_t dense = manifest ? sizeof(layout::ManifestHeader) * 8 : 0;
    flip_through_search(index, asker, path, dense, options.stride, tally);
  }
  check_healed(asker, index.fs(), kSimFolder, tally);
  std::printf(
      "  metadata: seed %llu: %llu flips of single bits in %llu bytes of %zu files through open "
      "and "
      "search: %llu refused, %llu without effect, %llu wrong\n",
      number(options.seed), number(tally.total()), number(bytes), paths.size(),
      number(tally.refused), number(tally.harmless), number(tally.wrong));
  return {tally.total(), tally.wrong + (tally.refused == 0)};
}

}  // namespace cairn::reliability

// Reads an index of another library that opening took for whole: all of it must be readable and
// keep the promises of IndexReader.
#pragma once

#include <algorithm>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tools/formats/index_reader.h"

namespace cairn::fuzz {

/// Links of elements [first, first + count).
inline void read_links(formats::IndexReader& reader, std::uint64_t first, std::size_t count) {
  const std::size_t most = reader.facts().links_max;
  std::vector<std::uint32_t> links(count * most);
  FUZZ_REQUIRE(reader.read_links(first, links).has_value());
  for (std::size_t at = 0; at < links.size(); at += most) {
    const auto row = std::span(links).subspan(at, most);
    const auto end = std::ranges::find(row, formats::kNoElement);
    FUZZ_REQUIRE(std::all_of(end, row.end(), [](auto x) { return x == formats::kNoElement; }));
    FUZZ_REQUIRE(
        std::all_of(row.begin(), end, [&](auto x) { return x < reader.facts().elements; }));
  }
}

inline void read_index(formats::IndexReader& reader, std::uint64_t file_bytes) {
  const formats::IndexFacts& facts = reader.facts();
  FUZZ_REQUIRE(facts.dim >= 1 && facts.dim <= kDimMax);
  FUZZ_REQUIRE(facts.elements <= file_bytes && facts.deleted <= facts.elements);
  constexpr std::uint64_t kStep = 5;
  std::uint64_t deleted = 0;
  for (std::uint64_t first = 0; first < facts.elements; first += kStep) {
    const auto count = static_cast<std::size_t>(std::min(kStep, facts.elements - first));
    std::vector<std::byte> vectors(count * facts.row_bytes());
    std::vector<Label> labels(facts.labelled ? count : 0);
    FUZZ_REQUIRE(reader.read(first, vectors, labels).has_value());
    if (facts.links_max != 0) read_links(reader, first, count);
    for (std::uint64_t i = first; i < first + count; ++i) deleted += reader.deleted(i) ? 1 : 0;
  }
  FUZZ_REQUIRE(deleted == facts.deleted);
  if (facts.elements != 0 && facts.links_max != 0) read_links(reader, facts.elements / 2, 1);
}

}  // namespace cairn::fuzz

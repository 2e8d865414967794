#include "tools/compare/same_vectors.h"

#include <algorithm>
#include <vector>

namespace cairn::tools {
namespace {

/// Compares element `at`, or the next one that is not deleted.
Status look_at(const Index& index, formats::IndexReader& reader, std::uint64_t at,
               SameVectors& same) {
  const formats::IndexFacts& facts = reader.facts();
  while (at < facts.elements && reader.deleted(at)) ++at;
  if (at == facts.elements) return {};
  std::vector<std::byte> vector(facts.row_bytes());
  Label label = at;
  CAIRN_TRY(reader.read(at, vector, {&label, facts.labelled ? std::size_t{1} : std::size_t{0}}));
  ++same.looked_at;
  auto ours = index.get(label);
  if (!ours && ours.error().code == ErrorCode::not_found) return {};
  if (!ours) return fail(std::move(ours.error()));
  ++same.found;
  same.equal += *ours == vector ? 1 : 0;
  return {};
}

}  // namespace

Result<SameVectors> look_for_same(const Index& index, formats::IndexReader& reader,
                                  const std::string& path, std::uint64_t elements_max) {
  const std::uint64_t elements = reader.facts().elements;
  const std::uint64_t count = std::min(elements, elements_max);
  SameVectors same;
  for (std::uint64_t i = 0; i < count; ++i)
    CAIRN_TRY(look_at(index, reader, elements / count * i, same));
  if (same.found != 0 && same.equal * 2 < same.found)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "compare by the vectors under the labels",
                 .file = path,
                 .found = std::to_string(same.equal) + " of " + std::to_string(same.found) +
                          " looked at equal to the index's",
                 .expected = "the file that the index was imported from"});
  if (same.found != 0) return same;
  return fail({.code = ErrorCode::invalid_argument,
               .what = "compare with the labels",
               .file = path,
               .found = "none of " + std::to_string(same.looked_at) + " looked at in the index",
               .expected = "the file that the index was imported from, under its labels"});
}

}  // namespace cairn::tools

#include "tests/tools/formats/index_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/io/io_test_util.h"
#include "tests/tools/formats/memory_source.h"

namespace cairn::formats {

using io::must;

void PrintTo(const Element& element, std::ostream* out) {
  *out << "label " << element.label << (element.deleted ? ", deleted" : "")
       << (element.upper ? ", upper" : "") << ", links" << testing::PrintToString(element.links)
       << ", vector" << testing::PrintToString(element.vector);
}

OpenSource source_of_bytes(Bytes bytes) {
  return [bytes = std::move(bytes)]() -> Result<std::unique_ptr<ByteSource>> {
    return std::make_unique<MemorySource>(bytes);
  };
}

namespace {

Status read_some(IndexReader& reader, std::uint64_t first, std::size_t count,
                 std::vector<Element>& into) {
  const IndexFacts& facts = reader.facts();
  Bytes vectors(count * facts.row_bytes());
  std::vector<Label> labels(facts.labelled ? count : 0);
  std::vector<std::uint32_t> links(count * facts.links_max);
  CAIRN_TRY(reader.read(first, vectors, labels));
  if (facts.links_max != 0) CAIRN_TRY(reader.read_links(first, links));
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = std::span(vectors).subspan(i * facts.row_bytes(), facts.row_bytes());
    const auto list = std::span(links).subspan(i * facts.links_max, facts.links_max);
    const auto end = std::ranges::find(list, kNoElement);
    EXPECT_TRUE(std::all_of(end, list.end(), [](auto link) { return link == kNoElement; }));
    EXPECT_TRUE(std::all_of(list.begin(), end, [&](auto link) { return link < facts.elements; }));
    into.push_back({.label = facts.labelled ? labels[i] : first + i,
                    .deleted = reader.deleted(first + i),
                    .upper = reader.upper(first + i),
                    .links = {list.begin(), end},
                    .vector = {row.begin(), row.end()}});
  }
  return {};
}

}  // namespace

Result<std::vector<Element>> read_all(IndexReader& reader, std::uint64_t step) {
  std::vector<Element> elements;
  const std::uint64_t count = reader.facts().elements;
  for (std::uint64_t first = 0; first < count; first += step)
    CAIRN_TRY(read_some(reader, first, static_cast<std::size_t>(std::min(step, count - first)),
                        elements));
  return elements;
}

Bytes read_golden(const std::string& name) {
  std::ifstream file(CAIRN_GOLDEN "/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return Sample{}.text(text).bytes();
}

std::vector<Element> read_expected(const std::string& name) {
  std::ifstream file(CAIRN_GOLDEN "/" + name);
  EXPECT_TRUE(file) << name;
  std::vector<Element> elements;
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    Element element;
    int level = 0;
    std::string word, vector;
    in >> element.label >> element.deleted >> level >> word;
    element.upper = level > 0;
    while (in >> word && word != ")")
      element.links.push_back(static_cast<std::uint32_t>(std::stoul(word)));
    in >> vector;
    for (std::size_t i = 0; i + 1 < vector.size(); i += 2)
      element.vector.push_back(
          static_cast<std::byte>(std::stoul(vector.substr(i, 2), nullptr, 16)));
    elements.push_back(std::move(element));
  }
  return elements;
}

void expect_elements(IndexReader& reader, const std::vector<Element>& expected) {
  ASSERT_EQ(reader.facts().elements, expected.size());
  EXPECT_EQ(reader.facts().deleted,
            static_cast<std::uint64_t>(std::ranges::count(expected, true, &Element::deleted)));
  EXPECT_EQ(must(read_all(reader)), expected);
  EXPECT_EQ(must(read_all(reader, expected.size() + 1)), expected);
  for (std::size_t i = expected.size(); i-- > 0;) {
    std::vector<Element> one;
    EXPECT_TRUE(io::ok(read_some(reader, i, 1, one)));
    EXPECT_EQ(one, std::vector{expected[i]}) << i;
  }
}

void expect_refused(const OpenIndex& open, const Bytes& file, ErrorCode code,
                    const std::string& found, const std::string& expected) {
  const auto reader = open(source_of_bytes(file));
  ASSERT_FALSE(reader) << found;
  const Error& error = reader.error();
  EXPECT_EQ(error.code, code) << error.to_string();
  EXPECT_EQ(error.file, "x");
  EXPECT_NE((error.what + ": " + error.found).find(found), std::string::npos) << error.to_string();
  EXPECT_NE(error.expected.find(expected), std::string::npos) << error.to_string();
}

void expect_exact_length(const OpenIndex& open, const Bytes& file) {
  for (std::size_t length = 0; length <= file.size() + 1; ++length) {
    Bytes other = file;
    other.resize(length);
    const auto reader = open(source_of_bytes(other));
    EXPECT_EQ(reader.has_value(), length == file.size()) << length;
    if (!reader) {
      EXPECT_EQ(reader.error().code, ErrorCode::corrupt) << reader.error().to_string();
    }
  }
}

int flip_bytes(const OpenIndex& open, const Bytes& file, std::size_t first, std::size_t last) {
  const auto original = must(open(source_of_bytes(file)));
  const auto whole = must(read_all(*original));
  int refused = 0;
  for (std::size_t at = first; at < last; ++at) {
    for (const unsigned change : {0x01u, 0x02u, 0x10u, 0x40u, 0x80u, 0xffu}) {
      Bytes other = file;
      other[at] ^= static_cast<std::byte>(change);
      const auto reader = open(source_of_bytes(other));
      if (reader) {
        EXPECT_EQ(must(read_all(**reader)), whole) << "byte " << at << " changed by " << change;
        EXPECT_EQ((*reader)->facts().metric, original->facts().metric) << "byte " << at;
        continue;
      }
      ++refused;
      EXPECT_FALSE(reader.error().found.empty() || reader.error().expected.empty() ||
                   reader.error().file.empty())
          << reader.error().to_string();
    }
  }
  return refused;
}

}  // namespace cairn::formats

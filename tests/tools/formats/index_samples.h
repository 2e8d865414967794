// Indexes of other libraries in tests: all that a reader gives, what a golden file should give, and
// files that are damaged.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/tools/formats/format_samples.h"
#include "tools/formats/index_reader.h"

namespace cairn::formats {

struct Element {
  Label label = 0;
  bool deleted = false, upper = false;
  std::vector<std::uint32_t> links;
  Bytes vector;

  bool operator==(const Element&) const = default;
};
void PrintTo(const Element& element, std::ostream* out);

/// Opens a reader of what is in the source.
using OpenIndex = std::function<Result<std::unique_ptr<IndexReader>>(const OpenSource& open)>;

OpenSource source_of_bytes(Bytes bytes);

/// Every element, `step` at a time. Checks what IndexReader promises of links.
Result<std::vector<Element>> read_all(IndexReader& reader, std::uint64_t step = 7);

Bytes read_golden(const std::string& name);
/// Of a golden file of text, a line an element: "label deleted level ( links ) vector", the vector
/// in hexadecimal.
std::vector<Element> read_expected(const std::string& name);

/// The index reads as `expected`, whether in order, one by one from the end, or all at once.
void expect_elements(IndexReader& reader, const std::vector<Element>& expected);

/// Opening ends in an error of `code` that names file "x" and holds both words.
void expect_refused(const OpenIndex& open, const Bytes& file, ErrorCode code,
                    const std::string& found, const std::string& expected);

/// Every shorter file is refused, and a longer one.
void expect_exact_length(const OpenIndex& open, const Bytes& file);

/// Each byte of [first, last) changed in several ways: opening refuses it and says what it found
/// and expected, or all reads as it did. Returns how many were refused.
int flip_bytes(const OpenIndex& open, const Bytes& file, std::size_t first, std::size_t last);

}  // namespace cairn::formats

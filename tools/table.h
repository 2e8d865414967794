// A table for people: a header, rows of text, numbers aligned right.
#pragma once

#include <string>
#include <vector>

namespace cairn::tools {

class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  /// As many cells as the header has.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// The first column is aligned left and the others right; two spaces between; ends in a newline.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cairn::tools

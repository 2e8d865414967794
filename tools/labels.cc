#include "tools/labels.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <fstream>

namespace cairn::tools {
namespace {

tl::unexpected<Error> bad(const std::string& path, std::string found, std::string expected) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = "read labels",
               .file = path,
               .found = std::move(found),
               .expected = std::move(expected)});
}

Result<std::vector<Label>> read_binary(const std::string& path, std::ifstream& file,
                                       std::uint64_t count) {
  std::uint32_t header[2] = {};
  file.read(reinterpret_cast<char*>(header), sizeof header);
  if (!file || header[0] != count || header[1] != 1)
    return bad(path, "a header of " + std::to_string(header[0]) + " x " + std::to_string(header[1]),
               std::to_string(count) + " x 1");
  std::vector<Label> labels(count);
  file.read(reinterpret_cast<char*>(labels.data()),
            static_cast<std::streamsize>(labels.size() * sizeof(Label)));
  if (!file || file.peek() != std::ifstream::traits_type::eof())
    return bad(path, "another length", std::to_string(8 + count * 8) + " bytes");
  return labels;
}

Result<std::vector<Label>> read_text(const std::string& path, std::ifstream& file,
                                     std::uint64_t count) {
  std::vector<Label> labels;
  std::string line;
  while (std::getline(file, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    Label label = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), label);
    if (error != std::errc{} || end != line.data() + line.size())
      return bad(path, fmt::format("'{}' in line {}", line.substr(0, 40), labels.size() + 1),
                 "a whole number below 2^64");
    if (labels.size() == count)
      return bad(path, "more than " + std::to_string(count) + " lines", "one a vector");
    labels.push_back(label);
  }
  if (labels.size() != count)
    return bad(path, std::to_string(labels.size()) + " labels", std::to_string(count));
  return labels;
}

}  // namespace

Result<std::vector<Label>> read_labels(const std::string& path, std::uint64_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail({.code = ErrorCode::not_found, .what = "open labels", .file = path});
  return path.ends_with(".u64bin") ? read_binary(path, file, count) : read_text(path, file, count);
}

}  // namespace cairn::tools

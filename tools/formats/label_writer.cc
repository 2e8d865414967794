#include "tools/formats/label_writer.h"

#include <array>
#include <limits>

#include "tools/formats/bytes.h"
#include "tools/formats/output_file.h"

namespace cairn::formats {
namespace {

constexpr std::size_t kTextAtOnceBytes = std::size_t{1} << 20;

Status append_text(OutputFile& file, std::span<const Label> labels) {
  std::string text;
  for (const Label label : labels) {
    text += std::to_string(label) + "\n";
    if (text.size() < kTextAtOnceBytes) continue;
    CAIRN_TRY(file.append(std::as_bytes(std::span(text))));
    text.clear();
  }
  return file.append(std::as_bytes(std::span(text)));
}

Status append_binary(OutputFile& file, std::span<const Label> labels) {
  if (labels.size() > std::numeric_limits<std::uint32_t>::max())
    return fail({.code = ErrorCode::over_limit,
                 .what = "write",
                 .file = file.path(),
                 .found = std::to_string(labels.size()) + " labels",
                 .expected = "at most 2^32 - 1, or a name that does not end in .u64bin"});
  std::array<std::byte, 8> head;
  store_u32(head.data(), static_cast<std::uint32_t>(labels.size()));
  store_u32(head.data() + 4, 1);
  CAIRN_TRY(file.append(head));
  return file.append(std::as_bytes(labels));
}

}  // namespace

Status write_labels(const std::string& path, std::span<const Label> labels) {
  CAIRN_ASSIGN(const auto file, OutputFile::create(path));
  CAIRN_TRY(path.ends_with(".u64bin") ? append_binary(*file, labels) : append_text(*file, labels));
  return file->commit();
}

}  // namespace cairn::formats

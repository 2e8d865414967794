#include "engine/build/replace_calibration.h"

#include <charconv>
#include <span>
#include <utility>
#include <vector>

#include "engine/build/index_files.h"
#include "engine/build/publish_manifest.h"
#include "engine/search/index_folder.h"
#include "io/page_file.h"

namespace cairn::build {
namespace {

using layout::Role;

class Replacement {
 public:
  Replacement(io::Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}

  Result<layout::Manifest> run(const layout::Calibration& calibration) {
    const std::vector<std::byte> stream = layout::encode_calibration(calibration);
    CAIRN_TRY(check(stream));
    {
      CAIRN_ASSIGN(const auto opened, search::IndexFolder::open(fs_, folder_));
      manifest_ = opened.manifest();
    }
    CAIRN_TRY(check_writable());
    CAIRN_TRY(remove_strays());
    CAIRN_TRY(write_calibration(stream));
    manifest_.header.sequence += 1;
    manifest_.header.compatible |= layout::kCompatibleCalibration;
    CAIRN_ASSIGN(manifest_, publish_manifest(fs_, folder_, manifest_));
    // What is left of the file before is no error of this call: the next one tries again.
    static_cast<void>(remove_strays());
    return std::move(manifest_);
  }

 private:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  /// An index whose calibration no reader takes could not be opened any more.
  Status check(std::span<const std::byte> stream) const {
    auto read = layout::decode_calibration(stream);
    if (read) return {};
    Error error = std::move(read).error();
    error.code = ErrorCode::unsupported;
    error.what = "publish a calibration that no reader takes";
    return fail(std::move(error).in_file(folder_));
  }

  /// What a bit that is not known stands for would be lost.
  Status check_writable() const {
    const std::uint64_t unknown = manifest_.header.readable & ~layout::kKnownReadable;
    if (unknown == 0) return {};
    return fail({.code = ErrorCode::unsupported,
                 .what = "write to an index of a newer format",
                 .file = folder_,
                 .found = "readable feature bits " + std::to_string(unknown),
                 .expected = "none but " + std::to_string(layout::kKnownReadable)});
  }

  Status write_calibration(std::span<const std::byte> stream) {
    layout::ManifestHeader& header = manifest_.header;
    std::erase_if(manifest_.files, [](const layout::FileRecord& file) {
      return search::role_of(file) == Role::calibration;
    });
    const std::uint64_t number = header.next_file_number++;
    layout::FileRecord record =
        new_file_record(header.index_id, Role::calibration, number,
                        manifest_.segments.front().segment, layout::kPageBytes);
    const std::string to = path(layout::file_name(number, Role::calibration));
    // A crash may have left one of this number: no manifest names it, not even one that is pinned.
    CAIRN_ASSIGN(const bool left, fs_.exists(to));
    if (left) CAIRN_TRY(fs_.remove(to));
    CAIRN_ASSIGN(auto writer, io::PageWriter::create(fs_, to, search::page_file_id(record)));
    CAIRN_TRY(writer.append_stream(stream));
    CAIRN_ASSIGN(const io::PageFileSummary summary, writer.finish());
    fill_record(record, summary);
    manifest_.files.push_back(record);
    return {};
  }

  /// Calibrations that the manifest does not name, unless an older manifest may be in use.
  Status remove_strays() {
    CAIRN_ASSIGN(const bool pinned,
                 fs_.is_any_pinned(path(layout::kPinsName), manifest_.header.sequence));
    if (pinned) return {};
    CAIRN_ASSIGN(const auto names, fs_.list(folder_));
    for (const std::string& name : names) {
      std::uint64_t number = 0;
      const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
      if (parsed.ec != std::errc{} || name != layout::file_name(number, Role::calibration))
        continue;
      const layout::FileRecord* named = manifest_.calibration();
      if (named == nullptr || named->number != number) CAIRN_TRY(fs_.remove(path(name)));
    }
    return {};
  }

  io::Fs& fs_;
  std::string folder_;
  layout::Manifest manifest_;
};

}  // namespace

Result<layout::Manifest> replace_calibration(io::Fs& fs, const std::string& folder,
                                             const layout::Calibration& calibration) {
  return Replacement(fs, folder).run(calibration);
}

}  // namespace cairn::build

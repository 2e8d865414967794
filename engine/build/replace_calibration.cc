#include "engine/build/replace_calibration.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "engine/build/write_index.h"
#include "engine/search/index_folder.h"
#include "io/page_file.h"

namespace cairn::build {
namespace {

using layout::Role;

constexpr std::uint64_t kGeneration = 1;
/// Readers of manifests older than this many are not looked for; what they pin is theirs.
constexpr std::uint64_t kSequencesAsked = 64;

class Replacement {
 public:
  Replacement(io::Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}

  Status run(const layout::Calibration& calibration) {
    {
      CAIRN_ASSIGN(const auto opened, search::IndexFolder::open(fs_, folder_));
      manifest_ = opened.manifest();
    }
    CAIRN_TRY(remove_strays());
    layout::ManifestHeader& header = manifest_.header;
    const std::uint64_t number = header.next_file_number;
    CAIRN_TRY(write_calibration(number, layout::encode_calibration(calibration)));
    header.next_file_number = number + 1;
    header.sequence += 1;
    header.compatible |= layout::kCompatibleCalibration;
    CAIRN_TRY(layout::check_manifest(manifest_));
    CAIRN_TRY(write_manifest());
    // What is left of the file before is no error of this call: the next one tries again.
    static_cast<void>(remove_strays());
    return {};
  }

 private:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  Status write_calibration(std::uint64_t number, const std::vector<std::byte>& stream) {
    std::erase_if(manifest_.files, [](const layout::FileRecord& file) {
      return search::role_of(file) == Role::calibration;
    });
    layout::FileRecord record{};
    record.number = number;
    record.segment = manifest_.segments.front().segment;
    record.identity =
        layout::file_identity(manifest_.header.index_id, Role::calibration, record.number);
    record.generation = kGeneration;
    record.page_bytes = layout::kPageBytes;
    record.role = static_cast<std::uint16_t>(Role::calibration);
    CAIRN_ASSIGN(auto writer,
                 io::PageWriter::create(fs_, path(layout::file_name(number, Role::calibration)),
                                        search::page_file_id(record)));
    CAIRN_TRY(writer.append_stream(stream));
    CAIRN_ASSIGN(const io::PageFileSummary summary, writer.finish());
    record.pages = summary.pages;
    record.stream_bytes = summary.stream_bytes;
    record.digest = summary.digest;
    manifest_.files.push_back(record);
    return {};
  }

  Status write_manifest() {
    const std::string temporary = path(kManifestTemporary);
    CAIRN_ASSIGN(const bool left, fs_.exists(temporary));
    if (left) CAIRN_TRY(fs_.remove(temporary));
    {
      CAIRN_ASSIGN(const auto file, fs_.create(temporary));
      CAIRN_TRY(file->append(layout::encode_manifest(manifest_)));
      CAIRN_TRY(file->sync());
      CAIRN_TRY(file->close());
    }
    // The names of new files last before the manifest that speaks of them.
    CAIRN_TRY(fs_.sync_dir(folder_));
    CAIRN_TRY(fs_.rename(temporary, path(layout::kManifestName)));
    return fs_.sync_dir(folder_);
  }

  /// Calibrations that the manifest does not name, unless an older manifest may be in use.
  Status remove_strays() {
    const std::uint64_t sequence = manifest_.header.sequence;
    const std::uint64_t first = sequence - std::min(sequence, kSequencesAsked);
    for (std::uint64_t older = first; older < sequence; ++older) {
      CAIRN_ASSIGN(const bool pinned, fs_.is_pinned(path(layout::kPinsName), older));
      if (pinned) return {};
    }
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

Status replace_calibration(io::Fs& fs, const std::string& folder,
                           const layout::Calibration& calibration) {
  return Replacement(fs, folder).run(calibration);
}

}  // namespace cairn::build

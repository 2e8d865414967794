#include "tests/reliability/sim_index.h"

#include <filesystem>
#include <fstream>

#include "engine/build/builder_fs.h"
#include "engine/search/calibration_file.h"
#include "engine/search/index_folder.h"
#include "tests/engine/search/merge_segments.h"
#include "tests/reliability/campaign.h"

namespace cairn::reliability {

SimIndex::SimIndex(const SimIndexSpec& spec)
    : oracle_(spec.vectors), fs_(std::make_unique<sim::SimFs>()) {
  const std::uint64_t count = spec.vectors.count;
  const std::uint64_t first = spec.two_segments ? count / 2 : count;
  build(spec, kSimFolder, 0, first, spec.build.calibration_rows);
  if (spec.two_segments) {
    build(spec, "second", first, count - first, 0);
    if (auto merged = search::testing::merge_segments(*fs_, "second", kSimFolder); !merged)
      give_up(merged.error());
  }
  auto manifest = search::testing::manifest_of(*fs_, kSimFolder);
  if (!manifest) give_up(manifest.error());
  manifest_ = std::move(*manifest);
}

void SimIndex::build(const SimIndexSpec& spec, const std::string& folder, std::uint64_t first,
                     std::uint64_t count, std::uint32_t calibration_rows) {
  BuildOptions options = spec.build;
  options.metric = spec.vectors.metric;
  options.threads = 1;
  options.calibration_rows = calibration_rows;
  auto builder = build::create_builder(*fs_, folder, spec.vectors.dim, spec.vectors.dtype, options);
  if (!builder) give_up(builder.error());
  const auto labels = std::span(oracle_.labels()).subspan(first, count);
  if (auto added = (*builder)->add(oracle_.rows(first, count), labels); !added)
    give_up(added.error());
  if (auto report = (*builder)->finish(); !report) give_up(report.error());
}

std::string SimIndex::path_of(const layout::FileRecord& record) {
  return std::string(kSimFolder) + "/" + layout::file_name(record.number, search::role_of(record));
}

void write_out(sim::SimFs& fs, const std::string& folder) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto names = fs.list(kSimFolder);
  if (!names) give_up(names.error());
  for (const std::string& name : *names) {
    const std::vector<std::byte> bytes = fs.bytes(std::string(kSimFolder) + "/" + name);
    std::ofstream file(folder + "/" + name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) give_up({.code = ErrorCode::io, .what = "write", .file = name});
  }
}

layout::Calibration calibration_of(sim::SimFs& fs) {
  auto opened = search::IndexFolder::open(fs, kSimFolder);
  if (!opened) give_up(opened.error());
  auto calibration = search::read_calibration(*opened, false);
  if (!calibration) give_up(calibration.error());
  return std::move(calibration->value());
}

}  // namespace cairn::reliability

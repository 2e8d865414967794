// The indexes of tests/golden on a simulated disk, with a calibration, and what searches of them
// find: what fuzz targets damage.
#pragma once

#include <cairn/index.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/build/replace_calibration.h"
#include "engine/search/open_index.h"
#include "layout/manifest.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_fs.h"

namespace cairn::fuzz {

inline constexpr char kFolder[] = "index";

/// All but PINS, which is empty.
using Files = std::map<std::string, std::vector<std::byte>>;

inline void put_files(sim::SimFs& fs, const Files& files) {
  FUZZ_REQUIRE(fs.make_dir(kFolder).has_value());
  FUZZ_REQUIRE(fs.create(std::string(kFolder) + "/" + layout::kPinsName).has_value());
  for (const auto& [name, bytes] : files) {
    const std::string path = std::string(kFolder) + "/" + name;
    FUZZ_REQUIRE(fs.create(path).has_value());
    fs.set_bytes(path, bytes);
  }
}

/// Curves of the memory that the golden indexes load, without edges and with them.
inline layout::Calibration sample_calibration() {
  layout::Calibration calibration;
  for (const std::uint32_t nav_edges : {0U, 8U})
    for (const std::uint32_t k : {1U, 10U})
      for (const std::uint32_t width : {1U, 4U})
        calibration.curves.push_back({.record = {.refine_bytes = 8,
                                                 .nav_edges = nav_edges,
                                                 .k = k,
                                                 .width = width,
                                                 .list_size = 4 * k,
                                                 .queries = 50,
                                                 .points = 2,
                                                 .reserved = 0},
                                      .points = {{-1, 0.5F, 1, 40}, {0.25F, 0.97F, 6, 120}}});
  return calibration;
}

/// The files of a golden index in `folder`, with a calibration.
inline Files golden_files(const std::string& folder) {
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::vector<char> raw(std::istreambuf_iterator<char>(in), {});
    std::vector<std::byte>& bytes = files[entry.path().filename().string()];
    bytes.resize(raw.size());
    if (!raw.empty()) std::memcpy(bytes.data(), raw.data(), raw.size());
  }
  FUZZ_REQUIRE(files.contains(layout::kManifestName) && files.erase(layout::kPinsName) == 1);
  sim::SimFs fs;
  put_files(fs, files);
  FUZZ_REQUIRE(build::replace_calibration(fs, kFolder, sample_calibration()).has_value());
  Files with;
  const auto names = fs.list(kFolder);
  FUZZ_REQUIRE(names.has_value());
  for (const std::string& file : *names) with[file] = fs.bytes(std::string(kFolder) + "/" + file);
  with.erase(layout::kPinsName);
  return with;
}

}  // namespace cairn::fuzz

// What campaigns share: how they end, count and clean up.
#pragma once

#include <cairn/index.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/math/kmeans.h"
#include "engine/search/open_index.h"

namespace cairn::reliability {

/// Ends the campaign: what it stands on does not work.
[[noreturn]] inline void give_up(const Error& error) {
  std::fprintf(stderr, "%s\n", error.to_string().c_str());
  std::exit(1);
}

/// For printf.
inline unsigned long long number(std::uint64_t value) { return value; }

/// The smallest limit that the folder opens with: no edges in RAM, so that blocks lead the way.
inline std::uint64_t smallest_limit(io::Fs& fs, const std::string& folder) {
  const auto refused = search::open_index(fs, folder, {.memory_limit_bytes = 0});
  return std::stoull(refused.error().expected.substr(std::string("at least ").size()));
}

/// The name of a folder that goes when the campaign ends, in memory where there is no `base`.
class ScratchFolder {
 public:
  explicit ScratchFolder(std::string base = {}) {
    if (base.empty()) base = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
    path_ = base + "/cairn-reliability-" + std::to_string(getpid());
    std::filesystem::remove_all(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace cairn::reliability

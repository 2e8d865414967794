// A small index on disk for campaigns: seeded vectors, built anew in a folder of its own.
#pragma once

#include <cairn/builder.h>
#include <cairn/index.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/math/kmeans.h"

namespace cairn::reliability {

/// Ends the campaign: what it stands on does not work.
[[noreturn]] inline void give_up(const Error& error) {
  std::fprintf(stderr, "%s\n", error.to_string().c_str());
  std::exit(1);
}

class SmallIndex {
 public:
  SmallIndex(std::uint64_t count, std::uint32_t dim, std::uint64_t seed) : dim_(dim) {
    const char* base = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
    folder_ = std::string(base) + "/cairn-reliability-" + std::to_string(getpid());
    std::filesystem::remove_all(folder_);
    math::Rng rng(seed);
    rows_.resize(count * dim);
    for (std::uint8_t& byte : rows_) byte = static_cast<std::uint8_t>(rng.below(256));
    auto builder = Builder::create(folder_, dim, DType::u8, {.threads = 1, .seed = seed});
    if (!builder) give_up(builder.error());
    if (auto added = (*builder)->add({rows_.data(), count, dim, DType::u8}); !added)
      give_up(added.error());
    if (auto report = (*builder)->finish(); !report) give_up(report.error());
  }
  ~SmallIndex() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  SmallIndex(const SmallIndex&) = delete;

  const std::string& folder() const { return folder_; }
  std::uint64_t count() const { return rows_.size() / dim_; }
  VectorView row(std::uint64_t i) const { return {rows_.data() + i * dim_, dim_, DType::u8}; }

 private:
  std::uint32_t dim_;
  std::string folder_;
  std::vector<std::uint8_t> rows_;
};

}  // namespace cairn::reliability

// A file for readers that want a path, for as long as this lives.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {

class ScratchFile {
 public:
  ScratchFile(const std::string& extension, std::span<const std::byte> bytes)
      : path_((std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") +
              ("/cairn-fuzz-" + std::to_string(::getpid())) + extension) {
    std::ofstream out(path_, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    out.close();
    FUZZ_REQUIRE(out.good());
  }
  ~ScratchFile() { ::unlink(path_.c_str()); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace cairn::fuzz

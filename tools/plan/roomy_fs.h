// A disk with room for anything: what is planned need not stand here.
#pragma once

#include <limits>
#include <string>

#include "io/forwarding_fs.h"

namespace cairn::tools::plan {

class RoomyFs final : public io::ForwardingFs {
 public:
  RoomyFs() : ForwardingFs(io::posix_fs()) {}
  Result<std::uint64_t> free_bytes(const std::string&) override {
    return std::numeric_limits<std::uint64_t>::max();
  }
};

}  // namespace cairn::tools::plan

// A ByteSource over bytes in memory, for tests and fuzz targets. `size_known` = false behaves like
// gzip: the header cannot be compared with a size.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "tools/formats/byte_source.h"

namespace cairn::formats {

/// Bytes of another owner.
class ViewSource : public ByteSource {
 public:
  explicit ViewSource(std::span<const std::byte> data, bool size_known = true)
      : data_(data), size_known_(size_known) {}

  Result<std::size_t> read(std::span<std::byte> into) override {
    const std::size_t count = std::min(into.size(), data_.size() - at_);
    if (count != 0) std::memcpy(into.data(), data_.data() + at_, count);
    at_ += count;
    return count;
  }

  Status seek(std::uint64_t offset) override {
    at_ = static_cast<std::size_t>(std::min<std::uint64_t>(offset, data_.size()));
    return {};
  }

  std::optional<std::uint64_t> bytes() const override {
    if (!size_known_) return std::nullopt;
    return data_.size();
  }

 private:
  std::span<const std::byte> data_;
  bool size_known_;
  std::size_t at_ = 0;
};

class MemorySource final : public ViewSource {
 public:
  explicit MemorySource(std::vector<std::byte> data, bool size_known = true)
      : MemorySource(std::make_unique<const std::vector<std::byte>>(std::move(data)), size_known) {}

 private:
  MemorySource(std::unique_ptr<const std::vector<std::byte>> owned, bool size_known)
      : ViewSource(*owned, size_known), owned_(std::move(owned)) {}

  std::unique_ptr<const std::vector<std::byte>> owned_;
};

}  // namespace cairn::formats

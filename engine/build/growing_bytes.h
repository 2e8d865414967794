// A buffer for data of which nobody knows beforehand how much will come.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

namespace cairn::build {

/// Bytes that only grow. Large ones are remapped rather than copied when they do, and what is
/// reserved but unused costs no memory.
class GrowingBytes {
 public:
  /// Makes room for `extra` more bytes, or throws std::bad_alloc and changes nothing.
  void reserve_more(std::size_t extra);
  void append(std::span<const std::byte> bytes);
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace cairn::build

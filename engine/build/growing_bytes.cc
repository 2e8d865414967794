#include "engine/build/growing_bytes.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace cairn::build {

void GrowingBytes::reserve_more(std::size_t extra) {
  if (extra <= capacity_ - size_) return;
  const std::size_t capacity = std::max(size_ + extra, capacity_ + capacity_ / 2);
  void* grown = std::realloc(data_.get(), capacity);
  if (grown == nullptr) throw std::bad_alloc();
  (void)data_.release();  // realloc took it over
  data_.reset(static_cast<std::byte*>(grown));
  capacity_ = capacity;
}

void GrowingBytes::append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  reserve_more(bytes.size());
  std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

}  // namespace cairn::build

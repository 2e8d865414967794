// What a builder was given: rows as they came, their labels, and what was wrong with them.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

namespace cairn::build {

/// Most rows of one segment: slots, rounded up to a block of 64, stay below kNoSlot.
inline constexpr std::uint64_t kRowsMax = 0xffff'ff00u;

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

class Dataset {
 public:
  Dataset(Metric metric, std::uint32_t dim, DType dtype)
      : metric_(metric), dim_(dim), dtype_(dtype) {}

  /// As Builder::add. A row is named by its position in the order of adding. O(batch).
  Status add(const VectorBatch& batch, std::span<const Label> labels);

  std::uint64_t count() const { return count_; }
  VectorBatch vectors() const { return {rows_.data(), count_, dim_, dtype_}; }
  /// One label a row; positions where none were given.
  std::span<const Label> labels();
  /// invalid_argument naming a label that two rows carry, and both rows. O(n log n).
  Status check_labels() const;
  /// XXH3-64 of rows and labels.
  std::uint64_t digest();

 private:
  Status check_batch(const VectorBatch& batch, std::span<const Label> labels) const;

  Metric metric_;
  std::uint32_t dim_;
  DType dtype_;
  std::uint64_t count_ = 0;
  GrowingBytes rows_;
  std::vector<Label> labels_;
  bool labelled_ = false;  // by the caller
};

}  // namespace cairn::build

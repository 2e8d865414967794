// The words every layer shares: element types, metrics, labels, and a default that devices,
// searches and builds have in common. Persisted enumerators: never renumber; 0 is reserved so that
// a zeroed header is never valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace cairn {

/// How long a search waits for a block unless told otherwise: see OpenOptions::read_timeout_ms.
inline constexpr std::uint32_t kReadTimeoutMs = 60'000;

enum class DType : std::uint8_t { u8 = 1, i8 = 2, f32 = 3 };

/// Distances are ascending: squared l2; 1 - dot; 1 - cosine similarity.
enum class Metric : std::uint8_t { l2 = 1, ip = 2, cosine = 3 };

/// The user's 64-bit key of a vector.
using Label = std::uint64_t;

/// Largest accepted dimension; keeps every int32 sum of byte products and of squared differences
/// exact: 255^2 * 32768 < 2^31.
inline constexpr std::uint32_t kDimMax = 32768;

constexpr std::size_t dtype_bytes(DType dtype) { return dtype == DType::f32 ? 4 : 1; }
std::string_view dtype_name(DType dtype);     // "u8", "i8", "f32"
std::string_view metric_name(Metric metric);  // "l2", "ip", "cosine"
std::optional<DType> parse_dtype(std::string_view name);
std::optional<Metric> parse_metric(std::string_view name);

/// One vector, not owned: `dim` elements of `dtype` at `data`, no alignment assumed.
struct VectorView {
  const void* data = nullptr;
  std::uint32_t dim = 0;
  DType dtype = DType::f32;

  std::size_t bytes() const { return std::size_t{dim} * dtype_bytes(dtype); }
};

/// `count` vectors, row-major and dense, not owned: (count, dim) of `dtype`.
struct VectorBatch {
  const void* data = nullptr;
  std::uint64_t count = 0;
  std::uint32_t dim = 0;
  DType dtype = DType::f32;

  std::size_t row_bytes() const { return std::size_t{dim} * dtype_bytes(dtype); }
  VectorView row(std::uint64_t i) const {
    return {static_cast<const std::byte*>(data) + i * row_bytes(), dim, dtype};
  }
};

}  // namespace cairn

#include "engine/search/row_floats.h"

#include <cstddef>
#include <cstring>

namespace cairn::search {
namespace {

template <class T>
void widen(const void* from, std::span<float> to) {
  const auto* bytes = static_cast<const std::byte*>(from);
  for (std::size_t i = 0; i < to.size(); ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof value);
    to[i] = static_cast<float>(value);
  }
}

}  // namespace

void to_floats(VectorView row, std::span<float> out) {
  switch (row.dtype) {
    case DType::u8:
      return widen<std::uint8_t>(row.data, out);
    case DType::i8:
      return widen<std::int8_t>(row.data, out);
    case DType::f32:
      return widen<float>(row.data, out);
  }
}

}  // namespace cairn::search

#include "tools/to_floats.h"

#include <cmath>
#include <cstring>

namespace cairn::tools {
namespace {

template <class T>
void widen(const void* data, std::uint32_t dim, float* into) {
  const T* from = static_cast<const T*>(data);
  for (std::uint32_t i = 0; i < dim; ++i) into[i] = static_cast<float>(from[i]);
}

}  // namespace

void to_floats(VectorView row, Metric metric, float* into) {
  switch (row.dtype) {
    case DType::u8:
      widen<std::uint8_t>(row.data, row.dim, into);
      break;
    case DType::i8:
      widen<std::int8_t>(row.data, row.dim, into);
      break;
    case DType::f32:
      std::memcpy(into, row.data, row.bytes());
      break;
  }
  if (metric != Metric::cosine) return;
  double sum = 0;
  for (std::uint32_t i = 0; i < row.dim; ++i) sum += double{into[i]} * double{into[i]};
  const float scale = sum > 0 ? static_cast<float>(1 / std::sqrt(sum)) : 0.0F;
  for (std::uint32_t i = 0; i < row.dim; ++i) into[i] *= scale;
}

}  // namespace cairn::tools

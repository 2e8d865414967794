// What stands for one vector in a FAISS index: its numbers, a scalar code or a product code.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <memory>
#include <string>

#include "tools/formats/faiss_file.h"

namespace cairn::formats::faiss {

/// Thread-safe once made. Memory: what was trained, at most as much as it takes in the file.
class Codec {
 public:
  virtual ~Codec() = default;
  virtual std::size_t code_bytes() const = 0;
  /// code_bytes() bytes become one vector. Any bytes are a code.
  virtual void decode(const std::byte* code, float* vector) const = 0;
  /// IndexFacts::decoded_from: empty when nothing was lost.
  virtual std::string decoded_from() const = 0;
};

/// The numbers themselves.
std::unique_ptr<Codec> plain_codec(std::uint32_t dim);

/// ScalarQuantizer: 8, 6 or 4 bits a dimension (each scaled by itself or all alike), half floats,
/// or bytes as they are. Errors: unsupported (another type), corrupt.
Result<std::unique_ptr<Codec>> take_scalar_codec(Cursor& in, std::uint32_t dim);

/// ProductQuantizer of 1 to 16 bits a part. Errors: unsupported (more bits), corrupt.
Result<std::unique_ptr<Codec>> take_product_codec(Cursor& in, std::uint32_t dim);

}  // namespace cairn::formats::faiss

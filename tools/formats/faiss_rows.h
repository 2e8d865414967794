// Vectors of a FAISS index by element number, whatever their codes and wherever they lie.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <memory>
#include <span>

#include "tools/formats/faiss_codec.h"

namespace cairn::formats::faiss {

/// Not thread-safe. Elements asked for are there.
class Rows {
 public:
  virtual ~Rows() = default;
  /// A whole number of vectors, from element `first` on.
  virtual Status read(std::uint64_t first, std::span<float> vectors) = 0;
};

class Labels {
 public:
  virtual ~Labels() = default;
  virtual Status read(std::uint64_t first, std::span<Label> labels) = 0;
};

/// `codes` follow each other, one an element.
Result<std::unique_ptr<Rows>> rows_of_codes(const File& file, Region codes,
                                            std::unique_ptr<Codec> codec, std::uint32_t dim);

/// Decodes the codes that lie from `offset` on, one for each vector.
Status decode_codes(ReadWindow& window, std::uint64_t offset, const Codec& codec, std::uint32_t dim,
                    std::span<float> vectors);

/// Reads the labels of all elements, so that what is wrong with them is an error of opening.
Status check_labels(Labels& labels, std::uint64_t elements);

}  // namespace cairn::formats::faiss

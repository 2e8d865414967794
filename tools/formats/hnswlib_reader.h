// An index that hnswlib saved (saveIndex of 0.6 to 0.8). Its file says neither metric nor element
// type nor dimension, so the user must, and what he says is compared with the size of its records.
//   header        96 bytes, HnswlibHeader
//   elements x    u16 degree, u8 flags (bit 0: deleted), u8 0, u32 neighbours[degree_max0] of which
//                 the first `degree` count, the vector, u64 label
//   elements x    u32 bytes of the links above level 0, then for each level from 1 on
//                 u16 degree, u16 0, u32 neighbours[degree_max]
// and nothing behind that. Little-endian, from a program of 64 bits.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "tools/formats/index_reader.h"

namespace cairn::formats {

/// Of the vectors, 1..kDimMax. hnswlib itself has f32 and, in its space of integers, u8.
struct HnswlibShape {
  std::uint32_t dim = 0;
  DType dtype = DType::f32;

  std::size_t row_bytes() const { return std::size_t{dim} * dtype_bytes(dtype); }
};

struct HnswlibHeader {
  std::uint64_t offset_level0;  // 0
  std::uint64_t elements_max;
  std::uint64_t elements;
  std::uint64_t element_bytes;  // of a record of level 0
  std::uint64_t label_offset;   // in a record
  std::uint64_t vector_offset;  // in a record
  std::int32_t level_max;       // -1: no elements
  std::uint32_t entry;          // 0xffffffff: no elements
  std::uint64_t degree_max;     // M
  std::uint64_t degree_max0;    // 2 M
  std::uint64_t degree;         // M
  double level_factor;          // 1 / ln M
  std::uint64_t ef_construction;
};
static_assert(sizeof(HnswlibHeader) == 96 && std::is_trivially_copyable_v<HnswlibHeader>);

/// The header at the front of a file of `file_bytes`, with vectors of `vector_bytes`. Errors:
/// corrupt when it contradicts itself or the file; over_limit; invalid_argument when it is whole
/// and its records have room for vectors of another size.
Result<HnswlibHeader> decode_hnswlib_header(std::span<const std::byte> head,
                                            std::uint64_t file_bytes, std::uint64_t vector_bytes);

/// Reads the file once: every link must lead to another element, and the file end where its links
/// do. The metric stays unset. Errors name the file and the element: those of
/// decode_hnswlib_header(); corrupt; io. Memory: two bits an element and 2 MiB.
Result<std::unique_ptr<IndexReader>> open_hnswlib(const OpenSource& open, const std::string& name,
                                                  const HnswlibShape& shape);

}  // namespace cairn::formats

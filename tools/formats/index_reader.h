// An index of another library, as its file is decoded: the vectors, labels and links of level 0 of
// all its elements, by element number, in the order of the file. What is deleted is still there and
// says so; leaving it out is not a decoder's business (tools/import).
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "tools/formats/byte_source.h"

namespace cairn::formats {

/// Another reader of the same bytes from their start, for each region that is read on its own.
/// Errors name the file.
using OpenSource = std::function<Result<std::unique_ptr<ByteSource>>()>;

/// Of a file on disk.
OpenSource source_of_file(const std::string& path, PageCache cache = PageCache::drop);

/// Element numbers stay below it: those of one index segment are 32 bits.
inline constexpr std::uint64_t kElementsMax = 0xfff0'0000u;
/// In place of a link that is not there.
inline constexpr std::uint32_t kNoElement = 0xffff'ffffu;

/// What a file says of itself, checked against its size.
struct IndexFacts {
  std::string kind;  // for people: "hnswlib, M 16", "FAISS IndexHNSWFlat, M 32"
  DType dtype = DType::f32;
  std::uint32_t dim = 0;              // 1..kDimMax
  std::optional<Metric> metric = {};  // unset where the file does not say
  std::uint64_t elements = 0;         // deleted ones included; may be 0
  std::uint64_t deleted = 0;
  bool labelled = false;          // otherwise an element's label is its number
  std::string decoded_from = {};  // "8-bit scalar codes" where vectors are not what was added
  std::uint32_t links_max = 0;    // of an element at level 0; 0: the index has no graph

  std::size_t row_bytes() const { return std::size_t{dim} * dtype_bytes(dtype); }
};

/// Not thread-safe. Memory: at most a few bits an element and some MiB, whatever the file; errors
/// name file and element. Reading on from where the last read of its kind ended never seeks.
class IndexReader {
 public:
  virtual ~IndexReader() = default;
  const IndexFacts& facts() const { return facts_; }

  /// Vectors of elements [first, first + n), n * row_bytes() bytes, and their n labels when
  /// labelled (else `labels` is empty). Of a deleted one whatever stands there.
  virtual Status read(std::uint64_t first, std::span<std::byte> vectors,
                      std::span<Label> labels) = 0;

  /// Links at level 0 of elements [first, first + n): n * links_max numbers below `elements`, those
  /// of each element from the front and kNoElement behind them. Only with a graph.
  virtual Status read_links(std::uint64_t first, std::span<std::uint32_t> links) = 0;

  virtual bool deleted(std::uint64_t element) const = 0;
  /// Whether the element has links above level 0.
  virtual bool upper(std::uint64_t element) const = 0;

 protected:
  IndexFacts facts_;
};

}  // namespace cairn::formats

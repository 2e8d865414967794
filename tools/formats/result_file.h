// The ground-truth and result format of big-ann-benchmarks: u32 query count, u32 k, then
// count x k u32 ids, then count x k f32 distances, little-endian. A row is in ascending distance;
// one that is not full is padded with kNoId and +infinity.
#pragma once

#include <vector>

#include "tools/formats/byte_source.h"
#include "tools/formats/output_file.h"

namespace cairn::formats {

inline constexpr std::uint32_t kNoId = 0xffffffff;

struct ResultHeader {
  std::uint32_t queries = 0;
  std::uint32_t k = 0;
};

/// `head`: the first bytes, at least 8; `file_bytes`: the file's whole size, which must be
/// 8 + queries * k * 8. Pure.
Result<ResultHeader> decode_result_header(std::span<const std::byte> head,
                                          std::uint64_t file_bytes);

/// Reads rows in any order. Not thread-safe. Memory: none beside the caller's.
class ResultReader {
 public:
  static Result<std::unique_ptr<ResultReader>> open(const std::string& path);
  static Result<std::unique_ptr<ResultReader>> from_source(std::unique_ptr<ByteSource> source,
                                                           std::string name);
  std::uint32_t queries() const { return header_.queries; }
  std::uint32_t k() const { return header_.k; }
  /// Fills ids and distances, each with the first size() entries of row `query`. corrupt when a
  /// distance is NaN or smaller than the one before it.
  Status read(std::uint32_t query, std::span<std::uint32_t> ids, std::span<float> distances);

 private:
  ResultReader(const ResultHeader& header, std::unique_ptr<ByteSource> source, std::string name)
      : header_(header), source_(std::move(source)), name_(std::move(name)) {}
  Status read_at(std::uint64_t offset, std::span<std::byte> into);

  ResultHeader header_;
  std::unique_ptr<ByteSource> source_;
  std::string name_;
};

/// Writes rows in order. Distances are held until finish(), since they follow all ids: 4 bytes a
/// result.
class ResultWriter {
 public:
  static Result<std::unique_ptr<ResultWriter>> create(const std::string& path,
                                                      const ResultHeader& header);
  /// One row; pads it to k. ids.size() == distances.size() <= k.
  Status write(std::span<const std::uint32_t> ids, std::span<const float> distances);
  Status finish();

 private:
  ResultWriter(const ResultHeader& header, std::unique_ptr<OutputFile> file)
      : header_(header), file_(std::move(file)) {}

  ResultHeader header_;
  std::unique_ptr<OutputFile> file_;
  std::vector<std::uint32_t> ids_;  // not yet appended
  std::vector<float> distances_;
};

}  // namespace cairn::formats

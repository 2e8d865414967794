// Vectors of one or several files, numbered through, as a bulk build reads them.
#pragma once

#include <cairn/vector_source.h>

#include <memory>
#include <string>
#include <vector>

#include "tools/formats/label_file.h"
#include "tools/formats/vector_reader.h"

namespace cairn::tools {

/// The files that `inputs` stand for, in order: a folder for all of its files of a known vector
/// format, sorted by name (bytewise), without those whose names begin with a dot and without its
/// folders. invalid_argument for a folder that has none; io.
Result<std::vector<std::string>> expand_inputs(const std::vector<std::string>& inputs);

/// One file is open at a time, and its pages are given back to the system as they are read.
/// Reading on from where the last read ended never seeks; gzip: going back costs O(rows).
class VectorFiles final : public VectorSource {
 public:
  /// `inputs` as for expand_inputs(), at least one. `labels`: none, one file of the labels of all
  /// rows, or one for each file of vectors; text is held in memory, .u64bin is not.
  /// invalid_argument, naming the file, when the files differ in dimension or element type or have
  /// other numbers of labels; errors of formats::VectorReader and formats::LabelReader.
  static Result<std::unique_ptr<VectorFiles>> open(const std::vector<std::string>& inputs,
                                                   const std::vector<std::string>& labels = {});

  std::uint32_t dim() const override { return dim_; }
  DType dtype() const override { return dtype_; }
  std::uint64_t count() const override { return count_; }
  bool labelled() const override { return !labels_.empty(); }
  std::size_t file_count() const { return files_.size(); }

  /// corrupt, naming the file, when it is no longer what it was when it was opened; cancelled.
  Status read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) override;

  /// Of the files' sizes, times and inodes.
  std::uint64_t stamp() const override;

  /// "row 17 of 'b.u8bin'"
  std::string row_name(std::uint64_t row) const override;

 private:
  struct VectorPart {
    std::string path;
    std::uint64_t first = 0, count = 0;
    std::unique_ptr<formats::VectorReader> reader;  // of the file read last
  };
  struct LabelPart {
    std::string path;
    std::uint64_t first = 0, count = 0;
    formats::LabelReader reader;
  };

  VectorFiles() = default;
  Status add_file(const std::string& path);
  Status add_labels(const std::vector<std::string>& paths);
  Result<formats::VectorReader*> reader_of(std::size_t part);
  Status read_rows(std::uint64_t first, std::span<std::byte> rows);
  Status read_labels(std::uint64_t first, std::span<Label> labels);

  DType dtype_ = DType::f32;
  std::uint32_t dim_ = 0;
  std::uint64_t count_ = 0;
  std::vector<VectorPart> files_;
  std::vector<LabelPart> labels_;
  std::size_t open_file_ = 0, open_labels_ = 0;
};

}  // namespace cairn::tools

// The vectors, labels and edges of another library's index as a build reads them: what is deleted
// is left out, and edges that led over it are bridged.
#pragma once

#include <cairn/vector_source.h>

#include <memory>
#include <string>
#include <vector>

#include "tools/formats/index_reader.h"
#include "tools/import/live_rows.h"

namespace cairn::tools {

class IndexSource final : public VectorSource {
 public:
  struct Options {
    bool edges = false;  // whether they will be asked for
    /// For the edges of deleted elements, which are held: 4 bytes each. over_limit beyond.
    std::uint64_t bridges_max_bytes = std::uint64_t{1} << 30;
  };

  /// `path` stands in errors. invalid_argument where every element is deleted, or edges are wanted
  /// of an index without a graph; errors of the decoder.
  static Result<std::unique_ptr<IndexSource>> create(const std::string& path,
                                                     std::unique_ptr<formats::IndexReader> reader,
                                                     const Options& options);

  const formats::IndexFacts& facts() const { return reader_->facts(); }

  std::uint32_t dim() const override { return facts().dim; }
  DType dtype() const override { return facts().dtype; }
  std::uint64_t count() const override { return live_.count(); }
  bool labelled() const override { return facts().labelled; }
  Status read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) override;

  /// With deletions more than the index has: those of deleted neighbours take their place.
  std::uint32_t edges_max() const override { return edges_max_; }
  /// Edges to live elements stand first, then those that live ones have which are reached over
  /// deleted ones alone (as the delete consolidation of FreshDiskANN, arXiv 2105.09613, section
  /// 4.2, over chains of any length), nearest chains first, as many as there is room for.
  Status read_edges(std::uint64_t first, std::span<std::uint32_t> edges,
                    std::span<std::uint8_t> starts) override;

  std::uint64_t stamp() const override;
  /// "element 17 of 'words.hnsw'"
  std::string row_name(std::uint64_t row) const override;

 private:
  IndexSource(std::string path, std::unique_ptr<formats::IndexReader> reader, LiveRows live)
      : path_(std::move(path)), reader_(std::move(reader)), live_(std::move(live)) {}
  Status prepare_edges(const Options& options);
  Status load_deleted(std::uint64_t bytes_max);
  /// Calls `visit` with the elements of runs of at most `at_once` that hold the rows, and the first
  /// row and number of rows of each.
  template <class Visit>
  Status runs(std::uint64_t first, std::uint64_t count, std::uint64_t at_once, const Visit& visit);
  void bridge(std::uint64_t element, std::span<const std::uint32_t> links,
              std::span<std::uint32_t> edges);
  std::span<const std::uint32_t> links_of_deleted(std::uint64_t element) const;

  std::string path_;
  std::unique_ptr<formats::IndexReader> reader_;
  LiveRows live_;
  std::uint32_t edges_max_ = 0;
  std::vector<std::uint64_t> deleted_begin_;  // by number among the deleted
  std::vector<std::uint32_t> deleted_links_;
  std::vector<std::byte> vector_buffer_;
  std::vector<Label> label_buffer_;
  std::vector<std::uint32_t> link_buffer_;
  std::vector<std::uint64_t> chain_;  // deleted elements on the way
};

}  // namespace cairn::tools

#include "tools/export/export_vectors.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tools/formats/label_writer.h"
#include "tools/formats/vector_reader.h"
#include "tools/formats/vector_writer.h"
#include "tools/interrupt.h"

namespace cairn::tools {
namespace {

using Visit = std::function<void(const std::byte* row, Label label)>;

/// Calls `visit` with every vector, in the order of disk.
Status scan(const Index& index, std::size_t row_bytes, const Visit& visit) {
  CAIRN_ASSIGN(const auto scan, index.scan());
  const std::size_t at_once = formats::rows_per_chunk(row_bytes);
  std::vector<std::byte> rows(at_once * row_bytes);
  std::vector<Label> labels(at_once);
  while (true) {
    CAIRN_TRY(check_interrupt());
    CAIRN_ASSIGN(const std::size_t count, scan->next(rows, labels));
    if (count == 0) return {};
    for (std::size_t i = 0; i < count; ++i) visit(rows.data() + i * row_bytes, labels[i]);
  }
}

}  // namespace

Result<VectorExported> export_vectors(const Index& index, const VectorExport& options) {
  const IndexStats stats = index.stats();
  const std::size_t row_bytes = std::size_t{stats.dim} * dtype_bytes(stats.dtype);
  CAIRN_ASSIGN(
      const auto writer,
      formats::VectorWriter::create(options.output, {stats.dtype, stats.dim, stats.vector_count}));
  std::vector<Label> labels;
  labels.reserve(stats.vector_count);
  CAIRN_TRY(
      scan(index, row_bytes, [&](const std::byte*, Label label) { labels.push_back(label); }));
  std::sort(labels.begin(), labels.end());
  VectorExported exported{.vectors = labels.size(), .passes = 1};
  for (std::uint64_t i = 0; i < labels.size(); ++i) exported.labels_are_rows &= labels[i] == i;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, options.memory_bytes / row_bytes);
  std::vector<std::byte> window;
  for (std::uint64_t first = 0; first < labels.size(); first += at_once) {
    const auto part =
        std::span(labels).subspan(first, std::min<std::uint64_t>(at_once, labels.size() - first));
    window.resize(part.size() * row_bytes);
    CAIRN_TRY(scan(index, row_bytes, [&](const std::byte* row, Label label) {
      if (label < part.front() || label > part.back()) return;
      const auto at = std::lower_bound(part.begin(), part.end(), label) - part.begin();
      std::memcpy(window.data() + static_cast<std::size_t>(at) * row_bytes, row, row_bytes);
    }));
    CAIRN_TRY(writer->write(window));
    ++exported.passes;
    if (options.progress) options.progress(first + part.size(), labels.size());
  }
  if (!options.labels.empty()) CAIRN_TRY(formats::write_labels(options.labels, labels));
  CAIRN_TRY(writer->finish());
  return exported;
}

}  // namespace cairn::tools

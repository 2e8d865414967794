// The file of another library's index, or of plain vectors, as a source for a build.
#pragma once

#include <cairn/vector_source.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/formats/index_reader.h"
#include "tools/import/index_source.h"

namespace cairn::tools {

enum class IndexFormat : std::uint8_t { hnswlib, faiss, usearch };

std::string_view index_format_name(IndexFormat format);
std::optional<IndexFormat> parse_index_format(std::string_view name);

/// What the user says of a file. Where the file says it too both must agree.
struct IndexFile {
  std::string path;
  IndexFormat format = IndexFormat::hnswlib;
  std::optional<std::uint32_t> dim = {};
  std::optional<DType> dtype = {};
  std::optional<Metric> metric = {};
};

/// A decoder of it. invalid_argument where the user has to say what the file does not (the metric
/// included), or says something else than the file; errors of the decoders.
Result<std::unique_ptr<formats::IndexReader>> open_index_file(const IndexFile& file);

/// The metric of a decoder that open_index_file() opened.
Metric metric_of(const IndexFile& file, const formats::IndexFacts& facts);

/// "hnswlib, M 16: 500,000 elements of 128 f32, 1,204 deleted ones left out, labels kept"
std::string describe(const formats::IndexFacts& facts);
nlohmann::ordered_json facts_json(const formats::IndexFacts& facts);

}  // namespace cairn::tools

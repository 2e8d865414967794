#include "tools/import/open_index_file.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "tools/formats/faiss_reader.h"
#include "tools/formats/hnswlib_reader.h"
#include "tools/formats/usearch_reader.h"
#include "tools/units.h"

namespace cairn::tools {
namespace {

using formats::IndexFacts;
using formats::IndexReader;

constexpr std::array<std::pair<IndexFormat, std::string_view>, 3> kNames{
    {{IndexFormat::hnswlib, "hnswlib"},
     {IndexFormat::faiss, "faiss"},
     {IndexFormat::usearch, "usearch"}}};

tl::unexpected<Error> unsaid(const IndexFile& file, std::string_view option) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = fmt::format("open an index of {}", index_format_name(file.format)),
               .file = file.path,
               .found = fmt::format("no {}", option),
               .expected = fmt::format("{}, which such a file does not say", option)});
}

Status agree(const IndexFile& file, std::string_view what, std::string_view said,
             std::string_view found) {
  if (said == found) return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = fmt::format("open an index as one of {} {}", what, said),
               .file = file.path,
               .found = std::string{found},
               .expected = "what the file says, or the option left out"});
}

Result<std::unique_ptr<IndexReader>> decode(const IndexFile& file) {
  const formats::OpenSource source = formats::source_of_file(file.path);
  switch (file.format) {
    case IndexFormat::hnswlib:
      if (!file.dim) return unsaid(file, "--dim");
      if (!file.dtype) return unsaid(file, "--dtype");
      return formats::open_hnswlib(source, file.path, {*file.dim, *file.dtype});
    case IndexFormat::faiss:
      return formats::open_faiss(source, file.path);
    case IndexFormat::usearch:
      break;
  }
  return formats::open_usearch(source, file.path);
}

}  // namespace

std::string_view index_format_name(IndexFormat format) {
  for (const auto& [value, name] : kNames)
    if (value == format) return name;
  return "";
}

std::optional<IndexFormat> parse_index_format(std::string_view name) {
  for (const auto& [value, known] : kNames)
    if (known == name) return value;
  return std::nullopt;
}

Result<std::unique_ptr<IndexReader>> open_index_file(const IndexFile& file) {
  CAIRN_ASSIGN(auto reader, decode(file));
  const IndexFacts& facts = reader->facts();
  if (!facts.metric && !file.metric) return unsaid(file, "--metric");
  if (facts.metric && file.metric)
    CAIRN_TRY(agree(file, "metric", metric_name(*file.metric), metric_name(*facts.metric)));
  if (file.dtype) CAIRN_TRY(agree(file, "dtype", dtype_name(*file.dtype), dtype_name(facts.dtype)));
  if (file.dim)
    CAIRN_TRY(agree(file, "dimension", std::to_string(*file.dim), std::to_string(facts.dim)));
  return reader;
}

Metric metric_of(const IndexFile& file, const IndexFacts& facts) {
  return facts.metric ? *facts.metric : *file.metric;
}

std::string describe(const IndexFacts& facts) {
  std::string text = fmt::format("{}: {} vectors of {} {}", facts.kind, show_count(facts.elements),
                                 facts.dim, dtype_name(facts.dtype));
  if (facts.deleted != 0)
    text += fmt::format(", {} of them deleted and left out", show_count(facts.deleted));
  text += facts.labelled ? ", labels kept" : ", labelled by their order";
  if (!facts.decoded_from.empty())
    text += fmt::format("; not as they were added: decoded from {}", facts.decoded_from);
  return text;
}

nlohmann::ordered_json facts_json(const IndexFacts& facts) {
  return {{"kind", facts.kind},
          {"elements", facts.elements},
          {"deleted", facts.deleted},
          {"labelled", facts.labelled},
          {"decoded_from", facts.decoded_from.empty() ? nlohmann::ordered_json(nullptr)
                                                      : nlohmann::ordered_json(facts.decoded_from)},
          {"links_max", facts.links_max}};
}

}  // namespace cairn::tools

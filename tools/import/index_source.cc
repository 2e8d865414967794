#include "tools/import/index_source.h"

#include <algorithm>
#include <cstring>

#include "tools/file_stamp.h"
#include "tools/interrupt.h"
#include "tools/vectors.h"

namespace cairn::tools {
namespace {

using formats::kNoElement;

constexpr std::uint64_t kElementsAtOnce = 4096;
constexpr std::size_t kVectorsAtOnceBytes = std::size_t{4} << 20;
// Of an element that lost neighbours: so many times the edges that it can have are candidates.
constexpr std::uint32_t kBridged = 4;
constexpr std::uint32_t kEdgesMax = 512;
// Deleted elements on the way from one element: a region that is deleted as a whole ends there.
constexpr std::size_t kChainMax = 256;

std::span<const std::uint32_t> without_end(std::span<const std::uint32_t> links) {
  return links.first(
      static_cast<std::size_t>(std::find(links.begin(), links.end(), kNoElement) - links.begin()));
}

}  // namespace

Result<std::unique_ptr<IndexSource>> IndexSource::create(
    const std::string& path, std::unique_ptr<formats::IndexReader> reader, const Options& options) {
  const formats::IndexFacts& facts = reader->facts();
  LiveRows live(facts.elements, [&](std::uint64_t element) { return reader->deleted(element); });
  if (live.count() == 0)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "import",
                 .file = path,
                 .found = facts.elements == 0
                              ? "no vectors"
                              : std::to_string(facts.elements) + " vectors, all of them deleted",
                 .expected = "at least one"});
  std::unique_ptr<IndexSource> source(new IndexSource(path, std::move(reader), std::move(live)));
  if (!options.edges) return source;
  CAIRN_TRY(source->prepare_edges(options));
  return source;
}

Status IndexSource::prepare_edges(const Options& options) {
  if (facts().links_max == 0)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "keep the graph of",
                 .file = path_,
                 .found = facts().kind + ", which has none",
                 .expected = "an index with a graph, or --graph rebuild"});
  edges_max_ = facts().links_max;
  if (live_.count() == facts().elements) return {};
  edges_max_ = std::max(edges_max_, std::min(kBridged * edges_max_, kEdgesMax));
  return load_deleted(options.bridges_max_bytes);
}

Status IndexSource::load_deleted(std::uint64_t bytes_max) {
  deleted_begin_.assign(1, 0);
  for (std::uint64_t first = 0; first < facts().elements; first += kElementsAtOnce) {
    CAIRN_TRY(check_interrupt());
    const std::uint64_t count = std::min(kElementsAtOnce, facts().elements - first);
    link_buffer_.resize(count * facts().links_max);
    CAIRN_TRY(reader_->read_links(first, link_buffer_));
    for (std::uint64_t i = 0; i < count; ++i) {
      if (live_.live(first + i)) continue;
      const auto links = without_end(std::span<const std::uint32_t>(link_buffer_)
                                         .subspan(i * facts().links_max, facts().links_max));
      deleted_links_.insert(deleted_links_.end(), links.begin(), links.end());
      deleted_begin_.push_back(deleted_links_.size());
    }
    if (deleted_links_.size() * 4 + deleted_begin_.size() * 8 > bytes_max)
      return fail({.code = ErrorCode::over_limit,
                   .what = "bridge the deleted elements of",
                   .file = path_,
                   .found = std::to_string(facts().deleted) + " of them",
                   .expected = "edges of at most " + std::to_string(bytes_max) +
                               " bytes: more memory, or --graph rebuild"});
  }
  return {};
}

std::span<const std::uint32_t> IndexSource::links_of_deleted(std::uint64_t element) const {
  const std::uint64_t number = element - live_.row_of(element);
  return std::span(deleted_links_)
      .subspan(deleted_begin_[number], deleted_begin_[number + 1] - deleted_begin_[number]);
}

template <class Visit>
Status IndexSource::runs(std::uint64_t first, std::uint64_t count, std::uint64_t at_once,
                         const Visit& visit) {
  for (std::uint64_t done = 0; done < count;) {
    CAIRN_TRY(check_interrupt());
    const std::uint64_t begin = live_.element_of(first + done);
    const std::uint64_t end = std::min(begin + at_once, facts().elements);
    const std::uint64_t rows =
        std::min(count - done,
                 (end == facts().elements ? live_.count() : live_.row_of(end)) - (first + done));
    const std::uint64_t last = live_.element_of(first + done + rows - 1);
    CAIRN_TRY(visit(begin, last + 1 - begin, done));
    done += rows;
  }
  return {};
}

Status IndexSource::read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) {
  const std::size_t row_bytes = facts().row_bytes();
  const std::uint64_t count = rows.size() / row_bytes;
  CAIRN_TRY(check_range(first, rows.size(), labels.size(), row_bytes, live_.count(), labelled()));
  const std::uint64_t at_once =
      std::clamp<std::uint64_t>(kVectorsAtOnceBytes / row_bytes, 1, kElementsAtOnce);
  return runs(first, count, at_once,
              [&](std::uint64_t begin, std::uint64_t elements, std::uint64_t row) -> Status {
                vector_buffer_.resize(elements * row_bytes);
                label_buffer_.resize(labelled() ? elements : 0);
                CAIRN_TRY(reader_->read(begin, vector_buffer_, label_buffer_));
                for (std::uint64_t i = 0; i < elements; ++i) {
                  if (!live_.live(begin + i)) continue;
                  std::memcpy(rows.data() + row * row_bytes, vector_buffer_.data() + i * row_bytes,
                              row_bytes);
                  if (labelled()) labels[row] = label_buffer_[i];
                  ++row;
                }
                return {};
              });
}

Status IndexSource::read_edges(std::uint64_t first, std::span<std::uint32_t> edges,
                               std::span<std::uint8_t> starts) {
  const std::uint64_t count = starts.size();
  if (edges_max_ == 0 || edges.size() != count * edges_max_ || first > live_.count() ||
      count > live_.count() - first)
    return fail(
        {.code = ErrorCode::invalid_argument,
         .what = "read edges from " + std::to_string(first),
         .found = std::to_string(edges.size()) + " of " + std::to_string(count) + " rows",
         .expected = std::to_string(edges_max_) + " a row among " + std::to_string(live_.count())});
  return runs(first, count, kElementsAtOnce,
              [&](std::uint64_t begin, std::uint64_t elements, std::uint64_t row) -> Status {
                link_buffer_.resize(elements * facts().links_max);
                CAIRN_TRY(reader_->read_links(begin, link_buffer_));
                for (std::uint64_t i = 0; i < elements; ++i) {
                  if (!live_.live(begin + i)) continue;
                  bridge(begin + i,
                         without_end(std::span<const std::uint32_t>(link_buffer_)
                                         .subspan(i * facts().links_max, facts().links_max)),
                         edges.subspan(row * edges_max_, edges_max_));
                  starts[row++] = reader_->upper(begin + i) ? 1 : 0;
                }
                return {};
              });
}

void IndexSource::bridge(std::uint64_t element, std::span<const std::uint32_t> links,
                         std::span<std::uint32_t> edges) {
  std::fill(edges.begin(), edges.end(), kNoRow);
  std::size_t size = 0;
  chain_.clear();
  const auto follow = [&](std::span<const std::uint32_t> from) {
    for (const std::uint32_t to : from) {
      if (!live_.live(to)) {
        if (chain_.size() < kChainMax &&
            std::find(chain_.begin(), chain_.end(), to) == chain_.end())
          chain_.push_back(to);
        continue;
      }
      const auto row = static_cast<std::uint32_t>(live_.row_of(to));
      const auto end = edges.begin() + static_cast<std::ptrdiff_t>(size);
      if (size < edges.size() && to != element && std::find(edges.begin(), end, row) == end)
        edges[size++] = row;
    }
  };
  follow(links);
  for (std::size_t next = 0; next < chain_.size() && size < edges.size(); ++next)
    follow(links_of_deleted(chain_[next]));
}

std::uint64_t IndexSource::stamp() const {
  build::Hash hash;
  add_file_stamp(hash, path_);
  return hash.value();
}

std::string IndexSource::row_name(std::uint64_t row) const {
  return "element " + std::to_string(live_.element_of(row)) + " of '" + path_ + "'";
}

}  // namespace cairn::tools

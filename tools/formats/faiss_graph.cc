#include "tools/formats/faiss_graph.h"

#include <algorithm>

#include "tools/formats/bytes.h"

namespace cairn::formats::faiss {
namespace {

constexpr std::size_t kLinkBytes = sizeof(std::int32_t);
constexpr std::size_t kOffsetBytes = sizeof(std::uint64_t);
constexpr std::uint32_t kNoLink = 0xffff'ffffu;  // -1

}  // namespace

Result<Graph> Graph::take(Cursor& in, std::uint64_t elements) {
  const File& file = in.file();
  CAIRN_ASSIGN(ReadWindow offsets_window, file.window(std::size_t{64} << 10));
  CAIRN_ASSIGN(ReadWindow links_window, file.window());
  Graph graph(file, std::move(offsets_window), std::move(links_window));
  graph.elements_ = elements;
  CAIRN_TRY(in.skip_vector(sizeof(double), "the shares of levels"));
  CAIRN_ASSIGN(const auto ends, in.take_vector<std::int32_t>("the links a level"));
  CAIRN_ASSIGN(const Region levels, in.skip_vector(sizeof(std::int32_t), "the levels"));
  CAIRN_ASSIGN(graph.offsets_, in.skip_vector(kOffsetBytes, "the offsets of links"));
  CAIRN_ASSIGN(graph.links_, in.skip_vector(kLinkBytes, "the links"));
  CAIRN_ASSIGN(const auto entry, in.take<std::int32_t>());
  CAIRN_TRY(in.skip(4, sizeof(std::int32_t), "what a graph is searched with"));
  if (levels.count != elements || graph.offsets_.count != elements + 1)
    return file.corrupt("read the graph of",
                        std::to_string(levels.count) + " levels and " +
                            std::to_string(graph.offsets_.count) + " offsets",
                        std::to_string(elements) + " and one more");
  const bool entered = entry >= 0 && static_cast<std::uint64_t>(entry) < elements;
  if (elements != 0 && !entered)
    return file.corrupt("read the graph of", "entry point " + std::to_string(entry),
                        "an element below " + std::to_string(elements));
  CAIRN_TRY(graph.take_ends(ends));
  CAIRN_TRY(graph.check_levels(ends, levels));
  CAIRN_TRY(graph.check_links());
  return graph;
}

/// `ends`: where the links of each level end, of one element.
Status Graph::take_ends(const std::vector<std::int32_t>& ends) {
  if (elements_ == 0) return {};
  const bool whole = ends.size() >= 2 && ends[0] == 0 && ends[1] > 0;
  if (!whole || !std::ranges::is_sorted(ends))
    return file_.corrupt("read the links a level of", "numbers that do not ascend from 0",
                         "0, those of level 0, those of levels 0 and 1, ..");
  links_max_ = static_cast<std::uint32_t>(ends[1]);
  return {};
}

Result<std::uint64_t> Graph::offset_of(std::uint64_t element) {
  std::uint64_t offset = 0;
  CAIRN_TRY(offsets_window_.copy(offsets_.offset + element * kOffsetBytes,
                                 std::as_writable_bytes(std::span(&offset, 1))));
  return offset;
}

/// Levels count from 1: an element of level 1 has links at level 0 alone.
Status Graph::check_levels(const std::vector<std::int32_t>& ends, Region levels) {
  CAIRN_ASSIGN(ReadWindow window, file_.window(std::size_t{64} << 10));
  upper_.resize(static_cast<std::size_t>(elements_));
  std::uint64_t end = 0;
  for (std::uint64_t element = 0; element <= elements_; ++element) {
    CAIRN_ASSIGN(const std::uint64_t offset, offset_of(element));
    if (offset != end)
      return file_.corrupt(
          "read the graph of",
          "links of element " + std::to_string(element) + " from " + std::to_string(offset) + " on",
          std::to_string(end) + ", where those before it end");
    if (element == elements_) break;
    CAIRN_ASSIGN(const auto bytes, window.at(levels.offset + element * sizeof(std::int32_t), 4));
    const auto level = static_cast<std::int32_t>(load_u32(bytes.data()));
    if (level < 1 || static_cast<std::size_t>(level) >= ends.size())
      return file_.corrupt(
          "read the graph of",
          "level " + std::to_string(level) + " of element " + std::to_string(element),
          "1 to " + std::to_string(ends.size() - 1));
    end += static_cast<std::uint64_t>(ends[static_cast<std::size_t>(level)]);
    upper_[static_cast<std::size_t>(element)] = level > 1;
  }
  if (end == links_.count) return {};
  return file_.corrupt("read the graph of", std::to_string(links_.count) + " links",
                       std::to_string(end) + " for the levels of its elements");
}

Status Graph::check_link(std::uint32_t link, std::uint64_t at) const {
  if (link == kNoLink || link < elements_) return {};
  return file_.corrupt("read the links of",
                       "element " + std::to_string(static_cast<std::int32_t>(link)) + " as link " +
                           std::to_string(at),
                       "-1, or an element below " + std::to_string(elements_));
}

Status Graph::check_links() {
  constexpr std::uint64_t kAtOnce = std::uint64_t{64} << 10;
  for (std::uint64_t first = 0; first < links_.count; first += kAtOnce) {
    const auto count = static_cast<std::size_t>(std::min(kAtOnce, links_.count - first));
    CAIRN_ASSIGN(const auto bytes,
                 links_window_.at(links_.offset + first * kLinkBytes, count * kLinkBytes));
    for (std::size_t i = 0; i < count; ++i)
      CAIRN_TRY(check_link(load_u32(bytes.data() + i * kLinkBytes), first + i));
  }
  return {};
}

/// Everything was looked at before, but the file may have changed since.
Status Graph::read(std::uint64_t first, std::span<std::uint32_t> links) {
  std::ranges::fill(links, kNoElement);
  for (; !links.empty(); ++first, links = links.subspan(links_max_)) {
    CAIRN_ASSIGN(const std::uint64_t begin, offset_of(first));
    CAIRN_ASSIGN(const std::uint64_t end, offset_of(first + 1));
    if (begin > end || end > links_.count || end - begin < links_max_)
      return file_.corrupt(
          "read the links of",
          "those of element " + std::to_string(first) + " from " + std::to_string(begin) + " to " +
              std::to_string(end),
          "at least " + std::to_string(links_max_) + " of " + std::to_string(links_.count));
    // Those above level 0 too: reading goes on behind them.
    CAIRN_ASSIGN(const auto bytes,
                 links_window_.at(links_.offset + begin * kLinkBytes,
                                  static_cast<std::size_t>(end - begin) * kLinkBytes));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < links_max_; ++i) {
      const std::uint32_t link = load_u32(bytes.data() + i * kLinkBytes);
      CAIRN_TRY(check_link(link, begin + i));
      if (link == kNoLink) break;
      // Threads that add at once can find what they add.
      if (link != first) links[kept++] = link;
    }
  }
  return {};
}

}  // namespace cairn::formats::faiss

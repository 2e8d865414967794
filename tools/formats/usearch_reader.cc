#include "tools/formats/usearch_reader.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "tools/formats/bytes.h"
#include "tools/formats/half.h"
#include "tools/formats/index_checks.h"
#include "tools/formats/read_window.h"
#include "tools/formats/usearch_head.h"

namespace cairn::formats {
namespace {

constexpr std::size_t kLevelBytes = 2, kCountBytes = 4;
/// Where the nodes of so many elements begin is kept; a jump reads the levels of fewer.
constexpr std::uint64_t kBlock = 4096;

std::string number(std::uint64_t value) { return std::to_string(value); }

struct Parts {
  UsearchMatrix matrix;
  UsearchHead head;
  UsearchGraph graph;

  std::uint64_t levels_offset() const {
    return matrix.end() + kUsearchHeadBytes + kUsearchGraphBytes;
  }
  std::uint64_t nodes_offset() const { return levels_offset() + graph.elements * kLevelBytes; }
  std::size_t list_bytes(std::uint64_t level) const {
    const std::uint64_t links = level == 0 ? graph.degree_max0 : graph.degree_max;
    return kCountBytes + static_cast<std::size_t>(links) * head.slot_bytes;
  }
  /// Key, level and links of level 0.
  std::size_t node_bytes() const { return head.key_bytes + kLevelBytes + list_bytes(0); }
};

template <float (*Decode)(std::uint16_t)>
void decode_halves(std::span<const std::byte> raw, std::byte* row) {
  for (std::size_t i = 0; 2 * i < raw.size(); ++i) {
    const float value = Decode(load_u16(&raw[2 * i]));
    std::memcpy(row + 4 * i, &value, sizeof value);
  }
}

double load_f64(const std::byte* at) {
  double value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void decode_row(UsearchScalar scalar, std::span<const std::byte> raw, std::byte* row) {
  switch (scalar) {
    case UsearchScalar::f16:
      return decode_halves<float_of_f16>(raw, row);
    case UsearchScalar::bf16:
      return decode_halves<float_of_bf16>(raw, row);
    case UsearchScalar::f64:
      for (std::size_t i = 0; 8 * i < raw.size(); ++i) {
        const auto value = static_cast<float>(load_f64(&raw[8 * i]));
        std::memcpy(row + 4 * i, &value, sizeof value);
      }
      return;
    case UsearchScalar::f32:
    case UsearchScalar::u8:
    case UsearchScalar::i8:
      std::memcpy(row, raw.data(), raw.size());
  }
}

class UsearchReader final : public IndexReader {
 public:
  UsearchReader(const Parts& parts, std::string name, std::uint64_t file_bytes)
      : parts_(parts), name_(std::move(name)), file_bytes_(file_bytes), errors_("USearch", name_) {
    const auto& [matrix, head, graph] = parts_;
    deleted_.resize(static_cast<std::size_t>(graph.elements));
    upper_.resize(deleted_.size());
    facts_ = {.kind = head.kind() + ", M " + number(graph.degree_max) +
                      (head.multi ? ", several vectors a key" : ""),
              .dtype = usearch_dtype(head.scalar),
              .dim = head.dim,
              .metric = head.metric,
              .elements = graph.elements,
              .labelled = true,
              .links_max = static_cast<std::uint32_t>(graph.degree_max0)};
  }

  /// The checking pass.
  Status open(const OpenSource& open) {
    const auto window = [&](std::optional<ReadWindow>& into, std::size_t bytes) -> Status {
      CAIRN_ASSIGN(auto source, open());
      into.emplace(std::move(source), name_,
                   static_cast<std::size_t>(std::min<std::uint64_t>(bytes, file_bytes_)));
      return {};
    };
    CAIRN_TRY(window(levels_, kBlock * kLevelBytes));
    CAIRN_TRY(window(keys_.window, ReadWindow::kBytes));
    CAIRN_TRY(window(links_.window, ReadWindow::kBytes));
    CAIRN_TRY(window(vectors_, ReadWindow::kBytes));
    CAIRN_TRY(check_levels());
    CAIRN_TRY(check_nodes());
    keys_.offset = links_.offset = parts_.nodes_offset();
    return parts_.head.scalar == UsearchScalar::f64 ? check_doubles() : Status{};
  }

  Status read(std::uint64_t first, std::span<std::byte> vectors, std::span<Label> labels) override {
    const std::size_t row_bytes = facts_.row_bytes();
    assert(vectors.size() == labels.size() * row_bytes && in_range(first, labels.size()));
    for (std::size_t i = 0; i < labels.size(); ++i) {
      CAIRN_ASSIGN(const auto raw, raw_row(first + i));
      decode_row(parts_.head.scalar, raw, vectors.data() + i * row_bytes);
      CAIRN_ASSIGN(const auto node, node_at(keys_, first + i));
      labels[i] = key_of(node);
    }
    return {};
  }

  Status read_links(std::uint64_t first, std::span<std::uint32_t> links) override {
    const std::size_t count = links.size() / facts_.links_max;
    assert(links.size() == count * facts_.links_max && in_range(first, count));
    for (std::size_t i = 0; i < count; ++i) {
      CAIRN_ASSIGN(const auto node, node_at(links_, first + i));
      const auto list = node.subspan(parts_.head.key_bytes + kLevelBytes);
      CAIRN_TRY(check_list(first + i, 0, list));
      auto link = links.begin() + static_cast<std::ptrdiff_t>(i * facts_.links_max);
      const auto end = link + static_cast<std::ptrdiff_t>(facts_.links_max);
      for (std::size_t n = 0; n < load_u32(list.data()); ++n)
        if (const std::uint64_t slot = slot_of(list, n); slot != first + i)
          *link++ = static_cast<std::uint32_t>(slot);
      std::fill(link, end, kNoElement);
    }
    return {};
  }

  bool deleted(std::uint64_t element) const override {
    return deleted_[static_cast<std::size_t>(element)];
  }
  bool upper(std::uint64_t element) const override {
    return upper_[static_cast<std::size_t>(element)];
  }

 private:
  /// Goes through the nodes, whose lengths differ.
  struct Nodes {
    std::optional<ReadWindow> window;
    std::uint64_t next = 0;    // element
    std::uint64_t offset = 0;  // of its node
  };

  bool in_range(std::uint64_t first, std::uint64_t count) const {
    return first <= facts_.elements && count <= facts_.elements - first;
  }

  Result<std::span<const std::byte>> raw_row(std::uint64_t element) {
    return vectors_->at(parts_.matrix.offset + element * parts_.matrix.row_bytes,
                        static_cast<std::size_t>(parts_.matrix.row_bytes));
  }

  /// Key, level and links of level 0.
  Result<std::span<const std::byte>> node_at(Nodes& nodes, std::uint64_t element) {
    if (element != nodes.next) {
      CAIRN_ASSIGN(nodes.offset, node_offset(element));
    }
    nodes.next = ~std::uint64_t{0};  // until it has been read
    CAIRN_ASSIGN(const auto node, nodes.window->at(nodes.offset, parts_.node_bytes()));
    CAIRN_TRY(check_level(element, level_of(node)));
    nodes.next = element + 1;
    nodes.offset += parts_.node_bytes() + level_of(node) * parts_.list_bytes(1);
    return node;
  }

  Result<std::uint64_t> node_offset(std::uint64_t element) {
    const std::uint64_t block = element / kBlock, first = block * kBlock;
    std::uint64_t levels = levels_before_[static_cast<std::size_t>(block)];
    CAIRN_ASSIGN(const auto some,
                 levels_->at(parts_.levels_offset() + first * kLevelBytes,
                             static_cast<std::size_t>(element - first) * kLevelBytes));
    for (std::size_t at = 0; at < some.size(); at += kLevelBytes) levels += load_u16(&some[at]);
    return parts_.nodes_offset() + element * parts_.node_bytes() + levels * parts_.list_bytes(1);
  }

  std::uint64_t key_of(std::span<const std::byte> node) const {
    return parts_.head.key_bytes == 8 ? load_u64(node.data()) : load_u32(node.data());
  }
  std::uint64_t level_of(std::span<const std::byte> node) const {
    return load_u16(&node[parts_.head.key_bytes]);
  }
  std::uint64_t slot_of(std::span<const std::byte> list, std::size_t n) const {
    const std::byte* at = &list[kCountBytes + n * parts_.head.slot_bytes];
    const std::uint64_t high = parts_.head.slot_bytes == 5 ? std::to_integer<unsigned>(at[4]) : 0;
    return load_u32(at) | high << 32;
  }

  Status check_level(std::uint64_t element, std::uint64_t level) const {
    if (level <= parts_.graph.level_max) return {};
    return errors_.corrupt("element " + number(element), "level " + number(level),
                           "at most " + number(parts_.graph.level_max) + ", as the head says");
  }

  Status check_levels() {
    const UsearchGraph& graph = parts_.graph;
    const std::uint64_t room = file_bytes_ - (parts_.levels_offset());
    if (graph.elements > room / (kLevelBytes + parts_.node_bytes()))
      return errors_.corrupt("nodes",
                             number(graph.elements) + " elements in " + number(room) + " bytes",
                             "at most " + number(room / (kLevelBytes + parts_.node_bytes())));
    std::uint64_t sum = 0, most = 0;
    for (std::uint64_t element = 0; element < graph.elements; ++element) {
      if (element % kBlock == 0) levels_before_.push_back(sum);
      CAIRN_ASSIGN(const std::uint64_t level, stored_level(element));
      CAIRN_TRY(check_level(element, level));
      upper_[static_cast<std::size_t>(element)] = level > 0;
      sum += level;
      most = std::max(most, level);
      if (element == graph.entry && level != graph.level_max)
        return errors_.corrupt("entry " + number(element), "level " + number(level),
                               "the highest, " + number(graph.level_max));
    }
    return check_end(sum);
  }

  Result<std::uint64_t> stored_level(std::uint64_t element) {
    CAIRN_ASSIGN(const auto level,
                 levels_->at(parts_.levels_offset() + element * kLevelBytes, kLevelBytes));
    return std::uint64_t{load_u16(level.data())};
  }

  /// Divided, not multiplied: the sum is whatever the file says.
  Status check_end(std::uint64_t levels) const {
    const std::uint64_t above =
        file_bytes_ - parts_.nodes_offset() - parts_.graph.elements * parts_.node_bytes();
    const std::size_t each = parts_.list_bytes(1);
    if (above % each == 0 && above / each == levels) return {};
    return errors_.corrupt("nodes", number(above) + " bytes of links above level 0",
                           number(levels) + " x " + number(each));
  }

  Status check_nodes() {
    links_.offset = parts_.nodes_offset();
    for (std::uint64_t element = 0; element < parts_.graph.elements; ++element) {
      CAIRN_ASSIGN(const std::uint64_t level, stored_level(element));
      std::uint64_t at = links_.offset + parts_.node_bytes();
      CAIRN_ASSIGN(const auto node, node_at(links_, element));
      if (level_of(node) != level)
        return errors_.corrupt("node of element " + number(element),
                               "level " + number(level_of(node)),
                               number(level) + " by the list of levels");
      const bool deleted = key_of(node) == parts_.head.free_key();
      deleted_[static_cast<std::size_t>(element)] = deleted;
      facts_.deleted += deleted ? 1 : 0;
      CAIRN_TRY(check_list(element, 0, node.subspan(parts_.head.key_bytes + kLevelBytes)));
      for (std::uint64_t above = 1; above <= level; ++above, at += parts_.list_bytes(1)) {
        CAIRN_ASSIGN(const auto list, links_.window->at(at, parts_.list_bytes(1)));
        CAIRN_TRY(check_list(element, above, list));
      }
    }
    links_.next = 0;
    if (facts_.deleted == parts_.head.deleted) return {};
    return errors_.corrupt("keys", number(facts_.deleted) + " that are free",
                           number(parts_.head.deleted) + ", as the head says");
  }

  Status check_list(std::uint64_t element, std::uint64_t level,
                    std::span<const std::byte> list) const {
    const std::size_t degree = load_u32(list.data());
    const std::size_t degree_max = (list.size() - kCountBytes) / parts_.head.slot_bytes;
    CAIRN_TRY(errors_.check_degree(element, level, degree, degree_max));
    for (std::size_t n = 0; n < degree; ++n)
      if (const std::uint64_t slot = slot_of(list, n); slot >= parts_.graph.elements)
        return errors_.bad_link(element, level, slot, "to one of " + number(parts_.graph.elements));
    return {};
  }

  /// Whether rounding to f32 changes any.
  Status check_doubles() {
    for (std::uint64_t element = 0; element < facts_.elements; ++element) {
      CAIRN_ASSIGN(const auto raw, raw_row(element));
      for (std::size_t at = 0; at < raw.size(); at += 8) {
        const double value = load_f64(&raw[at]);
        if (!std::isfinite(value)) continue;
        if (std::abs(value) > std::numeric_limits<float>::max())
          return fail({.code = ErrorCode::unsupported,
                       .what = "read element " + number(element) + " of the USearch index",
                       .file = name_,
                       .found = "a value of " + std::to_string(value),
                       .expected = "one that f32 can hold"});
        if (static_cast<double>(static_cast<float>(value)) != value)
          facts_.decoded_from = "64-bit floats";
      }
    }
    return {};
  }

  Parts parts_;
  std::string name_;
  std::uint64_t file_bytes_;
  PartErrors errors_;
  std::vector<bool> deleted_, upper_;         // a bit an element
  std::vector<std::uint64_t> levels_before_;  // each block: the sum of all levels
  std::optional<ReadWindow> vectors_, levels_;
  Nodes keys_, links_;
};

/// Sizes of the vectors stand in 32 bits or in 64 and nothing says which: the head behind them
/// does.
Result<UsearchMatrix> find_matrix(ReadWindow& window, std::uint64_t file_bytes) {
  const auto malformed = [](ErrorCode code, std::string found, std::string expected) {
    return fail({.code = code,
                 .what = "read the USearch index",
                 .found = std::move(found),
                 .expected = std::move(expected)});
  };
  const std::uint64_t least = 8 + kUsearchHeadBytes + kUsearchGraphBytes;
  if (file_bytes < least)
    return malformed(ErrorCode::corrupt, number(file_bytes) + " bytes",
                     "at least " + number(least));
  CAIRN_ASSIGN(const auto front, window.at(0, 16));
  if (is_usearch_head(front))
    return malformed(ErrorCode::unsupported, "no vectors before its head",
                     "an index saved with its vectors");
  const UsearchMatrix narrow = decode_usearch_matrix(front.first<16>(), false);
  const UsearchMatrix wide = decode_usearch_matrix(front.first<16>(), true);
  for (const UsearchMatrix& matrix : {narrow, wide}) {
    if (!matrix.fits(file_bytes)) continue;
    CAIRN_ASSIGN(const auto head, window.at(matrix.end(), kUsearchHeadBytes));
    if (is_usearch_head(head)) return matrix;
  }
  return malformed(ErrorCode::corrupt,
                   number(narrow.rows) + " x " + number(narrow.row_bytes) + " or " +
                       number(wide.rows) + " x " + number(wide.row_bytes) + " bytes at its front",
                   "the size of its vectors, with 'usearch' behind them");
}

Result<Parts> read_parts(ReadWindow& window, std::uint64_t file_bytes) {
  Parts parts;
  CAIRN_ASSIGN(parts.matrix, find_matrix(window, file_bytes));
  CAIRN_ASSIGN(const auto both,
               window.at(parts.matrix.end(), kUsearchHeadBytes + kUsearchGraphBytes));
  CAIRN_ASSIGN(parts.head, decode_usearch_head(both.first<kUsearchHeadBytes>(), parts.matrix));
  CAIRN_ASSIGN(parts.graph, decode_usearch_graph(both.last<kUsearchGraphBytes>(), parts.matrix));
  return parts;
}

}  // namespace

Result<std::unique_ptr<IndexReader>> open_usearch(const OpenSource& open, const std::string& name) {
  CAIRN_ASSIGN(auto source, open());
  CAIRN_ASSIGN(const std::uint64_t file_bytes, known_bytes(*source, name));
  ReadWindow window(std::move(source), name, kUsearchHeadBytes + kUsearchGraphBytes);
  auto parts = read_parts(window, file_bytes);
  if (!parts) return fail(std::move(parts.error()).in_file(name));
  auto reader = std::make_unique<UsearchReader>(*parts, name, file_bytes);
  CAIRN_TRY(reader->open(open));
  return std::unique_ptr<IndexReader>{std::move(reader)};
}

}  // namespace cairn::formats

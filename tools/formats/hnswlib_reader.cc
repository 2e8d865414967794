#include "tools/formats/hnswlib_reader.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "tools/formats/bytes.h"
#include "tools/formats/index_checks.h"
#include "tools/formats/read_window.h"

namespace cairn::formats {
namespace {

constexpr std::size_t kDegreeBytes = 4, kNeighborBytes = 4, kLabelBytes = 8;
constexpr std::size_t kUpperBytes = 4;  // that say how many bytes of links above level 0 follow
constexpr std::size_t kFlagsOffset = 2;
constexpr std::byte kDeletedFlag{1};
constexpr std::uint64_t kDegreeMin = 2;            // 1 / ln 1 is infinite: all levels are lost
constexpr std::uint64_t kDegreeMax = 0xffffu / 2;  // a list of level 0 counts its 2 M in 16 bits

std::string number(std::uint64_t value) { return std::to_string(value); }

tl::unexpected<Error> bad_header(ErrorCode code, std::string found, std::string expected) {
  return fail({.code = code,
               .what = "read the header of the hnswlib index",
               .found = std::move(found),
               .expected = std::move(expected)});
}

Status check_degrees(const HnswlibHeader& header) {
  if (header.offset_level0 != 0)
    return bad_header(ErrorCode::corrupt, "level 0 at byte " + number(header.offset_level0),
                      "0 in the first 8 bytes, as saveIndex writes it");
  if (header.degree < kDegreeMin || header.degree > kDegreeMax)
    return bad_header(ErrorCode::corrupt, "M " + number(header.degree),
                      number(kDegreeMin) + " to " + number(kDegreeMax));
  if (header.degree_max != header.degree || header.degree_max0 != 2 * header.degree)
    return bad_header(
        ErrorCode::corrupt,
        "at most " + number(header.degree_max) + " and " + number(header.degree_max0) + " links",
        number(header.degree) + " and " + number(2 * header.degree) + " by its M");
  const double factor = 1 / std::log(static_cast<double>(header.degree));
  if (!(std::abs(header.level_factor - factor) < 1e-6))
    return bad_header(ErrorCode::corrupt, "level factor " + std::to_string(header.level_factor),
                      std::to_string(factor) + " by its M");
  return {};
}

/// Offsets within a record; no product here exceeds 2^32.
Status check_record(const HnswlibHeader& header) {
  const std::uint64_t links_end = kDegreeBytes + kNeighborBytes * header.degree_max0;
  if (header.vector_offset != links_end)
    return bad_header(ErrorCode::corrupt, "vectors at byte " + number(header.vector_offset),
                      number(links_end) + " of a record by its M");
  const std::uint64_t vector_bytes_max = std::uint64_t{kDimMax} * dtype_bytes(DType::f32);
  if (header.label_offset <= links_end || header.label_offset - links_end > vector_bytes_max)
    return bad_header(ErrorCode::corrupt, "labels at byte " + number(header.label_offset),
                      number(links_end + 1) + " to " + number(links_end + vector_bytes_max));
  if (header.element_bytes != header.label_offset + kLabelBytes)
    return bad_header(ErrorCode::corrupt, "records of " + number(header.element_bytes) + " bytes",
                      number(header.label_offset + kLabelBytes));
  return {};
}

Status check_population(const HnswlibHeader& header, std::uint64_t file_bytes) {
  if (header.elements > header.elements_max)
    return bad_header(ErrorCode::corrupt, number(header.elements) + " elements",
                      "at most its capacity of " + number(header.elements_max));
  const std::uint64_t fit =
      (file_bytes - sizeof(HnswlibHeader)) / (header.element_bytes + kUpperBytes);
  if (header.elements > fit)
    return bad_header(ErrorCode::corrupt, number(header.elements) + " elements",
                      "at most " + number(fit) + " in " + number(file_bytes) + " bytes");
  if (header.elements > kElementsMax)
    return bad_header(ErrorCode::over_limit, number(header.elements) + " elements",
                      "at most " + number(kElementsMax));
  const std::string entry =
      "entry " + number(header.entry) + " at level " + std::to_string(header.level_max);
  if (header.elements == 0 && (header.level_max != -1 || header.entry != kNoElement))
    return bad_header(ErrorCode::corrupt, entry, "none, as there are no elements");
  if (header.elements > 0 && (header.level_max < 0 || header.entry >= header.elements))
    return bad_header(ErrorCode::corrupt, entry,
                      "one of the " + number(header.elements) + " elements, at level 0 or above");
  return {};
}

class HnswlibReader final : public IndexReader {
 public:
  HnswlibReader(const HnswlibHeader& header, const HnswlibShape& shape, std::string name,
                std::uint64_t file_bytes)
      : header_(header),
        name_(std::move(name)),
        file_bytes_(file_bytes),
        errors_("hnswlib", name_),
        deleted_(static_cast<std::size_t>(header.elements)),
        upper_(deleted_.size()) {
    facts_ = {.kind = "hnswlib, M " + number(header.degree),
              .dtype = shape.dtype,
              .dim = shape.dim,
              .elements = header.elements,
              .labelled = true,
              .links_max = static_cast<std::uint32_t>(header.degree_max0)};
  }

  /// The checking pass; it reads through what becomes the window of the vectors.
  Status open(std::unique_ptr<ByteSource> source, const OpenSource& open) {
    const auto window_bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(file_bytes_, ReadWindow::kBytes));
    vectors_.emplace(std::move(source), name_, window_bytes);
    CAIRN_TRY(check_elements());
    CAIRN_TRY(check_upper_links());
    CAIRN_ASSIGN(auto second, open());
    links_.emplace(std::move(second), name_, window_bytes);
    return {};
  }

  Status read(std::uint64_t first, std::span<std::byte> vectors, std::span<Label> labels) override {
    const std::size_t row_bytes = facts_.row_bytes();
    assert(vectors.size() == labels.size() * row_bytes && in_range(first, labels.size()));
    for (std::size_t i = 0; i < labels.size(); ++i) {
      CAIRN_ASSIGN(const auto part, vectors_->at(record_offset(first + i) + header_.vector_offset,
                                                 row_bytes + kLabelBytes));
      std::memcpy(vectors.data() + i * row_bytes, part.data(), row_bytes);
      labels[i] = load_u64(part.data() + row_bytes);
    }
    return {};
  }

  Status read_links(std::uint64_t first, std::span<std::uint32_t> links) override {
    const std::size_t count = links.size() / facts_.links_max;
    assert(links.size() == count * facts_.links_max && in_range(first, count));
    for (std::size_t i = 0; i < count; ++i) {
      CAIRN_ASSIGN(const auto list, links_->at(record_offset(first + i),
                                               static_cast<std::size_t>(header_.vector_offset)));
      CAIRN_TRY(check_list(first + i, 0, list));
      const auto row = links.subspan(i * facts_.links_max, facts_.links_max);
      const std::size_t degree = load_u16(list.data());
      std::memcpy(row.data(), list.data() + kDegreeBytes, degree * kNeighborBytes);
      std::ranges::fill(row.subspan(degree), kNoElement);
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
  bool in_range(std::uint64_t first, std::uint64_t count) const {
    return first <= facts_.elements && count <= facts_.elements - first;
  }
  std::uint64_t record_offset(std::uint64_t element) const {
    return sizeof(HnswlibHeader) + element * header_.element_bytes;
  }

  Status check_elements() {
    for (std::uint64_t element = 0; element < header_.elements; ++element) {
      CAIRN_ASSIGN(const auto list, vectors_->at(record_offset(element),
                                                 static_cast<std::size_t>(header_.vector_offset)));
      CAIRN_TRY(check_list(element, 0, list));
      const bool deleted = (list[kFlagsOffset] & kDeletedFlag) != std::byte{0};
      deleted_[static_cast<std::size_t>(element)] = deleted;
      facts_.deleted += deleted ? 1 : 0;
    }
    return {};
  }

  Status check_upper_links() {
    std::uint64_t at = record_offset(header_.elements), levels_most = 0, levels_of_entry = 0;
    for (std::uint64_t element = 0; element < header_.elements; ++element) {
      CAIRN_ASSIGN(const std::uint64_t levels, check_upper_links_of(element, at));
      at += kUpperBytes + levels * level_bytes();
      upper_[static_cast<std::size_t>(element)] = levels > 0;
      levels_most = std::max(levels_most, levels);
      if (element == header_.entry) levels_of_entry = levels;
    }
    if (header_.elements > 0 && levels_most != static_cast<std::uint64_t>(header_.level_max))
      return errors_.corrupt("elements", "levels up to " + number(levels_most),
                             std::to_string(header_.level_max) + ", as the header says");
    if (levels_of_entry != levels_most)
      return errors_.corrupt("entry " + number(header_.entry), "level " + number(levels_of_entry),
                             "the highest, " + number(levels_most));
    if (at == file_bytes_) return {};
    return errors_.corrupt("links above level 0", "their end at byte " + number(at),
                           "it at the end of the file, " + number(file_bytes_));
  }

  /// How many levels above 0 the element at byte `at` has.
  Result<std::uint64_t> check_upper_links_of(std::uint64_t element, std::uint64_t at) {
    CAIRN_ASSIGN(const auto head, vectors_->at(at, kUpperBytes));
    const std::uint64_t bytes = load_u32(head.data()), levels = bytes / level_bytes();
    if (bytes % level_bytes() != 0 || levels > static_cast<std::uint64_t>(header_.level_max))
      return errors_.corrupt("element " + number(element),
                             number(bytes) + " bytes of links above level 0",
                             "at most " + std::to_string(header_.level_max) + " levels of " +
                                 number(level_bytes()) + " bytes");
    at += kUpperBytes;
    for (std::uint64_t level = 1; level <= levels; ++level, at += level_bytes()) {
      CAIRN_ASSIGN(const auto list, vectors_->at(at, static_cast<std::size_t>(level_bytes())));
      CAIRN_TRY(check_list(element, level, list));
    }
    return levels;
  }

  std::uint64_t level_bytes() const { return kDegreeBytes + kNeighborBytes * header_.degree_max; }

  Status check_list(std::uint64_t element, std::uint64_t level,
                    std::span<const std::byte> list) const {
    const std::size_t degree = load_u16(list.data());
    const std::size_t degree_max = (list.size() - kDegreeBytes) / kNeighborBytes;
    CAIRN_TRY(errors_.check_degree(element, level, degree, degree_max));
    for (std::size_t i = 0; i < degree; ++i) {
      const std::uint32_t neighbor = load_u32(list.data() + kDegreeBytes + i * kNeighborBytes);
      if (neighbor >= header_.elements || neighbor == element)
        return errors_.bad_link(element, level, neighbor,
                                "to another of " + number(header_.elements));
    }
    return {};
  }

  HnswlibHeader header_;
  std::string name_;
  std::uint64_t file_bytes_;
  PartErrors errors_;
  std::vector<bool> deleted_, upper_;  // a bit an element
  std::optional<ReadWindow> vectors_, links_;
};

/// For whoever gave the wrong shape: those that have vectors of so many bytes.
std::string shapes_of(std::uint64_t vector_bytes) {
  std::string shapes;
  if (vector_bytes % 4 == 0 && vector_bytes / 4 <= kDimMax)
    shapes = "dim " + number(vector_bytes / 4) + " of f32";
  if (vector_bytes <= kDimMax)
    shapes += (shapes.empty() ? "dim " : ", ") + number(vector_bytes) + " of u8 or i8";
  return shapes.empty() ? "no shape that Cairn takes" : shapes;
}

}  // namespace

Result<HnswlibHeader> decode_hnswlib_header(std::span<const std::byte> head,
                                            std::uint64_t file_bytes, std::uint64_t vector_bytes) {
  HnswlibHeader header;
  if (head.size() < sizeof header || file_bytes < sizeof header)
    return bad_header(ErrorCode::corrupt,
                      number(std::min<std::uint64_t>(head.size(), file_bytes)) + " bytes",
                      "at least " + number(sizeof header));
  std::memcpy(&header, head.data(), sizeof header);
  CAIRN_TRY(check_degrees(header));
  CAIRN_TRY(check_record(header));
  CAIRN_TRY(check_population(header, file_bytes));
  const std::uint64_t room = header.label_offset - header.vector_offset;
  if (room != vector_bytes)
    return bad_header(ErrorCode::invalid_argument,
                      "vectors of " + number(room) + " bytes (" + shapes_of(room) + ")",
                      number(vector_bytes) + " bytes by the dimension and element type given");
  return header;
}

Result<std::unique_ptr<IndexReader>> open_hnswlib(const OpenSource& open, const std::string& name,
                                                  const HnswlibShape& shape) {
  if (shape.dim == 0 || shape.dim > kDimMax)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "read the hnswlib index",
                 .file = name,
                 .found = "dimension " + number(shape.dim) + " given",
                 .expected = "1 to " + number(kDimMax)});
  CAIRN_ASSIGN(auto source, open());
  CAIRN_ASSIGN(const std::uint64_t file_bytes, known_bytes(*source, name));
  std::array<std::byte, sizeof(HnswlibHeader)> head;
  CAIRN_ASSIGN(const std::size_t got, source->read(head));
  auto header = decode_hnswlib_header(std::span{head}.first(got), file_bytes, shape.row_bytes());
  if (!header) return fail(std::move(header.error()).in_file(name));
  auto reader = std::make_unique<HnswlibReader>(*header, shape, name, file_bytes);
  CAIRN_TRY(reader->open(std::move(source), open));
  return std::unique_ptr<IndexReader>{std::move(reader)};
}

}  // namespace cairn::formats

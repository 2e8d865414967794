#include "tools/formats/faiss_lists.h"

#include <algorithm>
#include <string>

namespace cairn::formats::faiss {
namespace {

constexpr std::uint64_t kIdBytes = sizeof(std::int64_t);

/// How many elements a list has, as the file tells them: of all lists, or of those with some.
class ListSizes {
 public:
  static Result<ListSizes> take(Cursor& in, std::uint64_t lists) {
    CAIRN_ASSIGN(const auto coding, in.take<FourCC>());
    if (coding != fourcc("full") && coding != fourcc("sprs"))
      return in.file().corrupt("read the sizes of lists of", shown(coding), "'full' or 'sprs'");
    const bool sparse = coding == fourcc("sprs");
    CAIRN_ASSIGN(const Region region, in.skip_vector(sizeof(std::uint64_t), "the sizes of lists"));
    if (sparse ? region.count % 2 != 0 : region.count != lists)
      return in.file().corrupt("read the sizes of lists of",
                               std::to_string(region.count) + " numbers",
                               sparse ? "pairs" : std::to_string(lists));
    CAIRN_ASSIGN(ReadWindow window, in.file().window(std::size_t{64} << 10));
    return ListSizes(std::move(window), region, sparse);
  }

  std::uint64_t count() const { return sparse_ ? region_.count / 2 : region_.count; }

  struct Size {
    std::uint64_t list = 0;
    std::uint64_t elements = 0;
  };
  Result<Size> at(std::uint64_t i) {
    std::uint64_t numbers[2] = {i, 0};
    const auto bytes = std::as_writable_bytes(std::span(numbers));
    if (sparse_) {
      CAIRN_TRY(window_.copy(region_.offset + i * sizeof numbers, bytes));
    } else {
      CAIRN_TRY(window_.copy(region_.offset + i * sizeof(std::uint64_t), bytes.last(8)));
    }
    return Size{numbers[0], numbers[1]};
  }

 private:
  ListSizes(ReadWindow window, Region region, bool sparse)
      : window_(std::move(window)), region_(region), sparse_(sparse) {}

  ReadWindow window_;
  Region region_;
  bool sparse_;
};

/// Calls `use(size)` for each list with elements.
template <class Use>
Status each_list(const File& file, ListSizes& sizes, std::uint64_t lists, Use use) {
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < sizes.count(); ++i) {
    CAIRN_ASSIGN(const ListSizes::Size size, sizes.at(i));
    if (size.list < next || size.list >= lists)
      return file.corrupt("read the sizes of lists of", "list " + std::to_string(size.list),
                          "ascending numbers below " + std::to_string(lists));
    next = size.list + 1;
    if (size.elements != 0) CAIRN_TRY(use(size));
  }
  return {};
}

tl::unexpected<Error> other_lists(const File& file, FourCC kind) {
  constexpr const char* kWhat = "read the inverted lists of";
  if (kind == fourcc("ilod"))
    return file.unsupported(kWhat, "'ilod': they lie in another file, which this one names",
                            "lists in this file: write the index anew with them in memory");
  if (kind == fourcc("il00"))
    return file.unsupported(kWhat, "'il00': they were not written", "lists in this file ('ilar')");
  return file.unsupported(kWhat, shown(kind), "lists in this file ('ilar')");
}

class ListRows final : public Rows {
 public:
  ListRows(ReadWindow window, std::shared_ptr<const ListTable> table, std::unique_ptr<Codec> codec,
           std::uint32_t dim, std::unique_ptr<Rows> centroids)
      : window_(std::move(window)),
        table_(std::move(table)),
        codec_(std::move(codec)),
        dim_(dim),
        centroids_(std::move(centroids)) {}

  Status read(std::uint64_t first, std::span<float> vectors) override {
    while (!vectors.empty()) {
      const ListTable::Part part = table_->part(first, vectors.size() / dim_);
      const auto some = vectors.first(part.count * dim_);
      CAIRN_TRY(decode_codes(window_, part.codes, *codec_, dim_, some));
      if (centroids_) CAIRN_TRY(add_centroid(part.list, some));
      first += part.count;
      vectors = vectors.subspan(some.size());
    }
    return {};
  }

 private:
  Status add_centroid(std::uint64_t list, std::span<float> vectors) {
    if (centroid_of_ != list) {
      centroid_of_.reset();
      centroid_.resize(dim_);
      CAIRN_TRY(centroids_->read(list, centroid_));
      centroid_of_ = list;
    }
    for (std::size_t i = 0; i < vectors.size(); i += dim_)
      for (std::size_t j = 0; j < dim_; ++j) vectors[i + j] += centroid_[j];
    return {};
  }

  ReadWindow window_;
  std::shared_ptr<const ListTable> table_;
  std::unique_ptr<Codec> codec_;
  std::uint32_t dim_;
  std::unique_ptr<Rows> centroids_;
  std::vector<float> centroid_;
  std::optional<std::uint64_t> centroid_of_;
};

class ListLabels final : public Labels {
 public:
  ListLabels(File file, ReadWindow window, std::shared_ptr<const ListTable> table)
      : file_(std::move(file)), window_(std::move(window)), table_(std::move(table)) {}

  Status read(std::uint64_t first, std::span<Label> labels) override {
    while (!labels.empty()) {
      const ListTable::Part part = table_->part(first, labels.size());
      const auto some = labels.first(part.count);
      CAIRN_TRY(window_.copy(part.ids, std::as_writable_bytes(some)));
      for (std::size_t i = 0; i < some.size(); ++i)
        if (some[i] >> 63 != 0)
          return file_.corrupt("read the ids of list " + std::to_string(part.list) + " of",
                               std::to_string(static_cast<std::int64_t>(some[i])) +
                                   " for element " + std::to_string(first + i),
                               "an id of at least 0");
      first += part.count;
      labels = labels.subspan(part.count);
    }
    return {};
  }

 private:
  File file_;
  ReadWindow window_;
  std::shared_ptr<const ListTable> table_;
};

}  // namespace

ListTable::Part ListTable::part(std::uint64_t element, std::size_t count) const {
  const auto next = std::ranges::upper_bound(lists, element, {}, &List::first);
  const List& list = *std::prev(next);
  const std::uint64_t end = next == lists.end() ? elements : next->first;
  const std::uint64_t codes = offset + list.first * (code_bytes + kIdBytes);
  const std::uint64_t ids = codes + (end - list.first) * code_bytes;
  const std::uint64_t skipped = element - list.first;
  return {.list = list.number,
          .codes = codes + skipped * code_bytes,
          .ids = ids + skipped * kIdBytes,
          .count = static_cast<std::size_t>(std::min<std::uint64_t>(count, end - element))};
}

Result<ListTable> take_lists(Cursor& in, const ListShape& shape) {
  CAIRN_ASSIGN(const auto kind, in.take<FourCC>());
  if (kind != fourcc("ilar")) return other_lists(in.file(), kind);
  CAIRN_ASSIGN(const auto lists, in.take<std::uint64_t>());
  CAIRN_ASSIGN(const auto code_bytes, in.take<std::uint64_t>());
  if (lists != shape.lists || code_bytes != shape.code_bytes)
    return in.file().corrupt(
        "read the inverted lists of",
        std::to_string(lists) + " lists of codes of " + std::to_string(code_bytes) + " bytes",
        std::to_string(shape.lists) + " of " + std::to_string(shape.code_bytes) + " bytes");
  CAIRN_ASSIGN(ListSizes sizes, ListSizes::take(in, lists));
  ListTable table;
  table.offset = in.position();
  table.code_bytes = shape.code_bytes;
  CAIRN_TRY(each_list(in.file(), sizes, lists, [&](ListSizes::Size size) -> Status {
    CAIRN_TRY(in.skip(size.elements, code_bytes + kIdBytes, "the elements of a list"));
    table.lists.push_back({.first = table.elements, .number = size.list});
    table.elements += size.elements;
    return {};
  }));
  if (table.elements > shape.elements_max)
    return in.file().corrupt("read the inverted lists of",
                             std::to_string(table.elements) + " elements",
                             "at most " + std::to_string(shape.elements_max));
  return table;
}

Result<std::unique_ptr<Rows>> rows_of_lists(const File& file,
                                            std::shared_ptr<const ListTable> table,
                                            std::unique_ptr<Codec> codec, std::uint32_t dim,
                                            std::unique_ptr<Rows> centroids) {
  CAIRN_ASSIGN(ReadWindow window, file.window());
  return std::unique_ptr<Rows>{std::make_unique<ListRows>(
      std::move(window), std::move(table), std::move(codec), dim, std::move(centroids))};
}

Result<std::unique_ptr<Labels>> labels_of_lists(const File& file,
                                                std::shared_ptr<const ListTable> table) {
  const std::uint64_t elements = table->elements;
  // Between the ids of two lists lie codes that nobody wants here.
  CAIRN_ASSIGN(ReadWindow window, file.window(std::size_t{64} << 10));
  auto labels = std::make_unique<ListLabels>(file, std::move(window), std::move(table));
  CAIRN_TRY(check_labels(*labels, elements));
  return std::unique_ptr<Labels>{std::move(labels)};
}

}  // namespace cairn::formats::faiss

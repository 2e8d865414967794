#include "tools/formats/faiss_id_map.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace cairn::formats::faiss {
namespace {

constexpr std::size_t kIdBytes = sizeof(std::int64_t);

class MapLabels final : public Labels {
 public:
  MapLabels(File file, ReadWindow window, Region ids)
      : file_(std::move(file)), window_(std::move(window)), ids_(ids) {}

  Status read(std::uint64_t first, std::span<Label> labels) override {
    CAIRN_TRY(window_.copy(ids_.offset + first * kIdBytes, std::as_writable_bytes(labels)));
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels[i] >> 63 != 0)
        return file_.unsupported("read the id map of",
                                 std::to_string(static_cast<std::int64_t>(labels[i])) +
                                     " for number " + std::to_string(first + i),
                                 "an id of at least 0");
    return {};
  }

 private:
  File file_;
  ReadWindow window_;
  Region ids_;
};

/// Numbers that have an id.
class CheckedNumbers final : public Labels {
 public:
  CheckedNumbers(File file, std::unique_ptr<Labels> numbers, std::uint64_t below)
      : file_(std::move(file)), numbers_(std::move(numbers)), below_(below) {}

  Status read(std::uint64_t first, std::span<Label> labels) override {
    CAIRN_TRY(numbers_->read(first, labels));
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels[i] >= below_)
        return file_.corrupt(
            "read the id map of",
            "number " + std::to_string(labels[i]) + " at element " + std::to_string(first + i),
            "a number below " + std::to_string(below_));
    return {};
  }

 private:
  File file_;
  std::unique_ptr<Labels> numbers_;
  std::uint64_t below_;
};

class NumberedLabels final : public Labels {
 public:
  NumberedLabels(std::unique_ptr<Labels> map, std::unique_ptr<Labels> numbers,
                 std::uint64_t elements)
      : map_(std::move(map)), numbers_(std::move(numbers)), elements_(elements) {}

  Status read(std::uint64_t first, std::span<Label> labels) override {
    while (!labels.empty()) {
      if (first < batch_first_ || first - batch_first_ >= batch_.size()) CAIRN_TRY(load(first));
      const auto from = std::span<const Label>(batch_).subspan(first - batch_first_);
      const std::size_t count = std::min(from.size(), labels.size());
      std::ranges::copy(from.first(count), labels.begin());
      labels = labels.subspan(count);
      first += count;
    }
    return {};
  }

 private:
  /// The batch of `element`; none after an error.
  Status load(std::uint64_t element) {
    constexpr std::uint64_t kBatch = std::uint64_t{1} << 20;
    const std::uint64_t first = element / kBatch * kBatch;
    std::vector<Label> batch = std::exchange(batch_, {});
    batch.resize(std::min(kBatch, elements_ - first));
    CAIRN_TRY(numbers_->read(first, batch));
    order_.resize(batch.size());
    std::iota(order_.begin(), order_.end(), 0U);
    std::ranges::sort(order_, {}, [&](std::uint32_t i) { return batch[i]; });
    for (const std::uint32_t i : order_) CAIRN_TRY(map_->read(batch[i], std::span(&batch[i], 1)));
    batch_ = std::move(batch);
    batch_first_ = first;
    return {};
  }

  std::unique_ptr<Labels> map_, numbers_;
  std::uint64_t elements_;
  std::vector<Label> batch_;  // of elements from batch_first_ on
  std::uint64_t batch_first_ = 0;
  std::vector<std::uint32_t> order_;  // places of a batch, by their numbers
};

}  // namespace

Result<std::unique_ptr<Labels>> labels_of_map(const File& file, Region ids,
                                              std::unique_ptr<Labels> numbers,
                                              std::uint64_t elements) {
  CAIRN_ASSIGN(ReadWindow window, file.window(std::size_t{256} << 10));
  std::unique_ptr<Labels> map = std::make_unique<MapLabels>(file, std::move(window), ids);
  CAIRN_TRY(check_labels(*map, ids.count));
  if (!numbers) return map;
  numbers = std::make_unique<CheckedNumbers>(file, std::move(numbers), ids.count);
  CAIRN_TRY(check_labels(*numbers, elements));
  return std::unique_ptr<Labels>{
      std::make_unique<NumberedLabels>(std::move(map), std::move(numbers), elements)};
}

}  // namespace cairn::formats::faiss

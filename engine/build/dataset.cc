#include "engine/build/dataset.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>
#include <string>

#include "engine/build/hash.h"
#include "engine/math/row_check.h"

namespace cairn::build {
namespace {

Error bad_argument(std::string what, std::string found, std::string expected) {
  return {.code = ErrorCode::invalid_argument,
          .what = std::move(what),
          .found = std::move(found),
          .expected = std::move(expected)};
}

}  // namespace

void GrowingBytes::reserve_more(std::size_t extra) {
  if (extra <= capacity_ - size_) return;
  const std::size_t capacity = std::max(size_ + extra, capacity_ + capacity_ / 2);
  void* grown = std::realloc(data_.get(), capacity);
  if (grown == nullptr) throw std::bad_alloc();
  (void)data_.release();  // realloc took it over
  data_.reset(static_cast<std::byte*>(grown));
  capacity_ = capacity;
}

void GrowingBytes::append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  reserve_more(bytes.size());
  std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

Status Dataset::check_batch(const VectorBatch& batch, std::span<const Label> labels) const {
  if (batch.dim != dim_)
    return fail(bad_argument("add", "dimension " + std::to_string(batch.dim),
                             "dimension " + std::to_string(dim_)));
  if (batch.dtype != dtype_)
    return fail(bad_argument("add", "elements of type " + std::string(dtype_name(batch.dtype)),
                             std::string(dtype_name(dtype_))));
  if (batch.count > kRowsMax - count_)
    return fail({.code = ErrorCode::over_limit,
                 .what = "add",
                 .found = std::to_string(count_) + " + " + std::to_string(batch.count) + " vectors",
                 .expected = "at most " + std::to_string(kRowsMax)});
  if (!labels.empty() && labels.size() != batch.count)
    return fail(bad_argument("add", std::to_string(labels.size()) + " labels",
                             std::to_string(batch.count)));
  if (batch.count == 0) return {};
  if (count_ != 0 && labelled_ == labels.empty())
    return fail(bad_argument("add row " + std::to_string(count_),
                             labels.empty() ? "no labels" : "labels",
                             "labels with every batch or with none"));
  if (batch.data == nullptr) return fail(bad_argument("add", "no data", "rows"));
  return {};
}

Status Dataset::add(const VectorBatch& batch, std::span<const Label> labels) {
  CAIRN_TRY(check_batch(batch, labels));
  if (batch.count == 0) return {};
  for (std::uint64_t i = 0; i < batch.count; ++i)
    CAIRN_TRY(math::check_row(metric_, batch.row(i), "row " + std::to_string(count_ + i)));
  const std::size_t bytes = batch.count * batch.row_bytes();
  rows_.reserve_more(bytes);  // what may fail comes before anything is taken
  labels_.insert(labels_.end(), labels.begin(), labels.end());
  rows_.append({static_cast<const std::byte*>(batch.data), bytes});
  labelled_ = !labels.empty();
  count_ += batch.count;
  return {};
}

std::span<const Label> Dataset::labels() {
  if (labels_.size() != count_) {
    labels_.resize(count_);
    std::iota(labels_.begin(), labels_.end(), Label{0});
  }
  return labels_;
}

Status Dataset::check_labels() const {
  if (!labelled_) return {};
  std::vector<std::uint32_t> rows(count_);
  std::iota(rows.begin(), rows.end(), 0U);
  std::sort(rows.begin(), rows.end(), [&](std::uint32_t a, std::uint32_t b) {
    return labels_[a] != labels_[b] ? labels_[a] < labels_[b] : a < b;
  });
  const auto twice = std::adjacent_find(
      rows.begin(), rows.end(),
      [&](std::uint32_t a, std::uint32_t b) { return labels_[a] == labels_[b]; });
  if (twice == rows.end()) return {};
  return fail(bad_argument("label " + std::to_string(labels_[*twice]),
                           "rows " + std::to_string(twice[0]) + " and " + std::to_string(twice[1]),
                           "one row a label"));
}

std::uint64_t Dataset::digest() {
  return Hash().add({rows_.data(), rows_.size()}).add(std::as_bytes(labels())).value();
}

}  // namespace cairn::build

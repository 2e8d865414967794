// The vectors that the campaign of faults works with, and what is right of an answer over them.
#pragma once

#include <cairn/index.h>
#include <cairn/vector_source.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "engine/math/kmeans.h"

namespace cairn::reliability {

/// A few rows of bytes with labels of their own, as a source and as an oracle.
class FaultRows final : public VectorSource {
 public:
  static constexpr std::uint32_t kDim = 8;
  static constexpr std::uint64_t kCount = 420;

  FaultRows() {
    math::Rng rng(7);
    rows_.resize(kCount * kDim);
    for (std::uint8_t& byte : rows_) byte = static_cast<std::uint8_t>(rng.below(256));
    for (std::uint64_t row = 0; row < kCount; ++row) labels_.push_back(label_of(row));
  }

  std::uint32_t dim() const override { return kDim; }
  DType dtype() const override { return DType::u8; }
  std::uint64_t count() const override { return kCount; }
  bool labelled() const override { return true; }
  std::uint64_t stamp() const override { return 1; }
  Status read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) override {
    std::memcpy(rows.data(), rows_.data() + first * kDim, rows.size());
    std::copy_n(labels_.begin() + static_cast<std::ptrdiff_t>(first), labels.size(),
                labels.begin());
    return {};
  }

  static Label label_of(std::uint64_t row) { return 1000 + row * 3; }
  /// Nothing for a label that was never given.
  static std::optional<std::uint64_t> row_of(Label label) {
    const std::uint64_t row = (label - label_of(0)) / 3;
    if (label < label_of(0) || row >= kCount || label_of(row) != label) return std::nullopt;
    return row;
  }
  VectorBatch batch(std::uint64_t first = 0, std::uint64_t count = kCount) const {
    return {rows_.data() + first * kDim, count, kDim, DType::u8};
  }
  std::span<const Label> labels() const { return labels_; }
  VectorView row(std::uint64_t row) const { return {rows_.data() + row * kDim, kDim, DType::u8}; }

  float distance(std::uint64_t query, std::uint64_t row) const {
    int sum = 0;
    for (std::uint32_t i = 0; i < kDim; ++i) {
      const int apart = rows_[query * kDim + i] - rows_[row * kDim + i];
      sum += apart * apart;
    }
    return static_cast<float>(sum);
  }

  /// What is wrong with the answer to a search with row `query`, if anything; `exact`: it has read
  /// everything.
  std::string wrong(std::uint64_t query, const SearchResult& result, std::uint32_t k,
                    bool exact) const {
    const std::vector<Neighbor>& found = result.neighbors;
    if (found.size() != k) return std::to_string(found.size()) + " results";
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto row = row_of(found[i].label);
      if (!row) return "label " + std::to_string(found[i].label);
      if (found[i].distance != distance(query, *row)) return "a distance";
      if (i > 0 && found[i].distance < found[i - 1].distance) return "the order";
      for (std::size_t j = 0; j < i; ++j)
        if (found[j].label == found[i].label) return "a label twice";
    }
    if (!exact) return {};
    std::vector<float> all;
    for (std::uint64_t row = 0; row < kCount; ++row) all.push_back(distance(query, row));
    std::nth_element(all.begin(), all.begin() + (k - 1), all.end());
    return found.back().distance == all[k - 1] ? "" : "not the nearest";
  }

 private:
  std::vector<std::uint8_t> rows_;
  std::vector<Label> labels_;
};

}  // namespace cairn::reliability

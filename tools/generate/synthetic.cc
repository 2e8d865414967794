#include "tools/generate/synthetic.h"

#include <algorithm>
#include <cmath>

namespace cairn::tools {
namespace {

using math::Rng;

constexpr std::uint32_t kDictionary = 512;
constexpr int kFractionBits = 6;
constexpr int kScaleBits = 20;
constexpr int kSumBits = 10;
/// Standard deviation of gauss(): four uniform 16-bit integers, each of variance (2^32 - 1) / 12.
constexpr double kGaussDeviation = 37837.2;
/// Bits dropped from gauss() for an element of the dictionary: 11 bits and a sign are left.
constexpr int kElementShift = 6;

/// Roughly normal, mean 0: the sum of four uniforms (Irwin-Hall) needs no logarithm, whose last bit
/// differs between C libraries.
std::int32_t gauss(Rng& rng) {
  const std::uint64_t bits = rng.next();
  const std::uint64_t sum =
      (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
  return static_cast<std::int32_t>(sum) - 131070;
}

/// The generator of (seed, what, index); scrambled twice so that neighbours share nothing.
Rng stream_rng(std::uint64_t seed, std::uint64_t what, std::uint64_t index) {
  const std::uint64_t base = Rng{seed ^ (what << 56)}.next();
  return Rng{Rng{base ^ index}.next()};
}

enum What : std::uint64_t { kDirections = 16, kCenters = 17, kClusters = 18 };

/// Multiplier that turns gauss() into a coefficient of standard deviation `spread` in dictionary
/// elements. Division and square root are exact in IEEE arithmetic, and nothing here contracts.
std::vector<std::int32_t> spectrum(std::uint32_t count, double spread, double knee) {
  const double element = kGaussDeviation / (1 << kElementShift);
  const double unit = static_cast<double>(1 << (kFractionBits + kSumBits)) / element;
  const double scale = unit * (1 << kScaleBits) / kGaussDeviation;
  std::vector<std::int32_t> scales(count);
  for (std::uint32_t j = 0; j < count; ++j) {
    const double decayed = spread / std::sqrt(1.0 + j / knee);
    scales[j] = static_cast<std::int32_t>(std::lround(decayed * scale));
  }
  return scales;
}

constexpr int kNoiseBits = 8;

/// Multiplier that turns a uniform 16-bit integer into noise of deviation `noise`.
std::int32_t noise_scale(double noise) {
  constexpr double kUniformDeviation = 18918.6;
  const double unit = noise * (1 << (kFractionBits + kSumBits)) / kUniformDeviation;
  return static_cast<std::int32_t>(std::lround(unit * (1 << kNoiseBits)));
}

/// An element of a direction, half of it shared with its neighbour as neighbouring dimensions of
/// real descriptors do; 181 / 256 is 1 / sqrt(2).
std::int16_t element(std::int32_t before, std::int32_t own) {
  return static_cast<std::int16_t>((before + own) * 181 / 256 / (1 << kElementShift));
}

/// A random coefficient of the given scale, in dictionary elements.
std::int16_t coefficient(std::int32_t scale, Rng& rng) {
  const std::int64_t value = (std::int64_t{gauss(rng)} * scale) >> kScaleBits;
  return static_cast<std::int16_t>(std::clamp<std::int64_t>(value, -32767, 32767));
}

void add_scaled(std::int16_t factor, const std::int16_t* direction, std::span<std::int32_t> sums) {
  for (std::size_t d = 0; d < sums.size(); ++d) sums[d] += std::int32_t{factor} * direction[d];
}

}  // namespace

Synthetic::Synthetic(std::uint32_t dim, std::uint64_t seed, const SyntheticShape& shape)
    : dim_(dim),
      seed_(seed),
      shape_(shape),
      spectrum_(spectrum(shape.directions * 3 / 2, shape.spread, shape.knee)),
      center_spectrum_(spectrum(shape.global_directions, shape.global_spread, shape.global_knee)),
      noise_scale_(noise_scale(shape.noise)) {
  dictionary_.resize(std::size_t{kDictionary} * dim);
  for (std::uint32_t i = 0; i < kDictionary; ++i) {
    Rng rng = stream_rng(seed, kDirections, i);
    std::int32_t before = gauss(rng);
    for (std::uint32_t d = 0; d < dim; ++d) {
      const std::int32_t own = gauss(rng);
      dictionary_[std::size_t{i} * dim + d] = element(before, own);
      before = own;
    }
  }
  centers_.resize(std::size_t{shape.clusters} * dim);
  clusters_.resize(shape.clusters);
  for (std::uint32_t c = 0; c < shape.clusters; ++c) add_cluster(c);
}

void Synthetic::add_cluster(std::uint32_t index) {
  const std::span<std::int32_t> center{&centers_[std::size_t{index} * dim_], dim_};
  Rng rng = stream_rng(seed_, kCenters, index);
  std::fill(center.begin(), center.end(), shape_.mean << (kFractionBits + kSumBits));
  for (std::uint32_t j = 0; j < center_spectrum_.size(); ++j)
    add_scaled(coefficient(center_spectrum_[j], rng), &dictionary_[std::size_t{j} * dim_], center);

  Cluster& cluster = clusters_[index];
  constexpr std::uint64_t kWeightOne = std::uint64_t{1} << 40;
  cluster.weight_end = (index == 0 ? 0 : clusters_[index - 1].weight_end) +
                       kWeightOne / (std::uint64_t{index} + shape_.head);
  const std::uint64_t directions = shape_.directions / 2 + rng.below(shape_.directions + 1);
  for (std::uint64_t j = 0; j < directions; ++j)
    cluster.directions.push_back(static_cast<std::uint16_t>(rng.below(kDictionary)));
}

void Synthetic::row(Stream stream, std::uint64_t index, std::span<std::int32_t> out) const {
  Rng rng = stream_rng(seed_, static_cast<std::uint64_t>(stream), index);
  const std::uint64_t at = rng.below(clusters_.back().weight_end);
  const auto found = std::upper_bound(
      clusters_.begin(), clusters_.end(), at,
      [](std::uint64_t value, const Cluster& cluster) { return value < cluster.weight_end; });
  const auto c = static_cast<std::size_t>(found - clusters_.begin());
  std::copy_n(&centers_[c * dim_], dim_, out.begin());
  for (std::size_t j = 0; j < found->directions.size(); ++j)
    add_scaled(coefficient(spectrum_[j], rng),
               &dictionary_[std::size_t{found->directions[j]} * dim_], out);
  add_noise(rng, out);
  for (std::int32_t& value : out) value >>= kSumBits;
}

/// Uniform: its shape is of no matter where the directions dominate, and it costs a quarter.
void Synthetic::add_noise(math::Rng& rng, std::span<std::int32_t> sums) const {
  std::uint64_t bits = 0;
  for (std::size_t d = 0; d < sums.size(); ++d, bits >>= 16) {
    if (d % 4 == 0) bits = rng.next();
    const auto uniform = static_cast<std::int32_t>(bits & 0xffff) - 32768;
    sums[d] += (uniform * noise_scale_) >> kNoiseBits;
  }
}

void Synthetic::fill(Stream stream, std::uint64_t first, std::span<std::uint8_t> rows) const {
  std::vector<std::int32_t> sums(dim_);
  constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);
  for (std::size_t i = 0; i < rows.size() / dim_; ++i) {
    row(stream, first + i, sums);
    for (std::uint32_t d = 0; d < dim_; ++d)
      rows[i * dim_ + d] =
          static_cast<std::uint8_t>(std::clamp((sums[d] + kHalf) >> kFractionBits, 0, 255));
  }
}

void Synthetic::fill(Stream stream, std::uint64_t first, std::span<float> rows) const {
  std::vector<std::int32_t> sums(dim_);
  for (std::size_t i = 0; i < rows.size() / dim_; ++i) {
    row(stream, first + i, sums);
    for (std::uint32_t d = 0; d < dim_; ++d)
      rows[i * dim_ + d] = static_cast<float>(sums[d]) / (1 << kFractionBits);
  }
}

}  // namespace cairn::tools

#include "tools/formats/faiss_transform.h"

#include <algorithm>
#include <cmath>

namespace cairn::formats::faiss {
namespace {

constexpr const char* kWhat = "read a transform of";

class Normalise final : public Transform {
 public:
  explicit Normalise(std::uint32_t dim) : Transform(dim, dim) {}

  /// Lengths are lost.
  void reverse(std::span<const float> stored, std::span<float> vectors) const override {
    std::ranges::copy(stored, vectors.begin());
  }
  std::string name() const override { return "L2 norm"; }
  bool normalises() const override { return true; }
};

class Centre final : public Transform {
 public:
  explicit Centre(std::vector<float> mean)
      : Transform(static_cast<std::uint32_t>(mean.size()), static_cast<std::uint32_t>(mean.size())),
        mean_(std::move(mean)) {}

  void reverse(std::span<const float> stored, std::span<float> vectors) const override {
    for (std::size_t i = 0; i < stored.size(); ++i)
      vectors[i] = stored[i] + mean_[i % mean_.size()];
  }
  std::string name() const override { return "centring"; }
  bool shifts() const override { return true; }

 private:
  std::vector<float> mean_;
};

/// y = A x + b, rows of A orthonormal, so that x = A^T (y - b) for every x that they span.
class Linear final : public Transform {
 public:
  Linear(std::uint32_t dim_in, std::uint32_t dim_out, std::vector<float> a, std::vector<float> b)
      : Transform(dim_in, dim_out), a_(std::move(a)), b_(std::move(b)) {}

  /// Vectors of a few rows stay in the cache while the matrix passes by.
  void reverse(std::span<const float> stored, std::span<float> vectors) const override {
    constexpr std::size_t kRows = 16;
    std::ranges::fill(vectors, 0.0F);
    const std::size_t rows = vectors.size() / dim_in();
    for (std::size_t first = 0; first < rows; first += kRows)
      for (std::size_t j = 0; j < dim_out(); ++j)
        for (std::size_t row = first; row < std::min(rows, first + kRows); ++row)
          add(stored[row * dim_out() + j] - (b_.empty() ? 0.0F : b_[j]), a_.data() + j * dim_in(),
              vectors.data() + row * dim_in());
  }

  std::string name() const override {
    return dim_in() == dim_out()
               ? "rotation"
               : std::to_string(dim_in()) + " to " + std::to_string(dim_out()) + " dimensions";
  }
  bool shifts() const override {
    return std::ranges::any_of(b_, [](float value) { return value != 0; });
  }

 private:
  void add(float factor, const float* from, float* to) const {
    for (std::size_t i = 0; i < dim_in(); ++i) to[i] += factor * from[i];
  }

  std::vector<float> a_;  // (dim_out, dim_in)
  std::vector<float> b_;  // dim_out, or empty: zeros
};

float dot(const float* a, const float* b, std::size_t dim) {
  constexpr std::size_t kLanes = 8;
  float sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (; i < dim; ++i) sum += a[i] * b[i];
  for (const float one : sums) sum += one;
  return sum;
}

/// As LinearTransform::set_is_orthonormal sees it, but for NaN.
bool rows_orthonormal(std::span<const float> a, std::uint32_t dim_in, std::uint32_t dim_out) {
  constexpr float kEpsilon = 4e-5F;
  for (std::size_t i = 0; i < dim_out; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      const float product = dot(a.data() + i * dim_in, a.data() + j * dim_in, dim_in);
      if (!(std::abs(product - (i == j ? 1.0F : 0.0F)) <= kEpsilon)) return false;
    }
  return true;
}

std::string dims(std::uint64_t in, std::uint64_t out) {
  return "dimensions " + std::to_string(in) + " to " + std::to_string(out);
}

/// What stands behind every transform.
struct Ends {
  std::int32_t dim_in = 0, dim_out = 0;
};

Result<Ends> take_ends(Cursor& in, std::uint32_t dim) {
  Ends ends;
  CAIRN_ASSIGN(ends.dim_in, in.take<std::int32_t>());
  CAIRN_ASSIGN(ends.dim_out, in.take<std::int32_t>());
  CAIRN_ASSIGN(const auto trained, in.take<std::uint8_t>());
  if (trained == 0)
    return in.file().unsupported(kWhat, "one that was not trained", "a trained index");
  if (ends.dim_in != static_cast<std::int64_t>(dim) || ends.dim_out < 1 ||
      ends.dim_out > static_cast<std::int64_t>(kDimMax))
    return in.file().corrupt(
        kWhat, "dimensions " + std::to_string(ends.dim_in) + " to " + std::to_string(ends.dim_out),
        "from " + std::to_string(dim) + " to 1 .. " + std::to_string(kDimMax));
  return ends;
}

/// Of a matrix that is its own: what was known when it was trained.
Status skip_pca(Cursor& in) {
  constexpr std::uint64_t kPowerEpsilonRotationBinsBytes = 4 + 4 + 1 + 4;
  CAIRN_TRY(in.skip(1, kPowerEpsilonRotationBinsBytes, "how a PCA was trained"));
  for (const char* what : {"the mean of a PCA", "the eigenvalues of a PCA", "a PCA"})
    CAIRN_TRY(in.skip_vector(sizeof(float), what));
  return {};
}

Result<std::unique_ptr<Transform>> take_linear(Cursor& in, std::uint32_t dim) {
  CAIRN_ASSIGN(const auto have_bias, in.take<std::uint8_t>());
  CAIRN_ASSIGN(auto a, in.take_vector<float>("the matrix of a transform"));
  CAIRN_ASSIGN(auto b, in.take_vector<float>("the bias of a transform"));
  CAIRN_ASSIGN(const Ends ends, take_ends(in, dim));
  const auto out = static_cast<std::uint32_t>(ends.dim_out);
  if (a.size() != std::uint64_t{out} * dim || (have_bias != 0 && b.size() != out))
    return in.file().corrupt(kWhat,
                             "a matrix of " + std::to_string(a.size()) + " numbers and a bias of " +
                                 std::to_string(b.size()),
                             std::to_string(std::uint64_t{out} * dim) + " and " +
                                 std::to_string(out) + " for " + dims(dim, out));
  if (out > dim || !rows_orthonormal(a, dim, out))
    return in.file().unsupported(kWhat, "a matrix without a reverse (its rows are not orthonormal)",
                                 "a rotation, OPQ, or a PCA that does not whiten");
  if (have_bias == 0) b.clear();
  return std::unique_ptr<Transform>{std::make_unique<Linear>(dim, out, std::move(a), std::move(b))};
}

Result<std::unique_ptr<Transform>> take_norm(Cursor& in, std::uint32_t dim) {
  CAIRN_ASSIGN(const auto norm, in.take<float>());
  CAIRN_ASSIGN(const Ends ends, take_ends(in, dim));
  if (norm != 2)
    return in.file().unsupported(kWhat, "a norm of power " + std::to_string(norm), "2");
  if (ends.dim_out != ends.dim_in)
    return in.file().corrupt(kWhat,
                             "a norm from " + dims(dim, static_cast<std::uint32_t>(ends.dim_out)),
                             "as many as before");
  return std::unique_ptr<Transform>{std::make_unique<Normalise>(dim)};
}

Result<std::unique_ptr<Transform>> take_centre(Cursor& in, std::uint32_t dim) {
  CAIRN_ASSIGN(auto mean, in.take_vector<float>("the mean of a transform"));
  CAIRN_ASSIGN(const Ends ends, take_ends(in, dim));
  if (ends.dim_out != ends.dim_in || mean.size() != dim)
    return in.file().corrupt(kWhat,
                             "a mean of " + std::to_string(mean.size()) + " numbers from " +
                                 dims(dim, static_cast<std::uint32_t>(ends.dim_out)),
                             std::to_string(dim) + " of each");
  return std::unique_ptr<Transform>{std::make_unique<Centre>(std::move(mean))};
}

Result<std::unique_ptr<Transform>> take_transform(Cursor& in, std::uint32_t dim) {
  CAIRN_ASSIGN(const auto kind, in.take<FourCC>());
  switch (kind) {
    case fourcc("VNrm"):
      return take_norm(in, dim);
    case fourcc("VCnt"):
      return take_centre(in, dim);
    case fourcc("Pcam"):
      CAIRN_TRY(skip_pca(in));
      return take_linear(in, dim);
    case fourcc("LTra"):
    case fourcc("rrot"):
      return take_linear(in, dim);
    default:
      return in.file().unsupported(kWhat, shown(kind),
                                   "VNrm, VCnt, LTra, rrot or Pcam (L2 norm, centring, linear)");
  }
}

class TransformedRows final : public Rows {
 public:
  TransformedRows(std::unique_ptr<Rows> stored, Transforms transforms)
      : stored_(std::move(stored)), transforms_(std::move(transforms)) {}

  Status read(std::uint64_t first, std::span<float> vectors) override {
    const std::size_t count = vectors.size() / transforms_.front()->dim_in();
    before_.resize(count * transforms_.back()->dim_out());
    CAIRN_TRY(stored_->read(first, before_));
    for (std::size_t i = transforms_.size(); i-- > 1;) {
      after_.resize(count * transforms_[i]->dim_in());
      transforms_[i]->reverse(before_, after_);
      before_.swap(after_);
    }
    transforms_.front()->reverse(before_, vectors);
    return {};
  }

 private:
  std::unique_ptr<Rows> stored_;
  Transforms transforms_;
  std::vector<float> before_, after_;
};

}  // namespace

Result<Transforms> take_transforms(Cursor& in, std::uint32_t dim) {
  constexpr std::int32_t kTransformsMax = 16;
  CAIRN_ASSIGN(const auto count, in.take<std::int32_t>());
  if (count < 0 || count > kTransformsMax)
    return in.file().corrupt("read the transforms of", std::to_string(count) + " of them",
                             "0 to " + std::to_string(kTransformsMax));
  Transforms transforms;
  for (std::int32_t i = 0; i < count; ++i) {
    CAIRN_ASSIGN(auto transform, take_transform(in, dim));
    dim = transform->dim_out();
    transforms.push_back(std::move(transform));
  }
  return transforms;
}

std::unique_ptr<Rows> rows_transformed_back(std::unique_ptr<Rows> stored, Transforms transforms) {
  if (transforms.empty()) return stored;
  return std::make_unique<TransformedRows>(std::move(stored), std::move(transforms));
}

}  // namespace cairn::formats::faiss

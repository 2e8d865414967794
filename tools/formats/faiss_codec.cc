#include "tools/formats/faiss_codec.h"

#include <algorithm>
#include <vector>

#include "tools/formats/half.h"

namespace cairn::formats::faiss {
namespace {

class PlainCodec final : public Codec {
 public:
  explicit PlainCodec(std::uint32_t dim) : bytes_(std::size_t{dim} * sizeof(float)) {}

  std::size_t code_bytes() const override { return bytes_; }
  void decode(const std::byte* code, float* vector) const override {
    std::memcpy(vector, code, bytes_);
  }
  std::string decoded_from() const override { return {}; }

 private:
  std::size_t bytes_;
};

/// `bits` bits from bit `at` on, the lowest first. bits <= 16. Touches no byte without such a bit.
unsigned bits_at(const std::byte* code, std::size_t at, unsigned bits) {
  const std::size_t last = (at + bits - 1) / 8;
  unsigned value = 0;
  for (std::size_t i = last + 1; i-- > at / 8;)
    value = value << 8 | std::to_integer<unsigned>(code[i]);
  return value >> (at % 8) & ((1U << bits) - 1);
}

/// Values are those of ScalarQuantizer::QuantizerType, as they stand in files.
enum class ScalarType : std::int32_t {
  bits8 = 0,
  bits4 = 1,
  bits8_uniform = 2,
  bits4_uniform = 3,
  half = 4,
  bytes = 5,
  bits6 = 6,
};

struct ScalarTraits {
  unsigned bits;       // of a dimension
  bool scaled;         // a code is a place between the smallest and the largest value
  bool uniform;        // which are those of all dimensions together
  const char* phrase;  // for people
};

std::optional<ScalarTraits> traits_of(std::int32_t type) {
  switch (static_cast<ScalarType>(type)) {
    case ScalarType::bits8:
      return ScalarTraits{8, true, false, "8-bit scalar codes"};
    case ScalarType::bits4:
      return ScalarTraits{4, true, false, "4-bit scalar codes"};
    case ScalarType::bits8_uniform:
      return ScalarTraits{8, true, true, "8-bit uniform scalar codes"};
    case ScalarType::bits4_uniform:
      return ScalarTraits{4, true, true, "4-bit uniform scalar codes"};
    case ScalarType::half:
      return ScalarTraits{16, false, false, "16-bit floats"};
    case ScalarType::bytes:
      return ScalarTraits{8, false, false, "whole numbers of 8 bits"};
    case ScalarType::bits6:
      return ScalarTraits{6, true, false, "6-bit scalar codes"};
  }
  return std::nullopt;
}

class ScalarCodec final : public Codec {
 public:
  ScalarCodec(ScalarTraits traits, std::uint32_t dim, std::vector<float> trained)
      : traits_(traits), dim_(dim), trained_(std::move(trained)) {}

  std::size_t code_bytes() const override { return (std::size_t{dim_} * traits_.bits + 7) / 8; }

  void decode(const std::byte* code, float* vector) const override {
    for (std::size_t i = 0; i < dim_; ++i) {
      const unsigned value = bits_at(code, i * traits_.bits, traits_.bits);
      vector[i] = traits_.scaled       ? scaled(value, i)
                  : traits_.bits == 16 ? float_of_f16(static_cast<std::uint16_t>(value))
                                       : static_cast<float>(value);
    }
  }

  std::string decoded_from() const override { return traits_.phrase; }

 private:
  /// The middle of the code's interval: `trained` are the smallest values, then the ranges.
  float scaled(unsigned value, std::size_t i) const {
    const auto steps = static_cast<float>((1U << traits_.bits) - 1);
    const float place = (static_cast<float>(value) + 0.5F) / steps;
    const std::size_t at = traits_.uniform ? 0 : i;
    return trained_[at] + place * trained_[trained_.size() / 2 + at];
  }

  ScalarTraits traits_;
  std::uint32_t dim_;
  std::vector<float> trained_;
};

class ProductCodec final : public Codec {
 public:
  ProductCodec(std::size_t parts, unsigned bits, std::uint32_t dim, std::vector<float> centroids)
      : parts_(parts), bits_(bits), part_dim_(dim / parts), centroids_(std::move(centroids)) {}

  std::size_t code_bytes() const override { return (parts_ * bits_ + 7) / 8; }

  void decode(const std::byte* code, float* vector) const override {
    for (std::size_t part = 0; part < parts_; ++part) {
      const std::size_t number = (part << bits_) + bits_at(code, part * bits_, bits_);
      std::copy_n(centroids_.data() + number * part_dim_, part_dim_, vector + part * part_dim_);
    }
  }

  std::string decoded_from() const override {
    return std::to_string(code_bytes()) + "-byte product codes";
  }

 private:
  std::size_t parts_;
  unsigned bits_;
  std::size_t part_dim_;
  std::vector<float> centroids_;  // (parts, 2^bits, part_dim)
};

std::string numbers(std::uint64_t count) { return std::to_string(count) + " numbers"; }

}  // namespace

std::unique_ptr<Codec> plain_codec(std::uint32_t dim) { return std::make_unique<PlainCodec>(dim); }

Result<std::unique_ptr<Codec>> take_scalar_codec(Cursor& in, std::uint32_t dim) {
  CAIRN_ASSIGN(const auto type, in.take<std::int32_t>());
  CAIRN_TRY(in.skip(1, sizeof(std::int32_t) + sizeof(float), "how ranges were found"));
  CAIRN_ASSIGN(const auto code_dim, in.take<std::uint64_t>());
  CAIRN_ASSIGN(const auto code_bytes, in.take<std::uint64_t>());
  CAIRN_ASSIGN(auto trained, in.take_vector<float>("the ranges of scalar codes"));
  const auto traits = traits_of(type);
  if (!traits)
    return in.file().unsupported("read the scalar codes of", "type " + std::to_string(type),
                                 "0 to 6: 8, 6 or 4 bits, half floats or bytes");
  if (code_dim != dim)
    return in.file().corrupt("read the scalar codes of", "dimension " + std::to_string(code_dim),
                             "dimension " + std::to_string(dim));
  const std::size_t wanted = !traits->scaled ? 0 : traits->uniform ? 2 : 2 * std::size_t{dim};
  // What needs no range may still bring some: FAISS looks at none of them.
  if (traits->scaled && trained.size() != wanted)
    return in.file().corrupt("read the ranges of scalar codes of", numbers(trained.size()),
                             numbers(wanted));
  auto codec = std::make_unique<ScalarCodec>(*traits, dim, std::move(trained));
  if (code_bytes != codec->code_bytes())
    return in.file().corrupt("read the scalar codes of",
                             "codes of " + std::to_string(code_bytes) + " bytes",
                             std::to_string(codec->code_bytes()) + " bytes");
  return std::unique_ptr<Codec>{std::move(codec)};
}

Result<std::unique_ptr<Codec>> take_product_codec(Cursor& in, std::uint32_t dim) {
  constexpr std::uint64_t kBitsMax = 16;
  CAIRN_ASSIGN(const auto code_dim, in.take<std::uint64_t>());
  CAIRN_ASSIGN(const auto parts, in.take<std::uint64_t>());
  CAIRN_ASSIGN(const auto bits, in.take<std::uint64_t>());
  CAIRN_ASSIGN(auto centroids, in.take_vector<float>("the codebooks of product codes"));
  if (code_dim != dim || parts == 0 || dim % parts != 0)
    return in.file().corrupt(
        "read the product codes of",
        std::to_string(parts) + " parts of dimension " + std::to_string(code_dim),
        "parts that divide dimension " + std::to_string(dim));
  if (bits == 0 || bits > kBitsMax)
    return in.file().unsupported("read the product codes of", std::to_string(bits) + " bits a part",
                                 "1 to 16");
  if (centroids.size() != std::uint64_t{dim} << bits)
    return in.file().corrupt("read the codebooks of product codes of", numbers(centroids.size()),
                             numbers(std::uint64_t{dim} << bits));
  return std::unique_ptr<Codec>{std::make_unique<ProductCodec>(
      static_cast<std::size_t>(parts), static_cast<unsigned>(bits), dim, std::move(centroids))};
}

}  // namespace cairn::formats::faiss

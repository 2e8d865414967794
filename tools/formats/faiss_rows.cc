#include "tools/formats/faiss_rows.h"

#include <algorithm>

namespace cairn::formats::faiss {
namespace {

class CodeRows final : public Rows {
 public:
  CodeRows(ReadWindow window, Region codes, std::unique_ptr<Codec> codec, std::uint32_t dim)
      : window_(std::move(window)), codes_(codes), codec_(std::move(codec)), dim_(dim) {}

  Status read(std::uint64_t first, std::span<float> vectors) override {
    return decode_codes(window_, codes_.offset + first * codec_->code_bytes(), *codec_, dim_,
                        vectors);
  }

 private:
  ReadWindow window_;
  Region codes_;
  std::unique_ptr<Codec> codec_;
  std::uint32_t dim_;
};

}  // namespace

Status decode_codes(ReadWindow& window, std::uint64_t offset, const Codec& codec, std::uint32_t dim,
                    std::span<float> vectors) {
  constexpr std::size_t kAtOnceBytes = std::size_t{256} << 10;
  const std::size_t code_bytes = codec.code_bytes();
  std::size_t left = vectors.size() / dim;
  float* to = vectors.data();
  while (left != 0) {
    const std::size_t count = std::min(left, std::max<std::size_t>(1, kAtOnceBytes / code_bytes));
    CAIRN_ASSIGN(const auto codes, window.at(offset, count * code_bytes));
    for (std::size_t i = 0; i < count; ++i, to += dim)
      codec.decode(codes.data() + i * code_bytes, to);
    offset += count * code_bytes;
    left -= count;
  }
  return {};
}

Result<std::unique_ptr<Rows>> rows_of_codes(const File& file, Region codes,
                                            std::unique_ptr<Codec> codec, std::uint32_t dim) {
  CAIRN_ASSIGN(ReadWindow window, file.window());
  return std::unique_ptr<Rows>{
      std::make_unique<CodeRows>(std::move(window), codes, std::move(codec), dim)};
}

Status check_labels(Labels& labels, std::uint64_t elements) {
  std::vector<Label> some(std::min<std::uint64_t>(elements, 4096));
  for (std::uint64_t first = 0; first < elements; first += some.size()) {
    const auto count = std::min<std::uint64_t>(some.size(), elements - first);
    CAIRN_TRY(labels.read(first, std::span(some).first(static_cast<std::size_t>(count))));
  }
  return {};
}

}  // namespace cairn::formats::faiss

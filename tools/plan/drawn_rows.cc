#include <cstring>
#include <numeric>

#include "engine/build/space.h"
#include "engine/math/kmeans.h"
#include "tools/plan/sample.h"
#include "tools/vector_files.h"

namespace cairn::tools::plan {

Result<DrawnRows> DrawnRows::draw(const std::string& path, std::uint64_t wanted,
                                  std::uint64_t seed) {
  CAIRN_ASSIGN(const auto files, VectorFiles::open({path}));
  if (files->count() < kRowsLeast)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "plan by the sample",
                 .file = path,
                 .found = std::to_string(files->count()) + " vectors",
                 .expected = "at least " + std::to_string(kRowsLeast)});
  DrawnRows drawn;
  drawn.path_ = path;
  drawn.dim_ = files->dim();
  drawn.dtype_ = files->dtype();
  drawn.file_rows_ = files->count();
  const std::vector<std::uint32_t> chosen =
      build::draw_sample(files->count(), std::min(wanted, files->count()), seed);
  drawn.count_ = chosen.size();
  // Where each of them goes.
  std::vector<std::uint64_t> place(chosen.size());
  std::iota(place.begin(), place.end(), 0U);
  math::Rng random(seed);
  for (std::size_t i = place.size(); i > 1; --i) std::swap(place[i - 1], place[random.next() % i]);
  std::vector<std::byte> bytes(chosen.size() * drawn.row_bytes());
  std::vector<std::uint64_t> rows(chosen.size());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    CAIRN_TRY(files->read(
        chosen[i], std::span(bytes).subspan(place[i] * drawn.row_bytes(), drawn.row_bytes()), {}));
    rows[place[i]] = chosen[i];
  }
  drawn.bytes_ = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  drawn.rows_ = std::make_shared<const std::vector<std::uint64_t>>(std::move(rows));
  return drawn;
}

Status DrawnRows::read(std::uint64_t first, std::span<std::byte> rows, std::span<Label>) {
  std::memcpy(rows.data(), bytes_->data() + first * row_bytes(), rows.size());
  return {};
}

std::string DrawnRows::row_name(std::uint64_t row) const {
  return "row " + std::to_string((*rows_)[row]) + " of '" + path_ + "'";
}

VectorBatch DrawnRows::split(std::uint64_t count) {
  count_ -= count;
  return {bytes_->data() + count_ * row_bytes(), count, dim_, dtype_};
}

DrawnRows DrawnRows::first(std::uint64_t count) const {
  DrawnRows part = *this;
  part.count_ = count;
  return part;
}

}  // namespace cairn::tools::plan

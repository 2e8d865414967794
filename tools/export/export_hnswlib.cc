#include "tools/export/export_hnswlib.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "tools/cli.h"
#include "tools/export/slot_pass.h"
#include "tools/export/upper_levels.h"
#include "tools/formats/hnswlib_writer.h"
#include "tools/import/live_rows.h"

namespace cairn::tools {
namespace {

constexpr std::uint64_t kProgressSlots = 16384;  // between two reports

class Exporter {
 public:
  Exporter(const SlotPass& pass, const HnswlibExport& options, DType dtype)
      : pass_(pass),
        options_(options),
        metric_(static_cast<Metric>(pass.manifest().header.metric)),
        space_{metric_, static_cast<DType>(pass.manifest().header.dtype),
               pass.manifest().header.dim, 0},
        dtype_(dtype) {}

  Result<HnswlibExported> run() {
    // hnswlib has one degree for level 0 and half of it above.
    exported_.degree = std::max(2U, (pass_.segment().degree_max + 1) / 2);
    exported_.dtype = dtype_;
    exported_.metric = metric_;
    CAIRN_TRY(survey());
    const VectorBatch sample{sample_rows_.data(), sample_.size(), space_.dim, space_.dtype};
    const UpperLevels levels(space_, sample_, sample, exported_.degree, options_.seed,
                             thread_count(options_.threads));
    std::vector<std::byte>().swap(sample_rows_);
    exported_.level_max = levels.level_max();
    CAIRN_TRY(write(levels));
    return exported_;
  }

 private:
  /// Which slots there are, and the vectors that stand above level 0.
  Status survey() {
    std::vector<bool> held(pass_.segment().slot_count);
    CAIRN_TRY(pass_.run(
        [&](std::uint32_t slot, const layout::BlockView& block, std::uint32_t place) -> Status {
          const auto element = static_cast<std::uint32_t>(exported_.elements++);
          held[slot] = true;
          report();
          if (draw_level(element, exported_.degree, options_.seed) == 0) return {};
          sample_.push_back(element);
          sample_rows_.insert(sample_rows_.end(), block.vector(place),
                              block.vector(place) + space_.raw_row_bytes());
          return {};
        }));
    elements_ =
        std::make_unique<LiveRows>(held.size(), [&](std::uint64_t slot) { return !held[slot]; });
    return {};
  }

  Status write(const UpperLevels& levels) {
    CAIRN_ASSIGN(const auto writer,
                 formats::HnswlibWriter::create(options_.output,
                                                {.elements = exported_.elements,
                                                 .vector_bytes = space_.dim * dtype_bytes(dtype_),
                                                 .degree = exported_.degree,
                                                 .level_max = levels.level_max(),
                                                 .entry = levels.entry(),
                                                 .ef_construction = options_.ef_construction}));
    CAIRN_TRY(pass_.run(
        [&](std::uint32_t, const layout::BlockView& block, std::uint32_t place) -> Status {
          report();
          return put(*writer, block, place);
        }));
    for (std::uint32_t element = 0; element < exported_.elements; ++element) {
      CAIRN_TRY(writer->begin_upper(levels.level_of(element)));
      for (std::uint32_t level = 1; level <= levels.level_of(element); ++level)
        CAIRN_TRY(writer->put_upper(levels.links(element, level)));
    }
    return writer->finish();
  }

  Status put(formats::HnswlibWriter& writer, const layout::BlockView& block, std::uint32_t place) {
    CAIRN_ASSIGN(const std::uint32_t degree,
                 block.neighbors(place, pass_.segment().slot_count, targets_));
    for (std::uint32_t i = 0; i < degree; ++i) {
      if (!elements_->live(targets_[i]))
        return fail(ErrorCode::corrupt,
                    "an edge to slot " + std::to_string(targets_[i]) + ", which is empty");
      targets_[i] = static_cast<std::uint32_t>(elements_->row_of(targets_[i]));
    }
    exported_.links += degree;
    convert(block, place);
    return writer.put(std::span(targets_).first(degree), vector_, block.label(place));
  }

  void convert(const layout::BlockView& block, std::uint32_t place) {
    const VectorBatch raw{block.vector(place), 1, space_.dim, space_.dtype};
    if (dtype_ == space_.dtype && metric_ != Metric::cosine) {
      vector_.assign(block.vector(place), block.vector(place) + space_.raw_row_bytes());
      return;
    }
    floats_.resize(space_.dim);
    const std::array<std::uint32_t, 1> first{0};
    build::to_code_space(metric_, raw, first, floats_);
    const auto bytes = std::as_bytes(std::span(floats_));
    vector_.assign(bytes.begin(), bytes.end());
  }

  void report() {
    if (++passed_ % kProgressSlots == 0 && options_.progress)
      options_.progress(passed_, 2 * pass_.segment().vector_count);
  }

  const SlotPass& pass_;
  const HnswlibExport& options_;
  Metric metric_;
  build::Space space_;
  DType dtype_;
  HnswlibExported exported_;
  std::uint64_t passed_ = 0;
  std::vector<std::uint32_t> sample_;  // elements above level 0
  std::vector<std::byte> sample_rows_;
  std::unique_ptr<LiveRows> elements_;  // by slot
  std::array<std::uint32_t, layout::kDegreeMax> targets_;
  std::vector<std::byte> vector_;
  std::vector<float> floats_;
};

/// What hnswlib has a space for.
Result<DType> dtype_for(const layout::ManifestHeader& header, const HnswlibExport& options) {
  const auto dtype = static_cast<DType>(header.dtype);
  const auto metric = static_cast<Metric>(header.metric);
  const bool bytes_fit = dtype == DType::u8 && metric == Metric::l2;
  const DType wanted = options.dtype.value_or(bytes_fit ? DType::u8 : DType::f32);
  if (wanted == DType::f32 || (wanted == DType::u8 && bytes_fit)) return wanted;
  return fail({.code = ErrorCode::unsupported,
               .what = "export to hnswlib vectors of " + std::string{dtype_name(dtype)} +
                       " under " + std::string{metric_name(metric)},
               .found = std::string{dtype_name(wanted)},
               .expected = bytes_fit ? "u8 or f32" : "f32"});
}

}  // namespace

Result<HnswlibExported> export_hnswlib(const std::string& folder, const HnswlibExport& options) {
  CAIRN_ASSIGN(const SlotPass pass, SlotPass::open(folder));
  CAIRN_ASSIGN(const DType dtype, dtype_for(pass.manifest().header, options));
  return Exporter(pass, options, dtype).run();
}

}  // namespace cairn::tools

// What searches cost on nested sub-samples of the user's own vectors: a Cairn index of each is
// built in a scratch folder and measured in the very states of memory that the whole would have.
#pragma once

#include <cairn/builder.h>
#include <cairn/index.h>
#include <cairn/vector_source.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/search/memory_plan.h"
#include "tools/plan/growth.h"
#include "tools/plan/workload.h"
#include "tools/vectors.h"

namespace cairn::tools::plan {

struct SampleOptions {
  std::string vectors, queries;  // files; queries may be empty: rows are kept out for it
  std::uint64_t rows = 65'536;   // drawn from the file, at most; queries kept out among them
  std::uint64_t seed = 1;
  std::string folder;  // in which the scratch folder is made
  std::uint32_t threads = 0;
  std::function<Status(const std::string& doing)> tick;  // before each step
};

/// What a search for the recall asked costs with so many vectors.
struct SamplePoint {
  std::uint64_t count = 0;
  double recall = 0;
  double blocks = 0;       // one block under way at a time
  double blocks_wide = 0;  // of a lone search
  bool reached = false;    // whether the recall was
};

/// Of one state of memory.
struct SampleState {
  search::SegmentPlan loaded;
  std::vector<SamplePoint> points;    // ascending in count
  double found = 0;                   // recall measured at the largest count, in a batch
  double core_us = 0;                 // there
  double alone_core_us = 0;           // and of a lone search
  double rounds = 0, rounds_p99 = 0;  // its waits for reads
};

struct Sample {
  std::uint64_t rows = 0;  // of the largest index
  std::uint64_t file_rows = 0;
  std::uint32_t queries = 0;
  std::vector<SampleState> states;
  Series adjacency;  // bytes of the encoded edges of a vector, by count
};

/// Rows drawn from a file by seed, in random order.
class DrawnRows final : public VectorSource {
 public:
  /// `wanted` rows at most. invalid_argument, naming the file, when it has fewer than kRowsLeast.
  static Result<DrawnRows> draw(const std::string& path, std::uint64_t wanted, std::uint64_t seed);
  static constexpr std::uint64_t kRowsLeast = 1024;

  std::uint32_t dim() const override { return dim_; }
  DType dtype() const override { return dtype_; }
  std::uint64_t count() const override { return count_; }
  Status read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) override;
  std::uint64_t stamp() const override { return 0; }
  std::string row_name(std::uint64_t row) const override;

  std::uint64_t file_rows() const { return file_rows_; }
  /// The last `count` rows, which are no longer part of this.
  VectorBatch split(std::uint64_t count);
  /// The first `count` rows as a source of their own; this must outlive it.
  DrawnRows first(std::uint64_t count) const;

 private:
  DrawnRows() = default;
  std::uint64_t row_bytes() const { return std::uint64_t{dim_} * dtype_bytes(dtype_); }

  std::string path_;
  std::uint32_t dim_ = 0;
  DType dtype_ = DType::f32;
  std::uint64_t count_ = 0, file_rows_ = 0;
  std::shared_ptr<const std::vector<std::byte>> bytes_;
  std::shared_ptr<const std::vector<std::uint64_t>> rows_;  // of the file
};

class Sampler {
 public:
  /// Draws the rows and keeps queries out, or reads them. Memory: the rows. Errors of the files.
  static Result<Sampler> open(const Workload& workload, SampleOptions options);

  DType dtype() const { return rows_.dtype(); }
  std::uint32_t dim() const { return rows_.dim(); }

  /// Of Workload::count such vectors, by a trial on the sample. As cairn::plan_build, but for room
  /// on this disk, which does not matter.
  Result<BuildPlan> plan(const BuildOptions& options);

  /// Builds nested sub-samples and measures `states` of each. `options` are those of the whole.
  Result<Sample> measure(BuildOptions options, const std::vector<search::SegmentPlan>& states);

 private:
  Sampler(const Workload& workload, SampleOptions options, DrawnRows rows)
      : workload_(workload), options_(std::move(options)), rows_(std::move(rows)) {}
  Status tick(const std::string& doing) const;
  Status measure_one(const std::string& folder, const BuildOptions& options, std::uint64_t count,
                     Sample& sample);
  static Status measure_blocks(const std::string& folder, std::uint64_t count, Sample& sample);
  Status measure_searches(const Index& index, std::span<const float> kth, SampleState& state) const;

  Workload workload_;
  SampleOptions options_;
  DrawnRows rows_;
  Vectors given_;  // queries of a file
  VectorBatch queries_;
};

}  // namespace cairn::tools::plan

// A build taken to pieces: what every step of one needs, in a folder of its own, so that a test
// runs the steps one by one and looks at what they leave.
#pragma once

#include <cairn/builder.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/build/cells.h"
#include "engine/build/job.h"
#include "engine/build/sample.h"
#include "engine/build/scatter.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {

/// Rows of a unit of the scatter, of short rows.
inline constexpr std::uint64_t kUnitRows = 16384;

class TestJob {
 public:
  /// `folder` is made unless it is there; its journal goes on.
  TestJob(io::Fs& fs, const std::string& folder, const Rows& rows, const BuildOptions& options,
          std::span<const Label> labels = {});

  const Job& job() const { return *job_; }
  Job& job() { return *job_; }
  Journal& journal() { return journal_; }
  RowsSource& source() { return source_; }
  const Sample& sample() const { return sample_; }
  const Cells& cells() const { return *cells_; }
  const Scattered& scattered() const { return *scattered_; }

  /// Reads everything once.
  void take_sample();
  /// Trains `cells` partitions on the sample, all rows in `members_max` at most.
  void train(std::uint32_t cells, double members_max = 1e18);
  /// The second pass; after take_sample() and train().
  Status scatter(std::uint64_t unit_rows = kUnitRows);
  /// All of these.
  void partition(std::uint32_t cells);

 private:
  BuildOptions options_;
  Journal journal_;
  RowsSource source_;
  std::optional<Job> job_;
  Sample sample_;
  std::optional<Cells> cells_;
  std::optional<Scattered> scattered_;
};

}  // namespace cairn::build

// What a build learns from its sample: partitions and codebooks. Each is a unit of work: a run that
// goes on loads what an earlier one learnt.
#pragma once

#include <cairn/result.h>

#include <string>
#include <utility>

#include "engine/build/budget.h"
#include "engine/build/cells.h"
#include "engine/build/codes.h"
#include "engine/build/job.h"
#include "engine/build/sample.h"

namespace cairn::build {

class Trainer {
 public:
  /// `sample`: without rows they are read from its file when they are needed.
  Trainer(const Job& job, Sample sample) : job_(job), sample_(std::move(sample)) {}

  static std::string sample_name() { return TempFiles::name("sample", 0); }

  Result<Cells> cells(const Budget& budget);
  Result<Codebooks> books();

 private:
  Status load_sample();
  VectorBatch sample_batch() const {
    return {sample_.rows.data(), sample_.count, job_.space.dim, job_.space.dtype};
  }
  Result<Codebooks> load_books();

  const Job& job_;
  Sample sample_;
};

}  // namespace cairn::build

// Labels of the input, sorted without holding them: a run of (label, row) for each unit of the
// scatter, merged once to find a label that two rows carry and once to write the labels file.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <span>

#include "engine/build/job.h"

namespace cairn::build {

/// Writes the run of a unit whose first row is `first_row`; 12 bytes a label.
Status write_label_run(const Job& job, std::uint64_t unit, std::uint64_t first_row,
                       std::span<const Label> labels);

/// Merges runs of units into at most 1,024 longer ones where there are more than 64, so that not
/// every unit of a long build is a file that is open. Once; a unit of work.
Status gather_label_runs(const Job& job, std::uint64_t unit_rows);

/// Calls `visit` with every (label, row), ascending by label and then row; an error ends it.
/// `unit_rows` labels a run but the last. O(labels * log(runs)), 64 KiB a run of RAM. After
/// gather_label_runs().
using VisitLabel = std::function<Status(Label label, std::uint32_t row)>;
Status merge_label_runs(const Job& job, std::uint64_t unit_rows, const VisitLabel& visit);

Status remove_label_runs(const Job& job, std::uint64_t unit_rows);

}  // namespace cairn::build

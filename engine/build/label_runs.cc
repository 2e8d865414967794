#include "engine/build/label_runs.h"

#include <algorithm>
#include <cstring>
#include <queue>
#include <vector>

namespace cairn::build {
namespace {

constexpr std::size_t kPairBytes = 12;
constexpr std::size_t kBufferPairs = 65536 / kPairBytes;

struct Pair {
  Label label;
  std::uint32_t row;
  friend auto operator<=>(const Pair&, const Pair&) = default;
};

constexpr std::uint64_t kRunsAtOnce = 64;

/// Runs as they are now: those of units, or of kRunsAtOnce units each.
struct Runs {
  const char* kind;
  std::uint64_t rows;  // of each but the last
  std::uint64_t count;
  std::uint64_t all;  // rows

  static Runs of(const char* kind, const Job& job, std::uint64_t rows) {
    return {kind, rows, (job.count + rows - 1) / rows, job.count};
  }
  std::string name(std::uint64_t run) const { return TempFiles::name(kind, run); }
  std::uint64_t pairs(std::uint64_t run) const { return std::min(rows, all - run * rows); }
};

Runs of_units(const Job& job, std::uint64_t unit_rows) {
  return Runs::of("labels", job, unit_rows);
}
Runs gathered(const Job& job, std::uint64_t unit_rows) {
  const Runs units = of_units(job, unit_rows);
  return units.count <= kRunsAtOnce ? units : Runs::of("gathered", job, unit_rows * kRunsAtOnce);
}

class Run {
 public:
  Run(TempReader file, std::uint64_t pairs) : file_(std::move(file)), pairs_(pairs) {}
  bool done() const { return next_ == pairs_; }
  Result<Pair> take() {
    const std::uint64_t in_buffer = next_ % kBufferPairs;
    if (in_buffer == 0) {
      CAIRN_ASSIGN(buffer_,
                   file_.read_array<std::byte>(
                       next_ * kPairBytes,
                       std::min<std::uint64_t>(kBufferPairs, pairs_ - next_) * kPairBytes));
    }
    Pair pair{};
    std::memcpy(&pair.label, buffer_.data() + in_buffer * kPairBytes, 8);
    std::memcpy(&pair.row, buffer_.data() + in_buffer * kPairBytes + 8, 4);
    ++next_;
    return pair;
  }

 private:
  TempReader file_;
  std::uint64_t pairs_, next_ = 0;
  std::vector<std::byte> buffer_;
};

/// Sorted pairs to a file.
class RunWriter {
 public:
  static Result<RunWriter> create(const Job& job, const std::string& name) {
    CAIRN_ASSIGN(auto writer, job.temp.create(name));
    return RunWriter(std::move(writer));
  }
  Status add(Label label, std::uint32_t row) {
    const std::size_t at = buffer_.size();
    buffer_.resize(at + kPairBytes);
    std::memcpy(buffer_.data() + at, &label, 8);
    std::memcpy(buffer_.data() + at + 8, &row, 4);
    return buffer_.size() < kBufferPairs * kPairBytes ? Status{} : flush();
  }
  Status finish() {
    CAIRN_TRY(flush());
    CAIRN_TRY(writer_.finish());
    return {};
  }

 private:
  explicit RunWriter(io::PageWriter writer) : writer_(std::move(writer)) {}
  Status flush() {
    CAIRN_TRY(writer_.append_stream(buffer_));
    buffer_.clear();
    return {};
  }

  io::PageWriter writer_;
  std::vector<std::byte> buffer_;
};

/// Merges runs [begin, end).
Status merge(const Job& job, const Runs& runs, std::uint64_t begin, std::uint64_t end,
             const VisitLabel& visit) {
  std::vector<Run> all;
  for (std::uint64_t run = begin; run < end; ++run) {
    CAIRN_ASSIGN(auto file, job.temp.open(runs.name(run), runs.pairs(run) * kPairBytes));
    all.emplace_back(std::move(file), runs.pairs(run));
  }
  using Head = std::pair<Pair, std::size_t>;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
  const auto advance = [&](std::size_t run) -> Status {
    if (all[run].done()) return {};
    CAIRN_ASSIGN(const Pair pair, all[run].take());
    heads.emplace(pair, run);
    return {};
  };
  for (std::size_t run = 0; run < all.size(); ++run) CAIRN_TRY(advance(run));
  while (!heads.empty()) {
    const auto [pair, run] = heads.top();
    heads.pop();
    CAIRN_TRY(visit(pair.label, pair.row));
    CAIRN_TRY(advance(run));
  }
  return {};
}

Status remove(const Job& job, const Runs& runs) {
  for (std::uint64_t run = 0; run < runs.count; ++run) CAIRN_TRY(job.temp.remove(runs.name(run)));
  return {};
}

}  // namespace

Status write_label_run(const Job& job, std::uint64_t unit, std::uint64_t first_row,
                       std::span<const Label> labels) {
  std::vector<Pair> pairs(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i)
    pairs[i] = {labels[i], static_cast<std::uint32_t>(first_row + i)};
  std::sort(pairs.begin(), pairs.end());
  CAIRN_ASSIGN(auto writer, RunWriter::create(job, TempFiles::name("labels", unit)));
  for (const Pair& pair : pairs) CAIRN_TRY(writer.add(pair.label, pair.row));
  return writer.finish();
}

Status gather_label_runs(const Job& job, std::uint64_t unit_rows) {
  const Runs units = of_units(job, unit_rows), runs = gathered(job, unit_rows);
  if (units.count == runs.count) return {};
  if (job.journal.find(Unit::labels) == nullptr) {
    for (std::uint64_t run = 0; run < runs.count; ++run) {
      CAIRN_ASSIGN(auto writer, RunWriter::create(job, runs.name(run)));
      const std::uint64_t begin = run * kRunsAtOnce;
      CAIRN_TRY(merge(job, units, begin, std::min(begin + kRunsAtOnce, units.count),
                      [&](Label label, std::uint32_t row) { return writer.add(label, row); }));
      CAIRN_TRY(writer.finish());
    }
    CAIRN_TRY(job.journal.append(Unit::labels, 0, {}));
  }
  return remove(job, units);
}

Status merge_label_runs(const Job& job, std::uint64_t unit_rows, const VisitLabel& visit) {
  const Runs runs = gathered(job, unit_rows);
  return merge(job, runs, 0, runs.count, visit);
}

Status remove_label_runs(const Job& job, std::uint64_t unit_rows) {
  return remove(job, gathered(job, unit_rows));
}

}  // namespace cairn::build

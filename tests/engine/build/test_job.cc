#include "tests/engine/build/test_job.h"

namespace cairn::build {
namespace {

Journal open_journal(io::Fs& fs, const std::string& folder) {
  if (!must(fs.exists(folder))) {
    EXPECT_TRUE(ok(fs.make_dir(folder)));
  }
  return must(Journal::open(fs, folder), "journal");
}

}  // namespace

TestJob::TestJob(io::Fs& fs, const std::string& folder, const Rows& rows,
                 const BuildOptions& options, std::span<const Label> labels)
    : options_(options), journal_(open_journal(fs, folder)), source_(rows, labels) {
  constexpr std::uint64_t kBuildId = 7;
  options_.threads = std::max(1U, options_.threads);
  job_.emplace(Job{.temp = {fs, folder, kBuildId},
                   .journal = journal_,
                   .options = options_,
                   .space = {options_.metric, rows.dtype, rows.dim, 0},
                   .count = rows.count(),
                   .labelled = !labels.empty(),
                   .workers = Workers(options_.threads),
                   .link_workers = Workers(options_.threads),
                   .tick = {}});
}

void TestJob::take_sample() {
  sample_ = must(
      build::take_sample(source_, {options_.metric, job_->seed(Stream::sample)}, job_->workers, {}),
      "sample");
  job_->space.squared_norm_max = sample_.squared_norm_max;
}

void TestJob::train(std::uint32_t cells, double members_max) {
  const Space& space = job_->space;
  cells_.emplace(Cells::train(space, {sample_.rows.data(), sample_.count, space.dim, space.dtype},
                              {.cells = cells,
                               .members_max = members_max,
                               .vectors = static_cast<double>(job_->count),
                               .seed = job_->seed(Stream::cells)},
                              job_->workers));
}

Status TestJob::scatter(std::uint64_t unit_rows) {
  scattered_.emplace(*job_, cells_->count(), unit_rows);
  return build::scatter(*job_, source_, *cells_, sample_.digests, *scattered_);
}

void TestJob::partition(std::uint32_t cells) {
  take_sample();
  train(cells);
  EXPECT_TRUE(ok(scatter()));
}

}  // namespace cairn::build

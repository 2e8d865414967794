#include "tests/engine/build/tiny_build.h"

#include <algorithm>

#include "engine/build/builder_fs.h"
#include "tests/engine/build/small_build.h"

namespace cairn::build::tiny {
namespace {

constexpr char kJournalPath[] = "index.building/JOURNAL";

}  // namespace

BuildOptions options() { return small_build(3); }

Input::Input() {
  for (std::uint64_t to = 0; to < rows.count(); to += 10) copy_row(rows, 5 + to % 3, to);
  for (std::uint64_t i = 0; i < rows.count(); ++i) labels.push_back(i * 7919 % 1000 + 5);
}

const Input& input() {
  static const Input made;
  return made;
}
RowsSource source_of() { return RowsSource(input().rows, input().labels); }

Result<BuildReport> build_on(io::Fs& fs, const BuildOptions& with) {
  RowsSource source = source_of();
  return build_index(fs, kTarget, source, with);
}

Files files_of(sim::SimFs& fs) {
  Files files;
  for (const std::string& name : must(fs.list(kTarget)))
    files[name] = fs.bytes(std::string(kTarget) + "/" + name);
  return files;
}

std::uint64_t records_before(const std::vector<sim::OpRecord>& operations, std::uint64_t at) {
  const std::uint64_t end = std::min<std::uint64_t>(at, operations.size());
  return static_cast<std::uint64_t>(
      std::count_if(operations.begin(), operations.begin() + static_cast<std::ptrdiff_t>(end),
                    [](const sim::OpRecord& record) {
                      return record.op == sim::FsOp::sync && record.path == kJournalPath;
                    }));
}

const Undisturbed& undisturbed() {
  static const Undisturbed made = [] {
    Undisturbed whole;
    sim::SimFs fs;
    BuildOptions watched = options();
    watched.progress = [&](const BuildProgress& progress) {
      ++whole.calls;
      if (progress.phase == "train" && whole.begun_records == 0)
        whole.begun_records = records_before(fs.operations(), ~std::uint64_t{0});
      return true;
    };
    whole.report = must(build_on(fs, watched));
    whole.operations = fs.operations();
    whole.files = files_of(fs);
    return whole;
  }();
  return made;
}

bool had_begun(const sim::SimFs& fs, std::uint64_t at) {
  return records_before(fs.operations(), at) >= undisturbed().begun_records;
}

void expect_goes_on(sim::SimFs& fs, const BuildOptions& with) {
  const auto report = build_on(fs, with);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_TRUE(files_of(fs) == undisturbed().files) << "other bytes";
  EXPECT_FALSE(must(fs.exists(kWork)));
  EXPECT_EQ(report->vectors, undisturbed().report.vectors);
  EXPECT_EQ(report->duplicates, undisturbed().report.duplicates);
  EXPECT_EQ(report->edges, undisturbed().report.edges);
  EXPECT_EQ(report->repair_edges, undisturbed().report.repair_edges);
  EXPECT_EQ(report->partitions, undisturbed().report.partitions);
  EXPECT_EQ(report->copies, undisturbed().report.copies);
}

}  // namespace cairn::build::tiny

#include "tests/reliability/fault_workloads.h"

#include <cairn/builder.h>
#include <cairn/calibrate.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "layout/manifest.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_builds.h"
#include "tests/reliability/fault_rows.h"

namespace cairn::reliability {
namespace {

namespace stdfs = std::filesystem;

constexpr std::uint32_t kK = 5;

const FaultRows& rows() {
  static const FaultRows made;
  return made;
}

/// An index that is there, with what can be asked of it.
class ReadWorkload : public Workload {
 public:
  ReadWorkload(std::string folder, IoBackend io) : folder_(std::move(folder)), io_(io) {}

 protected:
  OpenOptions options() const {
    // Little memory: blocks lead the way.
    return {.memory_limit_bytes_per_vector = per_vector_,
            .io = io_,
            .io_depth = 8,
            .read_timeout_ms = read_timeout_ms_};
  }
  SearchRequest request(std::uint64_t query, bool exact) const {
    SearchRequest request{.query = rows().row(query), .k = kK};
    request.list_size = exact ? FaultRows::kCount : 20;
    return request;
  }
  std::string judged(std::uint64_t query, bool exact, const Result<SearchResult>& result) {
    if (!result) return note(result.error());
    return rows().wrong(query, *result, kK, exact);
  }
  /// Each vector once, and then no more.
  std::string scanned(const Index& index) {
    auto scan = during([&] { return index.scan(); });
    if (!scan) return note(scan.error());
    std::vector<std::byte> into(FaultRows::kCount * FaultRows::kDim);
    std::vector<Label> labels(FaultRows::kCount);
    const auto read = during([&] { return (*scan)->next(into, labels); });
    if (!read) return note(read.error());
    if (*read != FaultRows::kCount) return std::to_string(*read) + " scanned vectors";
    std::set<std::uint64_t> seen;
    for (std::size_t i = 0; i < *read; ++i) {
      const auto row = FaultRows::row_of(labels[i]);
      if (!row || !seen.insert(*row).second) return "a scanned label";
      if (std::memcmp(into.data() + i * FaultRows::kDim, rows().row(*row).data, FaultRows::kDim) !=
          0)
        return "a scanned vector";
    }
    const auto more = during([&] { return (*scan)->next(into, labels); });
    if (!more) return note(more.error());
    return *more == 0 ? "" : "a scan that does not end";
  }

  const std::string folder_;
  const IoBackend io_;
  double per_vector_ = 90;
};

class SearchWorkload final : public ReadWorkload {
 public:
  using ReadWorkload::ReadWorkload;
  std::string name() const override {
    const char* const kNames[] = {"automatic", "io_uring", "pread pool", "synchronous"};
    return std::string("open and search, ") + kNames[static_cast<int>(io_)];
  }
  bool reads_by_a_pool() const override { return io_ == IoBackend::pread; }
  void prepare() override {
    index_.reset();
    if (!undisturbed_) learn();
    begin();
  }
  std::string attempt() override {
    auto opened = during([this] { return Index::open(folder_, options()); });
    if (!opened) return note(opened.error());
    index_ = std::move(*opened);
    for (auto step : {&SearchWorkload::lone, &SearchWorkload::batch, &SearchWorkload::async,
                      &SearchWorkload::others, &SearchWorkload::passes})
      if (std::string wrong = (this->*step)(); !wrong.empty()) return wrong;
    return {};
  }

 private:
  /// What passes over the whole index give.
  struct Passes {
    VerifyReport verified;
    std::uint64_t pages_done = 0, pages = 0;  // as verify() tells of its progress
    StructureReport structure;
  };

  std::string redo() override {
    if (index_ == nullptr) {
      auto opened = Index::open(folder_, options());
      if (!opened) return note(opened.error());
      index_ = std::move(*opened);
    }
    std::string wrong;
    for (auto step : {&SearchWorkload::lone, &SearchWorkload::batch, &SearchWorkload::others,
                      &SearchWorkload::passes})
      if (wrong.empty()) wrong = (this->*step)();
    index_.reset();
    return wrong;
  }
  void learn() {
    auto opened = Index::open(folder_, options());
    if (!opened) give_up(opened.error());
    index_ = std::move(*opened);
    Passes passes;
    auto verified = index_->verify(watched(passes));
    auto structure = index_->inspect();
    const bool all = passes.pages != 0 && passes.pages_done == passes.pages;
    if (!verified || !verified->ok() || !all || !structure)
      give_up({.what = "an index is not whole, or verify did not read all of it"});
    passes.verified = std::move(*verified);
    passes.structure = std::move(*structure);
    undisturbed_ = std::move(passes);
    index_.reset();
  }
  std::string lone() {
    for (const bool exact : {true, false}) {
      const auto result = during([&] { return index_->search(request(3, exact)); });
      if (std::string wrong = judged(3, exact, result); !wrong.empty()) return wrong;
    }
    return {};
  }
  std::string batch() {
    std::vector<SearchRequest> requests;
    for (std::uint64_t q = 0; q < 6; ++q) requests.push_back(request(q * 11, q % 2 == 0));
    const auto results =
        during([&] { return index_->search_batch(requests, {.reads_in_flight = 6}); });
    if (results.empty()) return note({.code = ErrorCode::out_of_memory, .what = "a batch"});
    if (results.size() != requests.size()) return "results of a batch";
    for (std::uint64_t q = 0; q < 6; ++q)
      if (std::string wrong = judged(q * 11, q % 2 == 0, results[q]); !wrong.empty()) return wrong;
    return {};
  }
  std::string async() {
    const auto engine = during([this] { return index_->start_async({.reads_in_flight = 4}); });
    if (!engine) return note(engine.error());
    std::mutex mutex;
    std::condition_variable ended;
    std::vector<std::optional<Result<SearchResult>>> results(3);
    std::uint64_t awaited = 0;
    for (std::uint64_t q = 0; q < results.size(); ++q) {
      AsyncEngine::Completion done = [&, q](Result<SearchResult> result) {
        const std::lock_guard lock(mutex);
        results[q] = std::move(result);
        --awaited;
        ended.notify_one();
      };
      {
        const std::lock_guard lock(mutex);
        ++awaited;
      }
      const auto ticket =
          during([&] { return (*engine)->submit(request(q + 50, true), std::move(done)); });
      if (ticket) continue;
      const std::lock_guard lock(mutex);
      --awaited;
      results[q] = fail(ticket.error());
    }
    during([&] {
      std::unique_lock lock(mutex);
      ended.wait(lock, [&] { return awaited == 0; });
      return true;
    });
    for (std::uint64_t q = 0; q < results.size(); ++q)
      if (std::string wrong = judged(q + 50, true, *results[q]); !wrong.empty()) return wrong;
    return {};
  }
  std::string others() {
    const auto explained = during([this] { return index_->explain(request(70, true)); });
    const auto result = explained ? Result<SearchResult>(explained->result)
                                  : Result<SearchResult>(fail(explained.error()));
    if (std::string wrong = judged(70, true, result); !wrong.empty()) return wrong;
    const auto stored = during([this] { return index_->get(FaultRows::label_of(17)); });
    if (!stored) return note(stored.error());
    const VectorView row = rows().row(17);
    return std::memcmp(stored->data(), row.data, row.bytes()) == 0 ? "" : "a stored vector";
  }
  /// Whole passes.
  std::string passes() {
    if (std::string wrong = verify(); !wrong.empty()) return wrong;
    const auto structure = during([this] { return index_->inspect(); });
    if (!structure) return note(structure.error());
    if (!same(*structure, undisturbed_->structure)) return "what inspect says";
    return scanned(*index_);
  }
  static VerifyOptions watched(Passes& passes) {
    VerifyOptions options;
    options.progress = [&passes](std::uint64_t done, std::uint64_t total) {
      passes.pages_done = done;
      passes.pages = total;
    };
    return options;
  }
  /// What verify() finds is a problem of its report. That all is well it may say only of all.
  std::string verify() {
    Passes passes;
    const VerifyOptions options = watched(passes);
    const auto report = during([&] { return index_->verify(options); });
    if (!report) return note(report.error());
    for (const Error& problem : report->problems)
      if (std::string unclean = note(problem); !unclean.empty()) return unclean;
    if (report->problem_count < report->problems.size()) return "the number of problems";
    if (!report->ok()) return report->problems.empty() ? "problems that are not told" : "";
    const VerifyReport& whole = undisturbed_->verified;
    if (report->blocks != whole.blocks || report->vectors != whole.vectors ||
        report->edges != whole.edges || report->unreachable != 0 || report->without_in_edge != 0)
      return "verify is content with other counts";
    if (passes.pages != undisturbed_->pages || passes.pages_done != undisturbed_->pages_done)
      return "verify is content and did not read everything";
    return {};
  }
  static bool same(const StructureReport& a, const StructureReport& b) {
    return a.degree_histogram == b.degree_histogram && a.edges == b.edges &&
           a.edges_inside_block == b.edges_inside_block && a.adjacency_bytes == b.adjacency_bytes &&
           a.blocks == b.blocks && a.places == b.places && a.vectors == b.vectors &&
           std::ranges::equal(a.parts, b.parts, [](const auto& one, const auto& other) {
             return one.name == other.name && one.bytes == other.bytes;
           });
  }
  std::unique_ptr<Index> index_;
  std::optional<Passes> undisturbed_;
};

/// Few calls, all of which are tried however short the campaign is.
class ScanWorkload final : public ReadWorkload {
 public:
  using ReadWorkload::ReadWorkload;
  std::string name() const override { return "scan"; }
  void prepare() override {
    begin();
    auto opened = Index::open(folder_, options());
    if (!opened) give_up(opened.error());
    index_ = std::move(*opened);
  }
  std::string attempt() override { return scanned(*index_); }

 private:
  std::string redo() override { return attempt(); }
  std::unique_ptr<Index> index_;
};

/// A new calibration is published, the same whenever it is measured, or the old one stays.
class CalibrateWorkload final : public ReadWorkload {
 public:
  CalibrateWorkload(std::string from, std::string folder)
      : ReadWorkload(std::move(folder), IoBackend::automatic), from_(std::move(from)) {}
  std::string name() const override { return "calibrate"; }
  std::uint64_t points_every() const override { return kPointsEveryOfRecall; }
  void prepare() override {
    if (once_.empty()) {
      before_ = files_of(from_);
      once_ = calibrated(from_);
      twice_ = calibrated(folder_);
    }
    stdfs::remove_all(folder_);
    stdfs::copy(from_, folder_);
    begin();
  }
  std::string attempt() override {
    const auto report = during([this] { return calibrate(folder_); });
    if (!report) return note(report.error());
    Files files = files_of(folder_);
    // That the old calibration could not be removed is no error.
    for (const auto& [name, bytes] : before_)
      if (!once_.contains(name)) files.erase(name);
    return files == once_ ? "" : "another calibration";
  }

 private:
  using Files = std::map<std::string, std::string>;

  Files calibrated(const std::string& from) {
    const std::string folder = folder_ + "-known";
    if (from != folder_) stdfs::remove_all(folder);
    if (from != folder_) stdfs::copy(from, folder);
    if (const auto report = calibrate(folder); !report) give_up(report.error());
    return files_of(folder);
  }
  std::string redo() override {
    if (std::string wrong = whole(); failed_ || !wrong.empty())
      return wrong.empty() ? wrong : wrong + " before";
    const std::string manifest = files_of(folder_)[kManifest];
    // Whether it was published before it failed.
    const bool published = manifest == once_[kManifest];
    if (!published && manifest != before_[kManifest]) return "an unknown manifest";
    if (const auto report = calibrate(folder_); !report) return note(report.error());
    if (files_of(folder_) != (published ? twice_ : once_)) return "another calibration";
    return whole();
  }
  Result<CalibrateReport> calibrate(const std::string& folder) const {
    return calibrate_index(
        folder, {.rows = 8, .threads = 1, .seed = 5, .read_timeout_ms = read_timeout_ms_});
  }
  std::string whole() {
    per_vector_ = 1e6;
    const auto index = Index::open(folder_, options());
    if (!index) return note(index.error());
    if (const auto effort = (*index)->effort(kK, 0.9); !effort) return effort.error().to_string();
    return judged(3, true, (*index)->search(request(3, true)));
  }
  const std::string from_, kManifest{layout::kManifestName};
  Files before_, once_, twice_;
};

}  // namespace

bool is_time_out(const Error& error) {
  return error.code == ErrorCode::io &&
         (error.what.find("has not come back") != std::string::npos ||
          error.what.find("wait for io_uring") != std::string::npos);
}

std::string Workload::note(const Error& error) {
  failed_ = true;
  last_error_ = error.to_string();
  only_time_outs_ = only_time_outs_ && is_time_out(error);
  return afterwards_ ? "" : judge_->wrong(error);
}

std::string Workload::again() {
  begin();
  afterwards_ = true;
  std::string wrong = redo();
  afterwards_ = false;
  timed_out_ = wrong.empty() && failed_ && only_time_outs_;
  return wrong.empty() && failed_ ? "it fails again: " + last_error_ : wrong;
}

std::vector<std::unique_ptr<Workload>> make_workloads(const std::string& scratch) {
  const std::string folder = scratch + "/index";
  FaultRows source;
  if (auto report = build_index(folder, source, calibrated_build()); !report)
    give_up(report.error());
  std::vector<std::unique_ptr<Workload>> all;
  // Where rings are forbidden there is nothing to try; the table of call sites misses them then.
  if (const auto with_a_ring = Index::open(folder, {.io = IoBackend::uring}); !with_a_ring)
    std::printf("open and search, io_uring: skipped: %s\n",
                with_a_ring.error().to_string().c_str());
  else
    all.push_back(std::make_unique<SearchWorkload>(folder, IoBackend::uring));
  for (const IoBackend io : {IoBackend::pread, IoBackend::sync})
    all.push_back(std::make_unique<SearchWorkload>(folder, io));
  all.push_back(std::make_unique<SearchWorkload>(folder, IoBackend::automatic));
  all.push_back(std::make_unique<ScanWorkload>(folder, IoBackend::sync));
  all.push_back(std::make_unique<CalibrateWorkload>(folder, scratch + "/calibrated"));
  add_builds(scratch, all);
  return all;
}

}  // namespace cairn::reliability

#include "tests/reliability/fault_workloads.h"

#include <cairn/builder.h>
#include <cairn/calibrate.h>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_builds.h"
#include "tests/reliability/fault_rows.h"

namespace cairn::reliability {
namespace {

namespace stdfs = std::filesystem;
using os_faults::Kind;

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
  std::string judge(std::uint64_t query, bool exact, const Result<SearchResult>& result) {
    if (!result) return note(result.error());
    return rows().wrong(query, *result, kK, exact);
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
    begin();
  }
  std::string attempt(Kind) override {
    auto opened = during([this] { return Index::open(folder_, options()); });
    if (!opened) return note(opened.error());
    index_ = std::move(*opened);
    for (auto step : {&SearchWorkload::lone, &SearchWorkload::batch, &SearchWorkload::async,
                      &SearchWorkload::others, &SearchWorkload::passes})
      if (std::string wrong = (this->*step)(); !wrong.empty()) return wrong;
    return {};
  }
  std::string again() override {
    if (index_ == nullptr) {
      auto opened = Index::open(folder_, options());
      if (!opened) return opened.error().to_string();
      index_ = std::move(*opened);
    }
    begin();
    std::string wrong;
    for (auto step : {&SearchWorkload::lone, &SearchWorkload::batch, &SearchWorkload::others})
      if (wrong.empty()) wrong = (this->*step)();
    const auto report = index_->verify();
    if (wrong.empty() && !(report && report->ok())) wrong = "verify complains";
    index_.reset();
    return failed_ && wrong.empty() ? "it fails again: " + last_error_ : wrong;
  }

 private:
  std::string lone() {
    for (const bool exact : {true, false}) {
      const auto result = during([&] { return index_->search(request(3, exact)); });
      if (std::string wrong = judge(3, exact, result); !wrong.empty()) return wrong;
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
      if (std::string wrong = judge(q * 11, q % 2 == 0, results[q]); !wrong.empty()) return wrong;
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
      if (std::string wrong = judge(q + 50, true, *results[q]); !wrong.empty()) return wrong;
    return {};
  }
  std::string others() {
    const auto explained = during([this] { return index_->explain(request(70, true)); });
    const auto result = explained ? Result<SearchResult>(explained->result)
                                  : Result<SearchResult>(fail(explained.error()));
    if (std::string wrong = judge(70, true, result); !wrong.empty()) return wrong;
    const auto stored = during([this] { return index_->get(FaultRows::label_of(17)); });
    if (!stored) return note(stored.error());
    const VectorView row = rows().row(17);
    return std::memcmp(stored->data(), row.data, row.bytes()) == 0 ? "" : "a stored vector";
  }
  /// Whole passes; what verify() finds is a problem of its report.
  std::string passes() {
    const auto report = during([this] { return index_->verify(); });
    if (!report) return note(report.error());
    for (const Error& problem : report->problems)
      if (std::string unclean = note(problem); !unclean.empty()) return unclean;
    const auto structure = during([this] { return index_->inspect(); });
    if (!structure) return note(structure.error());
    auto scan = during([this] { return index_->scan(); });
    if (!scan) return note(scan.error());
    std::vector<std::byte> into(FaultRows::kCount * FaultRows::kDim);
    std::vector<Label> labels(FaultRows::kCount);
    const auto read = during([&] { return (*scan)->next(into, labels); });
    if (!read) return note(read.error());
    for (std::size_t i = 0; i < *read; ++i)
      if (std::memcmp(into.data() + i * FaultRows::kDim,
                      rows().row((labels[i] - FaultRows::label_of(0)) / 3).data,
                      FaultRows::kDim) != 0)
        return "a scanned vector";
    return {};
  }

  std::unique_ptr<Index> index_;
};

/// A new calibration is published, or the old one stays.
class CalibrateWorkload final : public ReadWorkload {
 public:
  CalibrateWorkload(std::string from, std::string folder)
      : ReadWorkload(std::move(folder), IoBackend::automatic), from_(std::move(from)) {}
  std::string name() const override { return "calibrate"; }
  std::uint64_t points_every() const override { return kPointsEveryOfRecall; }
  void prepare() override {
    stdfs::remove_all(folder_);
    stdfs::copy(from_, folder_);
    begin();
  }
  std::string attempt(Kind) override {
    const auto report = during([this] { return calibrate(); });
    return report ? "" : note(report.error());
  }
  std::string again() override {
    if (std::string wrong = whole(); !wrong.empty()) return wrong + " before";
    const auto report = calibrate();
    return report ? whole() : report.error().to_string();
  }

 private:
  Result<CalibrateReport> calibrate() const {
    return calibrate_index(
        folder_, {.rows = 8, .threads = 1, .seed = 5, .read_timeout_ms = read_timeout_ms_});
  }
  std::string whole() {
    begin();
    per_vector_ = 1e6;
    const auto index = Index::open(folder_, options());
    if (!index) return index.error().to_string();
    if (const auto effort = (*index)->effort(kK, 0.9); !effort) return effort.error().to_string();
    std::string wrong = judge(3, true, (*index)->search(request(3, true)));
    return wrong.empty() && failed_ ? "a search fails" : wrong;
  }
  const std::string from_;
};

}  // namespace

std::string Workload::note(const Error& error) {
  failed_ = true;
  last_error_ = error.to_string();
  if (of_memory_)
    return error.code == ErrorCode::out_of_memory ? "" : "unclean: " + error.to_string();
  switch (error.code) {
    case ErrorCode::io:
    case ErrorCode::no_space:
    case ErrorCode::corrupt:
    case ErrorCode::busy:
    case ErrorCode::out_of_memory:  // of zlib, which gives no other reason
      break;
    default:
      return "unclean: " + error.to_string();
  }
  const bool of_the_ring = error.what.find("io_uring") != std::string::npos;
  return error.file.empty() && !of_the_ring ? "names no file: " + error.to_string() : "";
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
  all.push_back(std::make_unique<CalibrateWorkload>(folder, scratch + "/calibrated"));
  add_builds(scratch, all);
  return all;
}

}  // namespace cairn::reliability

#include <cairn/examine.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <vector>

#include "engine/build/replace_calibration.h"
#include "tests/reliability/many_threads.h"

namespace cairn::reliability {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kWrongShown = 10;
constexpr IoBackend kBackends[] = {IoBackend::automatic, IoBackend::pread, IoBackend::sync};

void blame(ThreadCounts& counts, const std::string& why) {
  static std::mutex mutex;
  if (++counts.wrong > kWrongShown) return;
  const std::lock_guard lock(mutex);
  std::printf("WRONG: %s\n", why.c_str());
}

void judge(const KnownIndex& known, const Question& question, const Result<SearchResult>& result,
           ThreadCounts& counts) {
  if (!result) {
    const bool gave_up = question.may_cancel && result.error().code == ErrorCode::cancelled;
    counts.cancelled += gave_up;
    if (!gave_up) blame(counts, result.error().to_string());
    return;
  }
  if (const std::string why = known.wrong(question, *result); !why.empty())
    blame(counts, why + " (" + question.words() + ")");
}

}  // namespace

const char* mix_name(Mix mix) {
  static constexpr const char* kNames[] = {"search", "batch", "async", "open", "verify", "all"};
  return kNames[static_cast<std::size_t>(mix)];
}

std::uint64_t ThreadCounts::of(Mix mix) const {
  switch (mix) {
    case Mix::search:
      return searches;
    case Mix::batch:
      return batched;
    case Mix::async:
      return std::min(answered(), cancelled.load());
    case Mix::open:
      return std::min(opens.load(), published.load());
    case Mix::verify:
      return passes;
    case Mix::all:
      return std::min({searches.load(), batched.load(), answered(), opens.load()});
  }
  return 0;
}

void Worker::step(Mix mix) {
  if (mix == Mix::all) mix = kMixes[rng_.below(std::size(kMixes) - 1)];
  const Target target = pick();
  // Something of the rest, so that it meets the mix.
  if (rng_.below(10) == 0) search(target);
  switch (mix) {
    case Mix::search:
      search(target);
      if (rng_.below(8) == 0) fetch(target.index);
      break;
    case Mix::batch:
      batch(target);
      break;
    case Mix::async:
      if (rng_.below(200) == 0) return end_engine();
      submit(shared_.engine, false);
      break;
    case Mix::open:
      open();
      if (thread_ == 0 && rng_.below(4) == 0) publish();
      break;
    default:
      // Half of the threads at any time, so that searches go on beside them.
      rng_.below(2) == 0 ? pass(target) : search(target);
  }
  if (rng_.below(500) == 0) target.index.drop_cache();
  if (rng_.below(100) == 0 && target.index.stats().vector_count != shared_.known.oracle().count())
    blame(counts_, "stats of another index");
}

Worker::Target Worker::pick() {
  if (rng_.below(2) == 0) return {shared_.whole, Held::whole};
  return {shared_.lean, Held::lean};
}

Question Worker::draw(Held held) {
  Question question = shared_.known.draw(held, true, rng_);
  if (rng_.below(6) == 0)
    question.request.deadline = Clock::now() + std::chrono::microseconds(rng_.below(4000));
  return question;
}

void Worker::check(const Question& question, const Result<SearchResult>& result) {
  judge(shared_.known, question, result, counts_);
}

void Worker::search(const Target& target) {
  const Question question = draw(target.held);
  check(question, target.index.search(question.request));
  ++counts_.searches;
}

void Worker::batch(const Target& target) {
  std::vector<Question> questions(1 + rng_.below(40));
  std::vector<SearchRequest> requests;
  for (Question& question : questions) requests.push_back((question = draw(target.held)).request);
  const auto in_flight = static_cast<std::uint32_t>(1 + rng_.below(64));
  const auto results = target.index.search_batch(requests, {.reads_in_flight = in_flight});
  if (results.size() != questions.size()) return blame(counts_, "a batch of another size");
  for (std::size_t i = 0; i < results.size(); ++i) check(questions[i], results[i]);
  counts_.batched += results.size();
}

/// A few requests at once, some of which are cancelled: before they begin, under way or ended.
/// `ends`: the engine is about to, and cancels what is pending.
void Worker::submit(AsyncEngine& engine, bool ends) {
  std::vector<AsyncEngine::Ticket> tickets;
  for (std::uint64_t left = 1 + rng_.below(8); left > 0; --left) {
    Question question = draw(Held::whole);
    const bool cancels = rng_.below(3) == 0;
    question.may_cancel = cancels || ends;
    ThreadCounts& counts = counts_;
    const KnownIndex& known = shared_.known;
    // Before the completion, which may come at once.
    ++counts.submitted;
    const auto ticket = engine.submit(
        question.request, [&counts, &known, question](const Result<SearchResult>& result) {
          judge(known, question, result, counts);
          ++counts.completed;
        });
    if (!ticket) {
      --counts.submitted;
      if (ticket.error().code != ErrorCode::busy) blame(counts, ticket.error().to_string());
    }
    if (ticket && cancels) tickets.push_back(*ticket);
  }
  for (const AsyncEngine::Ticket ticket : tickets) engine.cancel(ticket);
}

void Worker::end_engine() {
  auto engine = shared_.whole.start_async({.threads = 1, .queue_max = 16, .reads_in_flight = 8});
  if (!engine) return blame(counts_, engine.error().to_string());
  submit(**engine, true);
}

void Worker::open() {
  OpenOptions options;
  const Held held = rng_.below(2) == 0 ? Held::whole : Held::lean;
  if (held == Held::lean) options.memory_limit_bytes = shared_.known.lean_bytes();
  options.io = kBackends[rng_.below(std::size(kBackends))];
  options.direct = rng_.below(2) == 0;
  const auto index = Index::open(shared_.folder, options);
  if (!index) return blame(counts_, index.error().to_string());
  ++counts_.opens;
  const Target target{**index, held};
  for (std::uint64_t left = rng_.below(4); left > 0; --left) search(target);
  if (rng_.below(4) == 0) fetch(**index);
  // One of the two that are published in turn, whole.
  if (!shared_.known.which(**index, held)) blame(counts_, "efforts of no calibration");
}

void Worker::publish() {
  const auto& calibration = shared_.known.calibration(rng_.below(2));
  const auto done = build::replace_calibration(io::posix_fs(), shared_.folder, calibration);
  if (!done) return blame(counts_, done.error().to_string());
  ++counts_.published;
}

void Worker::pass(const Target& target) {
  ++counts_.passes;
  switch (rng_.below(5)) {
    case 0: {
      const auto report = target.index.verify();
      if (!report) return blame(counts_, report.error().to_string());
      if (!report->ok()) blame(counts_, report->problems.front().to_string());
      return;
    }
    case 1: {
      const auto report = target.index.inspect();
      if (!report) return blame(counts_, report.error().to_string());
      if (report->vectors != shared_.known.oracle().count()) blame(counts_, "inspect miscounts");
      return;
    }
    case 2:
      return scan(target.index);
    case 3:
      return examine(target.index);
    default: {
      Question question = draw(target.held);
      question.request.deadline.reset();
      auto explained = target.index.explain(question.request);
      if (!explained) return blame(counts_, explained.error().to_string());
      check(question, std::move(explained->result));
    }
  }
}

void Worker::scan(const Index& index) {
  const auto scanned = shared_.known.oracle().check_scan(index);
  if (!scanned) blame(counts_, scanned.error().to_string());
}

void Worker::examine(const Index& index) {
  ExamineOptions options;
  options.rows = 8;
  options.threads = static_cast<std::uint32_t>(1 + rng_.below(2));
  options.seed = rng_.next();
  const auto examined = index.examine(options);
  if (!examined) return blame(counts_, examined.error().to_string());
  if (examined->unreachable != 0 || examined->rows.queries != options.rows)
    blame(counts_, "examine finds vectors out of reach, or other rows");
}

void Worker::fetch(const Index& index) {
  const Oracle& oracle = shared_.known.oracle();
  const Label label = oracle.labels()[rng_.below(oracle.count())];
  const auto vector = index.get(label);
  if (!vector) return blame(counts_, vector.error().to_string());
  if (!oracle.is_vector(label, *vector)) blame(counts_, "another vector of a label");
  ++counts_.fetches;
}

}  // namespace cairn::reliability

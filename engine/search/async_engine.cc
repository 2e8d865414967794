#include "engine/search/async_engine.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/guarded.h"

namespace cairn::search {
namespace {

constexpr std::uint32_t kThreadsMax = 1024;

/// How long a thread waits for a read before it looks for new requests. Reads that end wake it
/// sooner, so this matters only where they take longer.
constexpr std::int64_t kWaitUs = 1000;

/// A submitted request with the query it copied.
struct Pending {
  SearchRequest request;
  std::vector<std::byte> query;
  AsyncEngine::Completion completion;
  std::atomic<bool> cancelled = false;
};

class Engine final : public AsyncEngine {
 public:
  Engine(const Snapshot& snapshot, const Index::AsyncOptions& options)
      : snapshot_(snapshot), options_(options) {}
  ~Engine() override;
  Status start(ContextPool& pool);

  Result<Ticket> submit(const SearchRequest& request, Completion completion) override;
  void cancel(Ticket ticket) override;

 private:
  /// One thread's view of the queue.
  class Source final : public JobSource {
   public:
    explicit Source(Engine& engine) : engine_(engine) {}
    std::optional<Job> next(bool idle) override { return engine_.next(idle); }
    std::size_t waiting() const override { return engine_.waiting(); }
    void finish(std::uint64_t id, Result<SearchResult> result) noexcept override {
      engine_.finish(id, std::move(result));
    }

   private:
    Engine& engine_;
  };

  std::optional<Job> next(bool idle);
  std::size_t waiting();
  void finish(Ticket ticket, Result<SearchResult> result);
  void stop();

  const Snapshot& snapshot_;
  const Index::AsyncOptions options_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;  // of all below
  std::condition_variable wake_;
  std::deque<Ticket> queue_;
  std::unordered_map<Ticket, std::unique_ptr<Pending>> pending_;  // queued or under way
  Ticket next_ticket_ = 1;
  bool stopping_ = false;
};

Status Engine::start(ContextPool& pool) {
  std::vector<std::unique_ptr<Driver>> drivers;
  for (std::uint32_t i = 0; i < options_.threads; ++i) {
    CAIRN_ASSIGN(auto driver, pool.make_for_one_thread());
    drivers.push_back(std::move(driver));
  }
  threads_.reserve(drivers.size());
  for (auto& driver : drivers)
    threads_.emplace_back([this, own = std::move(driver)]() mutable {
      Source source(*this);
      own->run(source, options_.reads_in_flight, kWaitUs);
      own.reset();  // on the thread that its device belongs to
    });
  return {};
}

Engine::~Engine() {
  stop();
  for (std::thread& thread : threads_) thread.join();
}

void Engine::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto& [ticket, pending] : pending_) pending->cancelled = true;
  wake_.notify_all();
}

Result<AsyncEngine::Ticket> Engine::submit(const SearchRequest& request, Completion completion) {
  return guarded("submit search", [&]() -> Result<Ticket> {
    CAIRN_TRY(snapshot_.check(request));
    if (!completion) return fail(ErrorCode::invalid_argument, "submit search: no completion");
    auto pending = std::make_unique<Pending>();
    pending->request = request;
    const auto* bytes = static_cast<const std::byte*>(request.query.data);
    pending->query.assign(bytes, bytes + request.query.bytes());
    pending->request.query.data = pending->query.data();
    pending->completion = std::move(completion);
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(ErrorCode::cancelled, "submit search: the engine is stopping");
    if (queue_.size() >= options_.queue_max)
      return fail({.code = ErrorCode::busy,
                   .what = "submit search",
                   .found = std::to_string(queue_.size()) + " waiting requests",
                   .expected = "fewer than " + std::to_string(options_.queue_max)});
    const Ticket ticket = next_ticket_++;
    pending_.emplace(ticket, std::move(pending));
    try {
      queue_.push_back(ticket);
    } catch (...) {
      pending_.erase(ticket);
      throw;
    }
    wake_.notify_one();
    return ticket;
  });
}

void Engine::cancel(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  const auto at = pending_.find(ticket);
  if (at != pending_.end()) at->second->cancelled = true;
}

// A cancelled request is handed out as any other: the driver gives it up before its first read.
std::optional<Job> Engine::next(bool idle) {
  std::unique_lock lock(mutex_);
  if (idle) wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (queue_.empty()) return std::nullopt;
  const Ticket ticket = queue_.front();
  queue_.pop_front();
  const Pending& pending = *pending_.at(ticket);
  return Job{.request = &pending.request, .id = ticket, .cancelled = &pending.cancelled};
}

/// A thread's share of the queue.
std::size_t Engine::waiting() {
  const std::lock_guard lock(mutex_);
  return queue_.size() / options_.threads;
}

void Engine::finish(Ticket ticket, Result<SearchResult> result) {
  std::unique_ptr<Pending> pending;
  {
    const std::lock_guard lock(mutex_);
    const auto at = pending_.find(ticket);
    pending = std::move(at->second);
    pending_.erase(at);
  }
  pending->completion(std::move(result));
}

Status within(const char* name, std::uint32_t value, std::uint32_t most) {
  if (value >= 1 && value <= most) return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = std::string("start_async: ") + name,
               .found = std::to_string(value),
               .expected = "1 to " + std::to_string(most)});
}

}  // namespace

Result<std::unique_ptr<AsyncEngine>> start_async_engine(ContextPool& pool, const Snapshot& snapshot,
                                                        const Index::AsyncOptions& options) {
  CAIRN_TRY(within("threads", options.threads, kThreadsMax));
  CAIRN_TRY(within("queue_max", options.queue_max, 1u << 30));
  CAIRN_TRY(within("reads_in_flight", options.reads_in_flight, Driver::kDepthMax));
  return guarded("start_async", [&]() -> Result<std::unique_ptr<AsyncEngine>> {
    auto engine = std::make_unique<Engine>(snapshot, options);
    CAIRN_TRY(engine->start(pool));
    return engine;
  });
}

}  // namespace cairn::search

// Asynchronous search: by completions, and through Asio by callbacks, futures and co_await.
#include <cairn/asio.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

using Answer = Result<SearchResult>;
using AsyncOptions = Index::AsyncOptions;

/// Blocks whoever passes it until it is opened.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for_visitor() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

class Async : public ::testing::Test {
 protected:
  std::unique_ptr<AsyncEngine> start(const AsyncOptions& options = {}) {
    return must(index_->start_async(options), "start_async");
  }
  std::future<Answer> submit(AsyncEngine& engine, const SearchRequest& request) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto future = promise->get_future();
    const auto ticket =
        engine.submit(request, [promise](Answer answer) { promise->set_value(std::move(answer)); });
    if (!ticket) promise->set_value(fail(ticket.error()));
    return future;
  }
  SearchRequest request(std::uint64_t row) const { return request_for(built_, row); }
  /// Holds the engine thread that runs it until the gate opens.
  SearchRequest held_by(const std::shared_ptr<Gate>& gate, std::uint64_t row) const {
    SearchRequest held = request(row);
    held.allow = [gate](Label) {
      gate->pass();
      return true;
    };
    return held;
  }

  const BuiltIndex& built_ = shared_index();
  std::unique_ptr<Index> index_ = open_index(built_);
  std::vector<SearchResult> expected_ = answers(*index_, built_, 50);
};

TEST_F(Async, AnswersAsSearchDoes) {
  for (const std::uint32_t threads : {1u, 3u}) {
    const auto engine = start({.threads = threads});
    std::vector<std::future<Answer>> futures;
    for (std::uint64_t i = 0; i < 400; ++i) futures.push_back(submit(*engine, request(i % 50)));
    for (std::size_t i = 0; i < futures.size(); ++i) {
      const Answer answer = futures[i].get();
      ASSERT_TRUE(answer) << answer.error().to_string();
      EXPECT_TRUE(same_answer(*answer, expected_[i % 50])) << i;
    }
  }
}

TEST_F(Async, CopiesTheQuery) {
  const auto engine = start();
  const auto gate = std::make_shared<Gate>();
  auto held = submit(*engine, held_by(gate, 1));
  gate->wait_for_visitor();
  std::future<Answer> answer;
  {
    const auto* bytes = static_cast<const std::byte*>(built_.row(7).data);
    std::vector<std::byte> query(bytes, bytes + built_.row(7).bytes());
    SearchRequest copy = request(7);
    copy.query.data = query.data();
    answer = submit(*engine, copy);
    std::ranges::fill(query, std::byte{0});
  }
  gate->open();
  EXPECT_TRUE(same_answer(must(answer.get()), expected_[7]));
  EXPECT_TRUE(held.get());
}

TEST_F(Async, RefusesBadRequestsAtOnce) {
  const auto engine = start();
  SearchRequest bad = request(0);
  bad.k = 0;
  EXPECT_TRUE(
      fails_with(engine->submit(bad, [](const Answer&) { FAIL(); }), ErrorCode::invalid_argument));
  EXPECT_TRUE(fails_with(engine->submit(request(0), nullptr), ErrorCode::invalid_argument));
  EXPECT_TRUE(fails_with(index_->start_async({.threads = 0}), ErrorCode::invalid_argument));
  EXPECT_TRUE(fails_with(index_->start_async({.queue_max = 0}), ErrorCode::invalid_argument));
  EXPECT_TRUE(fails_with(index_->start_async({.reads_in_flight = 0}), ErrorCode::invalid_argument));
}

TEST_F(Async, AFullQueueIsBusyAtOnce) {
  const auto engine = start({.queue_max = 3});
  const auto gate = std::make_shared<Gate>();
  auto held = submit(*engine, held_by(gate, 1));
  gate->wait_for_visitor();
  std::vector<std::future<Answer>> waiting;
  for (std::uint64_t i = 0; i < 3; ++i) waiting.push_back(submit(*engine, request(i)));
  EXPECT_TRUE(
      fails_with(engine->submit(request(4), [](const Answer&) { FAIL(); }), ErrorCode::busy));
  gate->open();
  for (std::uint64_t i = 0; i < 3; ++i)
    EXPECT_TRUE(same_answer(must(waiting[i].get()), expected_[i]));
  EXPECT_TRUE(held.get());
  EXPECT_TRUE(same_answer(must(submit(*engine, request(4)).get()), expected_[4]));
}

TEST_F(Async, CancelsWhatWaitsAndWhatIsUnderWay) {
  const auto engine = start();
  const auto gate = std::make_shared<Gate>();
  std::promise<Answer> under_way, waiting;
  const auto first = must(engine->submit(
      held_by(gate, 1), [&](Answer answer) { under_way.set_value(std::move(answer)); }));
  gate->wait_for_visitor();
  const auto second = must(
      engine->submit(request(2), [&](Answer answer) { waiting.set_value(std::move(answer)); }));
  auto other = submit(*engine, request(3));
  engine->cancel(second);
  engine->cancel(first);
  engine->cancel(999);
  gate->open();
  EXPECT_TRUE(fails_with(waiting.get_future().get(), ErrorCode::cancelled));
  EXPECT_TRUE(fails_with(under_way.get_future().get(), ErrorCode::cancelled));
  EXPECT_TRUE(same_answer(must(other.get()), expected_[3]));
  engine->cancel(first);
}

TEST_F(Async, DestructionCompletesWhatIsPending) {
  auto engine = start();
  AsyncEngine* const stopping = engine.get();
  const auto gate = std::make_shared<Gate>();
  std::vector<std::future<Answer>> futures;
  std::promise<Answer> late;  // submitted by the first completion, when the engine is stopping
  const auto first = must(engine->submit(held_by(gate, 0), [&](const Answer&) {
    const auto refused = stopping->submit(request(1), [](const Answer&) {});
    late.set_value(refused ? Answer(SearchResult{}) : Answer(fail(refused.error())));
  }));
  gate->wait_for_visitor();
  for (std::uint64_t i = 0; i < 100; ++i) futures.push_back(submit(*engine, request(i % 50)));
  std::thread destroyer([&] { engine.reset(); });
  // Held at the gate, the engine cannot go before it says that it is stopping.
  while (!fails_with(stopping->submit(request(2), [](const Answer&) {}), ErrorCode::cancelled))
    std::this_thread::yield();
  gate->open();
  destroyer.join();
  EXPECT_TRUE(fails_with(late.get_future().get(), ErrorCode::cancelled)) << first;
  for (auto& future : futures) {
    ASSERT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    EXPECT_TRUE(fails_with(future.get(), ErrorCode::cancelled));
  }
}

TEST_F(Async, TakesRequestsFromManyThreadsAndFromCompletions) {
  const auto engine = start({.threads = 2});
  std::atomic<int> done = 0;
  std::promise<void> all;
  const auto count = [&] {
    if (++done == 3 * 40 * 2) all.set_value();
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 40; ++i)
        must(engine->submit(request(i), [&, i](const Answer& answer) {
          EXPECT_TRUE(answer && same_answer(*answer, expected_[i]));
          must(engine->submit(request(i + 1), [&, i](const Answer& next) {
            EXPECT_TRUE(next && same_answer(*next, expected_[i + 1]));
            count();
          }));
          count();
        }));
    });
  for (std::thread& thread : threads) thread.join();
  all.get_future().wait();
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

TEST_F(Async, CostsNothingWhileIdle) {
  const auto engine = start({.threads = 2});
  EXPECT_TRUE(submit(*engine, request(0)).get());
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(cpu_seconds() - before, 0.01);
}

// ---- Asio

namespace asio = boost::asio;

TEST_F(Async, AsioCallbacksRunOnTheirExecutor) {
  const auto engine = start();
  asio::io_context context;
  const auto here = std::this_thread::get_id();
  int called = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    // Move-only, as handlers may be.
    auto token = std::make_unique<std::uint64_t>(i);
    async_search(*engine, request(i),
                 asio::bind_executor(context, [&, token = std::move(token)](Answer answer) {
                   EXPECT_EQ(std::this_thread::get_id(), here);
                   EXPECT_TRUE(answer && same_answer(*answer, expected_[*token]));
                   ++called;
                 }));
  }
  context.run();  // the operations keep it at work
  EXPECT_EQ(called, 20);
}

TEST_F(Async, AsioFutures) {
  const auto engine = start();
  auto good = async_search(*engine, request(3), asio::use_future);
  SearchRequest bad = request(3);
  bad.query.data = nullptr;
  auto refused = async_search(*engine, bad, asio::use_future);
  EXPECT_TRUE(same_answer(must(good.get()), expected_[3]));
  EXPECT_TRUE(fails_with(refused.get(), ErrorCode::invalid_argument));
}

#ifdef BOOST_ASIO_HAS_CO_AWAIT  // not with clang 14 and the standard library of gcc 12

asio::awaitable<void> search_all(const BuiltIndex& built, AsyncEngine& engine,
                                 const std::vector<SearchResult>& expected, int& right) {
  const auto here = std::this_thread::get_id();
  for (std::uint64_t i = 0; i < expected.size(); ++i) {
    auto answer = co_await async_search(engine, request_for(built, i), asio::use_awaitable);
    EXPECT_EQ(std::this_thread::get_id(), here);
    right += answer && same_answer(*answer, expected[i]) ? 1 : 0;
  }
}

TEST_F(Async, AsioCoroutines) {
  const auto engine = start({.threads = 2});
  asio::io_context context;
  int right = 0;
  for (int i = 0; i < 4; ++i)
    asio::co_spawn(context, search_all(built_, *engine, expected_, right), asio::detached);
  context.run();
  EXPECT_EQ(right, 200);
}

asio::awaitable<void> search_later(AsyncEngine& engine, asio::awaitable<Answer> operation,
                                   Answer& answer) {
  (void)engine;
  answer = co_await std::move(operation);
}

TEST_F(Async, AsioOperationsKeepTheQueryUntilTheyBegin) {
  const auto engine = start();
  asio::io_context context;
  Answer answer;
  {
    const auto* bytes = static_cast<const std::byte*>(built_.row(9).data);
    std::vector<std::byte> query(bytes, bytes + built_.row(9).bytes());
    SearchRequest copy = request(9);
    copy.query.data = query.data();
    asio::co_spawn(context,
                   search_later(*engine, async_search(*engine, copy, asio::use_awaitable), answer),
                   asio::detached);
    std::ranges::fill(query, std::byte{0});
  }
  context.run();
  EXPECT_TRUE(same_answer(must(std::move(answer)), expected_[9]));
}

#endif

TEST_F(Async, AsioCancellationBeforeDuringAndAfter) {
  const auto engine = start();
  SearchCancellation before;
  before.cancel();
  EXPECT_TRUE(fails_with(async_search(*engine, request(0), asio::use_future, before).get(),
                         ErrorCode::cancelled));

  const auto gate = std::make_shared<Gate>();
  SearchCancellation during;
  auto held = async_search(*engine, held_by(gate, 1), asio::use_future, during);
  gate->wait_for_visitor();
  during.cancel();
  gate->open();
  EXPECT_TRUE(fails_with(held.get(), ErrorCode::cancelled));

  SearchCancellation after;
  EXPECT_TRUE(async_search(*engine, request(2), asio::use_future, after).get());
  after.cancel();
}

TEST_F(Async, AsioSaysBusyThroughTheCompletion) {
  const auto engine = start({.queue_max = 1});
  const auto gate = std::make_shared<Gate>();
  auto held = async_search(*engine, held_by(gate, 1), asio::use_future);
  gate->wait_for_visitor();
  auto waiting = async_search(*engine, request(2), asio::use_future);
  EXPECT_TRUE(
      fails_with(async_search(*engine, request(3), asio::use_future).get(), ErrorCode::busy));
  gate->open();
  EXPECT_TRUE(held.get());
  EXPECT_TRUE(waiting.get());
}

TEST_F(Async, AsioHandleOutlivesTheEngine) {
  SearchCancellation handle;
  std::future<Answer> answer;
  {
    const auto engine = start();
    answer = async_search(*engine, request(1), asio::use_future, handle);
  }
  handle.cancel();
  const Answer ended = answer.get();
  EXPECT_TRUE(ended || ended.error().code == ErrorCode::cancelled);
}

}  // namespace
}  // namespace cairn::search::testing

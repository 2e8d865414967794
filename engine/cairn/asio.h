// Asynchronous search for programs that run on Boost.Asio (1.74 or newer):
//
//   cairn::async_search(engine, request, [](cairn::Result<cairn::SearchResult> result) { ... });
//   auto future = cairn::async_search(engine, request, boost::asio::use_future);
//   auto result = co_await cairn::async_search(engine, request, boost::asio::use_awaitable);
//
// The search runs on the engine's threads; its completion is posted to the handler's associated
// executor, which is kept at work until then. Header-only: the library does not link to Boost.
#pragma once

#include <utility>  // Asio 1.18 uses std::exchange without it; must stand before any Asio header

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <cairn/index.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace cairn {

/// Ends a search early from any thread (Asio's own cancellation slots are younger than 1.74).
/// Copies name the same search. One search a handle: a handle that was cancelled, before or after
/// the search began, stays cancelled.
class SearchCancellation {
 public:
  SearchCancellation() : state_(std::make_shared<State>()) {}

  /// The search completes with ErrorCode::cancelled unless it has ended. Returns at once; does
  /// nothing when the search has ended, the engine included.
  void cancel() {
    const std::lock_guard lock(state_->mutex);
    state_->cancelled = true;
    if (state_->engine != nullptr) state_->engine->cancel(state_->ticket);
  }

 private:
  struct State {
    std::mutex mutex;  // of all below; taken before the engine's own
    bool cancelled = false;
    AsyncEngine* engine = nullptr;  // while the search is under way
    AsyncEngine::Ticket ticket = 0;
  };
  std::shared_ptr<State> state_;

  friend struct AsyncSearchInitiation;
};

/// What async_search() runs when the operation begins.
struct AsyncSearchInitiation {
  using Cancelling = std::shared_ptr<SearchCancellation::State>;

  /// A handler on its way: called once, on its own executor.
  template <class Handler>
  class Delivery {
   public:
    using Executor = boost::asio::associated_executor_t<Handler>;
    Delivery(Handler handler, Cancelling cancelling)
        : work_(boost::asio::get_associated_executor(handler)),
          handler_(std::move(handler)),
          cancelling_(std::move(cancelling)) {}

    void deliver(Result<SearchResult> result) {
      {
        const std::lock_guard lock(cancelling_->mutex);
        cancelling_->engine = nullptr;
      }
      auto work = std::move(work_);
      boost::asio::post(work.get_executor(),
                        [handler = std::move(handler_), result = std::move(result)]() mutable {
                          std::move(handler)(std::move(result));
                        });
    }

   private:
    boost::asio::executor_work_guard<Executor> work_;
    Handler handler_;
    Cancelling cancelling_;
  };

  template <class Handler>
  void operator()(Handler&& handler, AsyncEngine* engine, SearchRequest request,
                  const std::vector<std::byte>& query, const SearchCancellation& handle) const {
    const Cancelling& cancelling = handle.state_;
    request.query.data = query.data();
    // Shared only because std::function copies: handlers may be move-only.
    auto delivery = std::make_shared<Delivery<std::decay_t<Handler>>>(
        std::forward<Handler>(handler), cancelling);
    std::unique_lock lock(cancelling->mutex);
    auto submitted = cancelling->cancelled
                         ? Result<AsyncEngine::Ticket>(fail(ErrorCode::cancelled, "search"))
                         : engine->submit(request, [delivery](Result<SearchResult> result) {
                             delivery->deliver(std::move(result));
                           });
    if (submitted) {
      cancelling->engine = engine;
      cancelling->ticket = *submitted;
      return;
    }
    lock.unlock();
    delivery->deliver(fail(std::move(submitted).error()));
  }
};

/// Searches by `engine`, which must outlive the operation. Completion signature:
/// void(Result<SearchResult>); token: anything Asio takes for it. `request` and its query are
/// copied here, so a lazy token may begin later. ErrorCode::busy when the queue is full.
template <class Token>
auto async_search(AsyncEngine& engine, SearchRequest request, Token&& token,
                  SearchCancellation cancellation = {}) {
  const auto* bytes = static_cast<const std::byte*>(request.query.data);
  std::vector<std::byte> query;
  if (bytes != nullptr) query.assign(bytes, bytes + request.query.bytes());
  return boost::asio::async_initiate<Token, void(Result<SearchResult>)>(
      AsyncSearchInitiation{}, token, &engine, std::move(request), std::move(query),
      std::move(cancellation));
}

}  // namespace cairn

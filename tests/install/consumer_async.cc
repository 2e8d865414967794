// The same for a service on Boost.Asio: coroutine, callback, future, cancellation, a full queue.
#include <cairn/asio.h>
#include <cairn/builder.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdio>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t kDim = 8, kCount = 500;

int failures = 0;
void check(bool condition, const char* what) {
  if (condition) return;
  std::printf("not true: %s\n", what);
  ++failures;
}

std::vector<float> make_rows() {
  std::vector<float> rows(std::size_t{kDim} * kCount);
  std::uint32_t state = 777;
  for (float& value : rows) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(state >> 8) / 65536.0F;
  }
  return rows;
}

cairn::SearchRequest request_of(const std::vector<float>& rows, std::uint32_t row) {
  return {.query = {rows.data() + std::size_t{row} * kDim, kDim, cairn::DType::f32}, .k = 1};
}

bool is(const cairn::Result<cairn::SearchResult>& result, std::uint32_t row) {
  return result && result->neighbors.size() == 1 && result->neighbors[0].label == row;
}

asio::awaitable<void> walk(cairn::AsyncEngine& engine, const std::vector<float>& rows, int& found) {
  for (std::uint32_t row = 0; row < 50; ++row) {
    auto result = co_await cairn::async_search(engine, request_of(rows, row), asio::use_awaitable);
    if (is(result, row)) ++found;
  }
}

void coroutine_and_callback(cairn::AsyncEngine& engine, const std::vector<float>& rows) {
  asio::io_context context;
  int found = 0, called = 0;
  bool on_strand = false;
  asio::co_spawn(context, walk(engine, rows, found), asio::detached);
  auto strand = asio::make_strand(context);
  const auto on_result = [&](cairn::Result<cairn::SearchResult> result) {
    on_strand = strand.running_in_this_thread();
    called += is(result, 99);
  };
  cairn::async_search(engine, request_of(rows, 99), asio::bind_executor(strand, on_result));
  context.run();
  check(found == 50, "a coroutine gets every answer");
  check(called == 1, "a callback runs once");
  check(on_strand, "it runs on its associated executor");
}

void future_and_cancellation(cairn::AsyncEngine& engine, const std::vector<float>& rows) {
  auto future = cairn::async_search(engine, request_of(rows, 7), asio::use_future);
  check(is(future.get(), 7), "a future gets its answer");
  cairn::SearchCancellation cancellation;
  cancellation.cancel();
  const auto cancelled =
      cairn::async_search(engine, request_of(rows, 7), asio::use_future, cancellation).get();
  check(!cancelled && cancelled.error().code == cairn::ErrorCode::cancelled, "cancelled");
}

/// The engine's one thread is held inside a predicate, so the queue fills for certain.
void full_queue(const cairn::Index& index, const std::vector<float>& rows) {
  auto engine = index.start_async({.threads = 1, .queue_max = 2, .reads_in_flight = 1});
  check(engine.has_value(), "a second engine starts");
  if (!engine) return;
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  auto held = request_of(rows, 1);
  held.allow = [open](cairn::Label) { return open.wait(), true; };
  std::vector<std::future<cairn::Result<cairn::SearchResult>>> answers;
  std::uint32_t busy = 0;
  for (std::uint32_t i = 0; i < 64; ++i)
    answers.push_back(cairn::async_search(**engine, held, asio::use_future));
  // A refusal is delivered at once, while all that was taken waits at the gate.
  for (auto& answer : answers)
    if (answer.wait_for(std::chrono::milliseconds(20)) == std::future_status::ready) {
      const auto result = answer.get();
      busy += !result && result.error().code == cairn::ErrorCode::busy;
    }
  gate.set_value();
  std::uint32_t answered = 0;
  for (auto& answer : answers)
    if (answer.valid()) answered += is(answer.get(), 1);
  check(busy > 0, "a full queue refuses at once");
  check(busy + answered == answers.size(), "what was taken is answered");
}

void run(const std::string& folder) {
  const std::vector<float> rows = make_rows();
  auto builder = cairn::Builder::create(folder, kDim, cairn::DType::f32, {.code_bytes = 8});
  if (!builder) return check(false, builder.error().to_string().c_str());
  const auto added = (*builder)->add({rows.data(), kCount, kDim, cairn::DType::f32});
  if (!added) return check(false, added.error().to_string().c_str());
  const auto report = (*builder)->finish();
  if (!report) return check(false, report.error().to_string().c_str());
  const auto index = cairn::Index::open(folder);
  if (!index) return check(false, index.error().to_string().c_str());
  const auto engine = (*index)->start_async({.threads = 2});
  if (!engine) return check(false, engine.error().to_string().c_str());
  coroutine_and_callback(**engine, rows);
  future_and_cancellation(**engine, rows);
  full_queue(**index, rows);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  run(argv[1]);
  if (failures == 0) std::puts("ok");
  return failures == 0 ? 0 : 1;
}

// Fork-join over index ranges. Work is cut into fixed chunks, so a result that depends only on the
// chunk does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace cairn::build {

class Workers {
 public:
  explicit Workers(std::uint32_t threads) : threads_(std::max(1u, threads)) {}
  std::uint32_t threads() const { return threads_; }

  /// Calls task(begin, end, worker) for each chunk of [0, count); chunks are taken in order by
  /// whoever is free; worker < threads(). The calling thread takes part. The first exception of a
  /// task is rethrown here after all have ended.
  template <class Task>
  void each(std::size_t count, std::size_t chunk, const Task& task) const {
    std::atomic<std::size_t> next{0};
    std::exception_ptr error;
    std::mutex error_mutex;
    auto loop = [&](std::uint32_t worker) {
      try {
        for (std::size_t begin; (begin = next.fetch_add(chunk)) < count;)
          task(begin, std::min(count, begin + chunk), worker);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        next = count;
      }
    };
    std::vector<std::jthread> helpers;
    const std::size_t chunks = (count + chunk - 1) / chunk;
    try {
      for (std::uint32_t w = 1; w < threads_ && w < chunks; ++w) helpers.emplace_back(loop, w);
    } catch (const std::system_error&) {
      // A thread was refused: the work is done by those there are.
    }
    loop(0);
    helpers.clear();
    if (error) std::rethrow_exception(error);
  }

 private:
  std::uint32_t threads_;
};

}  // namespace cairn::build

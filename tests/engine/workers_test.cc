#include "engine/workers.h"

#include <cerrno>
#include <stdexcept>
#include <vector>

#include "tests/engine/build/build_test_util.h"
#include "tests/io/seccomp.h"

namespace cairn::build {
namespace {

std::vector<int> visits(std::uint32_t threads, std::size_t count, std::size_t chunk) {
  std::vector<int> visits(count);
  Workers(threads).each(count, chunk, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    for (std::size_t i = begin; i < end; ++i) ++visits[i];
  });
  return visits;
}

TEST(Workers, VisitEachIndexOnce) {
  for (const std::uint32_t threads : {0u, 1u, 3u, 8u})
    EXPECT_EQ(visits(threads, 1000, 7), std::vector<int>(1000, 1)) << threads;
  EXPECT_TRUE(visits(4, 0, 7).empty());
}

TEST(Workers, RethrowWhatATaskThrew) {
  const auto task = [](std::size_t begin, std::size_t, std::uint32_t) {
    if (begin == 5) throw std::runtime_error("five");
  };
  EXPECT_THROW(Workers(3).each(10, 1, task), std::runtime_error);
}

TEST(Workers, DoTheirWorkWhereThreadsAreRefused) {
  EXPECT_EQ(io::in_child([] {
              if (!io::forbid(SYS_clone3, EAGAIN) || !io::forbid(SYS_clone, EAGAIN)) return 1;
              return visits(4, 1000, 7) == std::vector<int>(1000, 1) ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace cairn::build

// What a container, a small ulimit or a profiler does to io_uring: every case must give the same
// bytes, by the ring or by threads, and say why.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/io/ring_test.h"
#include "tests/io/seccomp.h"

namespace cairn::io {
namespace {

constexpr std::uint32_t kPages = 64;

class DeviceLimits : public RingTest {
 protected:
  DeviceLimits() : RingTest(kPages) {}

  Result<std::unique_ptr<Device>> make(Backend backend, std::string* reason,
                                       std::span<std::byte> arena = {}) {
    return make_device(files_, {.backend = backend, .depth = 16, .arena = arena}, reason);
  }

  // Reads the file twice and compares.
  bool reads_right(Device& device, std::span<std::byte> memory) {
    std::uint64_t next = 0;
    std::uint64_t seen = 0;
    std::vector<ReadDone> done(16);
    while (seen < 2 * kPages) {
      if (next < 2 * kPages && device.in_flight() < device.depth()) {
        const std::uint64_t page = next % kPages;
        const ReadOp op{.bytes = kPage,
                        .offset = page * kPage,
                        .buffer = memory.data() + (next % 16) * kPage,
                        .tag = next};
        next += device.submit({&op, 1}).value_or(0);
        if (device.in_flight() < 16 && next < 2 * kPages) continue;
      }
      // All that fly are collected before a buffer is used again.
      const auto got = device.reap(done, device.in_flight(), -1);
      if (!got) return false;
      for (const ReadDone& read : std::span(done).first(*got))
        if (read.error != 0 || std::memcmp(memory.data() + (read.tag % 16) * kPage,
                                           bytes_.data() + (read.tag % kPages) * kPage, kPage) != 0)
          return false;
      seen += *got;
    }
    return true;
  }
};

TEST_F(DeviceLimits, ForbiddenSetupFallsBackAndSaysWhy) {
  for (const int error : {EPERM, ENOSYS}) {
    EXPECT_EQ(in_child([&] {
                if (!forbid(SYS_io_uring_setup, error)) return 1;
                std::string reason;
                auto device = make(Backend::automatic, &reason);
                if (!device || (*device)->backend() != Backend::pread) return 2;
                if (reason.find(std::strerror(error)) == std::string::npos) return 3;
                if (reason.find("seccomp") == std::string::npos) return 4;
                AlignedBytes memory(16 * kPage);
                if (!reads_right(**device, memory.span())) return 5;
                const auto insisted = make(Backend::uring, &reason);
                if (insisted) return 6;
                return insisted.error().to_string().find("seccomp") != std::string::npos ? 0 : 7;
              }),
              0)
        << std::strerror(error);
  }
}

TEST_F(DeviceLimits, SetupAllowedButUseForbiddenFallsBack) {
  EXPECT_EQ(in_child([&] {
              if (!forbid(SYS_io_uring_enter, EPERM)) return 1;
              std::string reason;
              auto device = make(Backend::automatic, &reason);
              if (!device || (*device)->backend() != Backend::pread || reason.empty()) return 2;
              AlignedBytes memory(16 * kPage);
              return reads_right(**device, memory.span()) ? 0 : 3;
            }),
            0);
}

TEST_F(DeviceLimits, ForbiddenRegistrationServesPlainReads) {
  // DEFER_TASKRUN rings are enabled by a registration; any_thread rings need none.
  EXPECT_EQ(
      in_child([&] {
        if (!forbid(SYS_io_uring_register, EPERM)) return 1;
        AlignedBytes memory(16 * kPage);
        const DeviceOptions options{
            .backend = Backend::uring, .depth = 16, .any_thread = true, .arena = memory.span()};
        auto device = make_device(files_, options, nullptr);
        if (!device) return 2;
        return reads_right(**device, memory.span()) ? 0 : 3;
      }),
      0);
}

// The ring breaks under reads: errors, no hang, and the device says so from then on.
TEST_F(DeviceLimits, AForbiddenEnterLaterEndsInErrorsNotInAHang) {
  for (const int error : {EPERM, EAGAIN, EINTR}) {
    EXPECT_EQ(in_child([&] {
                ::alarm(60);
                AlignedBytes memory(16 * kPage);
                auto device = make(Backend::uring, nullptr);
                if (!device || !reads_right(**device, memory.span())) return 1;
                if (!forbid(SYS_io_uring_enter, error)) return 2;
                const ReadOp op{.bytes = kPage, .buffer = memory.data(), .tag = 5};
                const auto taken = (*device)->submit({&op, 1});
                if (!taken || *taken != 1) return 3;
                ReadDone done;
                const auto got = (*device)->reap({&done, 1}, 1, -1);
                if (got && (*got != 1 || done.error == 0 || done.tag != 5)) return 4;
                if (error == EPERM && (*device)->submit({&op, 1})) return 5;
                device->reset();
                return 0;
              }),
              0)
        << std::strerror(error);
  }
}

TEST_F(DeviceLimits, TimeLimitHoldsWhenTheKernelTakesNothing) {
  EXPECT_EQ(in_child([&] {
              ::alarm(60);
              AlignedBytes memory(16 * kPage);
              auto device = make(Backend::uring, nullptr);
              if (!device || !reads_right(**device, memory.span())) return 1;
              if (!forbid(SYS_io_uring_enter, EAGAIN)) return 2;
              const ReadOp op{.bytes = kPage, .buffer = memory.data(), .tag = 5};
              if (!(*device)->submit({&op, 1})) return 3;
              ReadDone done;
              const auto got = (*device)->reap({&done, 1}, 1, 20'000);
              return got && *got == 0 ? 0 : 4;
            }),
            0);
}

TEST_F(DeviceLimits, SmallMemlockStillReads) {
  // As nobody: root is exempt from RLIMIT_MEMLOCK. The arena cannot be registered, the ring can.
  EXPECT_EQ(in_child([&] {
              const rlimit limit{.rlim_cur = 64 << 10, .rlim_max = 64 << 10};
              if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 1;
              if (::getuid() == 0 && ::setuid(65534) != 0) return 2;
              AlignedBytes memory(1 << 20);
              std::string reason;
              auto device = make(Backend::automatic, &reason, memory.span());
              if (!device) return 3;
              return reads_right(**device, memory.span()) ? 0 : 4;
            }),
            0);
}

TEST_F(DeviceLimits, OutOfDescriptorsFallsBack) {
  EXPECT_EQ(in_child([&] {
              // Each kind of device once before: UBSan opens a pipe when it first meets a type, and
              // takes the lack of a descriptor for an object that is not there.
              AlignedBytes memory(16 * kPage);
              for (const Backend backend : {Backend::uring, Backend::pread})
                if (auto device = make(backend, nullptr);
                    !device || !reads_right(**device, memory.span()))
                  return 5;
              const rlimit limit{.rlim_cur = 20, .rlim_max = 20};
              if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
              std::vector<std::unique_ptr<Device>> devices;
              std::string reason;
              for (int i = 0; i < 30; ++i) {
                auto device = make(Backend::automatic, &reason);
                if (!device || !reads_right(**device, memory.span())) return 2;
                devices.push_back(std::move(*device));
              }
              if (devices.back()->backend() != Backend::pread) return 3;
              return reason.find("RLIMIT_NOFILE") != std::string::npos ? 0 : 4;
            }),
            0);
}

TEST_F(DeviceLimits, NoThreadsStillReads) {
  EXPECT_EQ(in_child([&] {
              // Not even one thread of the pool can be started.
              if (!forbid(SYS_clone3, EAGAIN) || !forbid(SYS_clone, EAGAIN)) return 1;
              auto device = make(Backend::pread, nullptr);
              if (!device || (*device)->backend() != Backend::sync) return 2;
              AlignedBytes memory(16 * kPage);
              return reads_right(**device, memory.span()) ? 0 : 3;
            }),
            0);
}

TEST_F(DeviceLimits, AProfilersSignalsChangeNothing) {
  for (const Backend backend : {Backend::uring, Backend::pread, Backend::sync}) {
    EXPECT_EQ(in_child([&] {
                struct sigaction action {};
                action.sa_handler = [](int) {};  // without SA_RESTART, as the worst profiler
                ::sigaction(SIGALRM, &action, nullptr);
                const itimerval every{.it_interval = {0, 1000}, .it_value = {0, 1000}};
                ::setitimer(ITIMER_REAL, &every, nullptr);
                AlignedBytes memory(16 * kPage);
                auto device = make(backend, nullptr);
                if (!device) return 1;
                for (int round = 0; round < 20; ++round)
                  if (!reads_right(**device, memory.span())) return 2;
                return 0;
              }),
              0)
        << backend_name(backend);
  }
}

}  // namespace
}  // namespace cairn::io

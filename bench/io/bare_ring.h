// The least that random reads of a file cost on io_uring: one file and one memory, registered, no
// slots, no checksums, one enter for submit and wait. What any other way of reading is measured by.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "io/aligned_buffer.h"

namespace cairn::bench {

/// Of one thread.
class BareRing {
 public:
  /// Null where io_uring or a registration is refused. `fd` is open with O_DIRECT.
  static std::unique_ptr<BareRing> create(int fd, unsigned depth, std::uint32_t block_bytes) {
    auto memory = io::AlignedBuffer::create(std::size_t{depth} * block_bytes);
    if (!memory) return nullptr;
    std::unique_ptr<BareRing> ring(new BareRing(std::move(*memory), depth, block_bytes));
    return ring->open(fd) ? std::move(ring) : nullptr;
  }
  ~BareRing() {
    if (!open_) return;
    // What is in flight reads into memory_: it must end first.
    while (in_flight_ > 0) wait(in_flight_);
    io_uring_queue_exit(&ring_);
  }
  BareRing(const BareRing&) = delete;

  /// Reads a block into the memory of `slot`, 0 to depth - 1, which is not being read; the next
  /// wait() submits it.
  void start(std::uint64_t slot, std::uint64_t block) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_read_fixed(sqe, 0, memory_.data() + slot * block_bytes_, block_bytes_,
                             block * block_bytes_, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(sqe, slot);
    ++in_flight_;
  }

  /// Waits until at least `wait_min` reads have ended; the slots of those that have.
  std::span<const std::uint64_t> wait(unsigned wait_min) {
    io_uring_submit_and_wait(&ring_, wait_min);
    const unsigned got =
        io_uring_peek_batch_cqe(&ring_, done_.data(), static_cast<unsigned>(done_.size()));
    for (unsigned i = 0; i < got; ++i) {
      slots_[i] = done_[i]->user_data;
      whole_ &= done_[i]->res == static_cast<int>(block_bytes_);
    }
    io_uring_cq_advance(&ring_, got);
    in_flight_ -= got;
    return std::span(slots_).first(got);
  }

  unsigned in_flight() const { return in_flight_; }
  /// Whether every read so far came whole.
  bool whole() const { return whole_; }

 private:
  BareRing(io::AlignedBuffer memory, unsigned depth, std::uint32_t block_bytes)
      : memory_(std::move(memory)), block_bytes_(block_bytes), done_(depth), slots_(depth) {}

  bool open(int fd) {
    const auto depth = static_cast<unsigned>(slots_.size());
    const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    if (io_uring_queue_init(depth, &ring_, flags) != 0) return false;
    open_ = true;
    const iovec all{.iov_base = memory_.data(), .iov_len = memory_.size()};
    return io_uring_register_files(&ring_, &fd, 1) == 0 &&
           io_uring_register_buffers(&ring_, &all, 1) == 0;
  }

  io::AlignedBuffer memory_;
  std::uint32_t block_bytes_;
  io_uring ring_{};
  bool open_ = false;
  bool whole_ = true;
  unsigned in_flight_ = 0;
  std::vector<io_uring_cqe*> done_;
  std::vector<std::uint64_t> slots_;
};

}  // namespace cairn::bench

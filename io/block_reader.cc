#include "io/block_reader.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <new>

#include "io/os_error.h"

namespace cairn::io {
namespace {

constexpr std::uint32_t kBuffersMax = 65'536;
constexpr std::uint32_t kNone = SlotTable::kNone;

Result<std::uint32_t> largest_block(std::span<const BlockFile> files) {
  std::uint32_t largest = kIoAlignment;
  for (const BlockFile& file : files) {
    if (file.block_bytes == 0 || file.block_bytes % kIoAlignment != 0 ||
        file.block_bytes > kReadBytesMax || file.block_bytes % file.file->alignment_bytes() != 0)
      return fail({.code = ErrorCode::invalid_argument,
                   .what = "block size of",
                   .file = file.file->path(),
                   .found = std::to_string(file.block_bytes) + " bytes",
                   .expected = "a multiple of 4096 and of the device's unit"});
    largest = std::max(largest, file.block_bytes);
  }
  return largest;
}

}  // namespace

BlockRef::~BlockRef() {
  if (reader_ != nullptr) reader_->release(buffer_);
}

BlockReader::BlockReader(std::span<const BlockFile> files, const BlockReaderOptions& options,
                         std::uint32_t buffer_bytes, BlockCache* cache)
    : files_(files.begin(), files.end()),
      buffer_bytes_(buffer_bytes),
      cache_(cache),
      buffers_(options.buffers),
      held_(options.buffers),
      waiters_(options.requests_max),
      ready_(options.requests_max),
      done_(options.buffers) {
  prepared_.reserve(options.buffers);
  free_buffers_.reserve(options.buffers);
  for (std::uint32_t buffer = options.buffers; buffer-- > 0;) free_buffers_.push_back(buffer);
  for (std::uint32_t waiter = options.requests_max; waiter-- > 0;) {
    waiters_[waiter].next = free_waiter_;
    free_waiter_ = waiter;
  }
}

BlockReader::~BlockReader() {
  ready_.clear();  // gives its references back while the buffers still stand
  assert(free_buffers_.size() + reading_ == buffers_.size());
}

Result<std::unique_ptr<BlockReader>> BlockReader::create(Fs& fs, std::span<const BlockFile> files,
                                                         const BlockReaderOptions& options,
                                                         BlockCache* cache,
                                                         std::string* fallback_reason) {
  if (options.buffers < 1 || options.buffers > kBuffersMax ||
      options.requests_max > kBuffersMax * 4)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "buffers of a block reader",
                 .found = std::to_string(options.buffers),
                 .expected = "1 to " + std::to_string(kBuffersMax)});
  CAIRN_ASSIGN(const std::uint32_t buffer_bytes, largest_block(files));
  BlockReaderOptions used = options;
  if (used.requests_max == 0) used.requests_max = 4 * options.buffers;
  used.device.depth = std::min(options.device.depth, options.buffers);
  try {
    std::unique_ptr<BlockReader> reader(new BlockReader(files, used, buffer_bytes, cache));
    CAIRN_ASSIGN(reader->reads_.memory,
                 AlignedBuffer::create(std::size_t{buffer_bytes} * options.buffers));
    used.device.arena = reader->reads_.memory.bytes();
    std::vector<const ReadFile*> pointers;
    for (const BlockFile& file : files) pointers.push_back(file.file);
    CAIRN_ASSIGN(reader->reads_.device, fs.make_device(pointers, used.device, fallback_reason));
    return reader;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "allocate the tables of a block reader");
  }
}

std::size_t BlockReader::ram_bytes() const {
  return reads_.memory.size() + sizeof *this + held_.ram_bytes() +
         files_.capacity() * sizeof(BlockFile) + buffers_.capacity() * sizeof(Buffer) +
         free_buffers_.capacity() * sizeof(std::uint32_t) + waiters_.capacity() * sizeof(Waiter) +
         ready_.capacity() * sizeof(BlockArrival) + prepared_.capacity() * sizeof(ReadOp) +
         done_.capacity() * sizeof(ReadDone);
}

// ---- requests

std::uint32_t BlockReader::request(std::span<const BlockRequest> requests) {
  std::uint32_t taken = 0;
  while (taken < requests.size() && take(requests[taken])) ++taken;
  submit_prepared();
  return taken;
}

bool BlockReader::take(const BlockRequest& request) {
  if (outstanding_ == ready_.size()) return false;
  if (request.file >= files_.size() ||
      request.block >= files_[request.file].file->bytes() / files_[request.file].block_bytes) {
    refuse(request);
    return true;
  }
  const std::uint64_t hash = hash_of(request.file, request.block);
  if (join(request, hash) || serve_from_cache(request)) return true;
  if (free_buffers_.empty() || reading_ == reads_.device->depth()) return false;
  start_read(request, hash);
  return true;
}

// A read under way or a block still held serves this request too.
bool BlockReader::join(const BlockRequest& request, std::uint64_t hash) {
  const std::uint32_t buffer = held_.find(hash, [&](std::uint32_t candidate) {
    return buffers_[candidate].block == request.block && buffers_[candidate].file == request.file;
  });
  if (buffer == kNone) return false;
  ++counters_.shared;
  ++outstanding_;
  if (buffers_[buffer].reading) {
    ++merged_waiting_;
    add_waiter(buffer, request.token, BlockSource::shared);
  } else {
    push_ready({request.token, BlockSource::shared, reference(buffer), nullptr});
  }
  return true;
}

bool BlockReader::serve_from_cache(const BlockRequest& request) {
  if (cache_ == nullptr) return false;
  BlockRef block;
  block.pin_ = cache_->find(id_of(request.file, request.block));
  if (!block.pin_) return false;
  block.bytes_ = block.pin_.bytes();
  ++counters_.cache_hits;
  ++outstanding_;
  push_ready({request.token, BlockSource::cache, std::move(block), nullptr});
  return true;
}

void BlockReader::refuse(const BlockRequest& request) {
  Error error{.code = ErrorCode::invalid_argument,
              .what = "request of an unknown file",
              .block = request.block,
              .found = "file " + std::to_string(request.file),
              .expected = "less than " + std::to_string(files_.size())};
  if (request.file < files_.size()) {
    const ReadFile& file = *files_[request.file].file;
    error = {.code = ErrorCode::corrupt,
             .what = "reference to a block outside of",
             .file = file.path(),
             .block = request.block,
             .found = "a file of " + std::to_string(file.bytes()) + " bytes"};
  }
  ++counters_.failed;
  ++outstanding_;
  push_ready({request.token, BlockSource::disk, {}, std::make_unique<Error>(std::move(error))});
}

ReadOp BlockReader::read_op(std::uint32_t buffer) const {
  const Buffer& held = buffers_[buffer];
  const std::uint32_t bytes = files_[held.file].block_bytes;
  return {.file = held.file,
          .bytes = bytes,
          .offset = held.block * bytes,
          .buffer = bytes_of(buffer).data(),
          .tag = buffer};
}

void BlockReader::start_read(const BlockRequest& request, std::uint64_t hash) {
  const std::uint32_t buffer = free_buffers_.back();
  free_buffers_.pop_back();
  buffers_[buffer] = {.file = request.file, .block = request.block, .reading = true};
  held_.insert(hash, buffer);
  ++outstanding_;
  ++reading_;
  add_waiter(buffer, request.token, BlockSource::disk);
  prepared_.push_back(read_op(buffer));
}

void BlockReader::add_waiter(std::uint32_t buffer, std::uint64_t token, BlockSource source) {
  const std::uint32_t waiter = free_waiter_;
  free_waiter_ = waiters_[waiter].next;
  waiters_[waiter] = {.token = token, .source = source};
  Buffer& held = buffers_[buffer];
  (held.first_waiter == kNone ? held.first_waiter : waiters_[held.last_waiter].next) = waiter;
  held.last_waiter = waiter;
}

// A device that takes nothing more answers the rest as errors: no request is ever lost.
void BlockReader::submit_prepared() {
  if (prepared_.empty()) return;
  const auto taken = reads_.device->submit(prepared_);
  const std::size_t started = taken.value_or(0);
  for (std::size_t i = 0; i < prepared_.size(); ++i) {
    const auto buffer = static_cast<std::uint32_t>(prepared_[i].tag);
    if (i < started) {
      counters_.reads_4k += prepared_[i].bytes / kIoAlignment;
      continue;
    }
    Error error = taken ? Error{.code = ErrorCode::busy, .what = "the device took no read of"}
                        : taken.error();
    error.block = buffers_[buffer].block;
    error = Error(std::move(error).in_file(files_[buffers_[buffer].file].file->path()));
    settle(buffer, &error);
  }
  prepared_.clear();
}

// ---- arrivals

Result<std::uint32_t> BlockReader::collect(std::span<BlockArrival> arrivals, std::uint32_t wait_min,
                                           std::int64_t timeout_us) {
  using Clock = std::chrono::steady_clock;
  const auto need =
      static_cast<std::uint32_t>(std::min<std::size_t>({wait_min, outstanding_, arrivals.size()}));
  const Clock::time_point since = timeout_us > 0 ? Clock::now() : Clock::time_point{};
  std::int64_t left_us = timeout_us;
  for (bool in_time = timeout_us != 0; reading_ > 0;) {
    // One read may answer several requests, so with merged ones waiting each read is looked at.
    std::uint32_t wait = 0;
    if (ready_count_ < need && in_time)
      wait = merged_waiting_ > 0 ? 1 : need - static_cast<std::uint32_t>(ready_count_);
    CAIRN_ASSIGN(const std::uint32_t reaped, reads_.device->reap(done_, wait, left_us));
    for (const ReadDone& read : std::span(done_).first(reaped)) finish_read(read);
    submit_prepared();
    if (ready_count_ >= need || !in_time) break;
    if (timeout_us < 0) continue;
    const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - since);
    left_us = std::max<std::int64_t>(0, timeout_us - passed.count());
    in_time = left_us > 0 && reaped > 0;
  }
  std::uint32_t count = 0;
  while (count < arrivals.size() && ready_count_ > 0) arrivals[count++] = pop_ready();
  outstanding_ -= count;
  return count;
}

void BlockReader::finish_read(const ReadDone& read) {
  const auto buffer = static_cast<std::uint32_t>(read.tag);
  const Buffer& held = buffers_[buffer];
  if (read.error == EIO && repeat(buffer)) return;
  const std::string& path = files_[held.file].file->path();
  if (read.error != 0) {
    Error error = os_error(read.error, "read", path);
    error.block = held.block;
    return settle(buffer, &error);
  }
  const layout::PageId id = id_of(held.file, held.block);
  if (Status good = layout::check_page(bytes_of(buffer), id); !good) {
    const Error error = std::move(good).error().in_file(path);
    return settle(buffer, &error);
  }
  if (cache_ != nullptr) cache_->insert(id, bytes_of(buffer));
  settle(buffer, nullptr);
}

bool BlockReader::repeat(std::uint32_t buffer) {
  if (std::exchange(buffers_[buffer].repeated, true)) return false;
  ++counters_.retries;
  prepared_.push_back(read_op(buffer));
  return true;
}

// The read is over: all who wait for it get the block, or a copy of the error.
void BlockReader::settle(std::uint32_t buffer, const Error* error) {
  Buffer& held = buffers_[buffer];
  held.reading = false;
  --reading_;
  std::uint32_t waiter = std::exchange(held.first_waiter, kNone);
  while (waiter != kNone) {
    Waiter& one = waiters_[waiter];
    if (one.source == BlockSource::shared) --merged_waiting_;
    if (error == nullptr) {
      push_ready({one.token, one.source, reference(buffer), nullptr});
    } else {
      push_ready({one.token, one.source, {}, std::make_unique<Error>(*error)});
    }
    const std::uint32_t next = one.next;
    one.next = std::exchange(free_waiter_, waiter);
    waiter = next;
  }
  if (error == nullptr) return;
  ++counters_.failed;
  forget(buffer);
}

// ---- buffers and the queue of arrivals

BlockRef BlockReader::reference(std::uint32_t buffer) {
  ++buffers_[buffer].references;
  BlockRef ref;
  ref.reader_ = this;
  ref.buffer_ = buffer;
  ref.bytes_ = bytes_of(buffer);
  return ref;
}

void BlockReader::release(std::uint32_t buffer) {
  if (--buffers_[buffer].references == 0) forget(buffer);
}

void BlockReader::forget(std::uint32_t buffer) {
  held_.erase(
      hash_of(buffers_[buffer].file, buffers_[buffer].block), buffer,
      [&](std::uint32_t other) { return hash_of(buffers_[other].file, buffers_[other].block); });
  free_buffers_.push_back(buffer);
}

void BlockReader::push_ready(BlockArrival arrival) {
  assert(ready_count_ < ready_.size());
  ready_[(ready_first_ + ready_count_++) % ready_.size()] = std::move(arrival);
}

BlockArrival BlockReader::pop_ready() {
  BlockArrival arrival = std::move(ready_[ready_first_]);
  ready_first_ = (ready_first_ + 1) % ready_.size();
  --ready_count_;
  return arrival;
}

}  // namespace cairn::io

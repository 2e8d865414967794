#include <algorithm>
#include <cerrno>

#include "io/os_error.h"
#include "tests/sim/sim_core.h"

namespace cairn::sim {
namespace {

constexpr std::byte kRubbish{0xDB};

class SimWriteFile final : public io::WriteFile {
 public:
  SimWriteFile(std::shared_ptr<SimCore> core, std::string path, NodeId node, std::uint64_t bytes)
      : core_(std::move(core)), path_(std::move(path)), node_(node), bytes_written_(bytes) {}

  Status append(std::span<const std::byte> bytes) override {
    CAIRN_TRY(usable());
    const std::lock_guard lock(core_->mutex);
    const auto fault = core_->enter(FsOp::append, path_);
    std::size_t count = bytes.size();
    int error = 0;
    if (fault) {
      error = fault->error;
      count = fault->kind == FsFault::Kind::partial ? count / 2 : 0;
    }
    const std::uint64_t room = core_->free_bytes();
    if (count > room) {
      count = room;
      error = ENOSPC;
    }
    if (count > 0) core_->disk.append(node_, bytes.first(count));
    bytes_written_ += count;
    return error == 0 ? Status{} : poison(error, "append to");
  }

  Status sync() override {
    CAIRN_TRY(usable());
    const std::lock_guard lock(core_->mutex);
    if (const auto fault = core_->enter(FsOp::sync, path_)) {
      if (!core_->power_off) core_->disk.sync_file_failed(node_);
      return poison(fault->error, "sync");
    }
    core_->disk.sync_file(node_);
    return {};
  }

  Status close() override {
    CAIRN_TRY(usable());
    const std::lock_guard lock(core_->mutex);
    closed_ = true;
    if (const auto fault = core_->enter(FsOp::close, path_)) return poison(fault->error, "close");
    return {};
  }

  std::uint64_t bytes_written() const override { return bytes_written_; }

 private:
  Status usable() const {
    if (first_error_) return fail(*first_error_);
    if (!closed_) return {};
    return fail({.code = ErrorCode::invalid_argument, .what = "file is closed", .file = path_});
  }
  Status poison(int error, std::string_view doing) {
    first_error_ = io::os_error(error, doing, path_);
    return fail(*first_error_);
  }

  std::shared_ptr<SimCore> core_;
  std::string path_;
  NodeId node_;
  std::uint64_t bytes_written_;
  bool closed_ = false;
  std::optional<Error> first_error_;
};

}  // namespace

std::optional<FsFault> SimCore::enter(FsOp op, const std::string& path, bool direct) {
  const std::uint64_t index = operations.size();
  operations.push_back({op, path, direct});
  if (power_off) return FsFault{.op = op, .kind = FsFault::Kind::power_off, .error = EIO};
  auto fault = faults.strike(op, path, index);
  if (fault && fault->kind == FsFault::Kind::power_off) {
    power_off = true;
    fault->error = EIO;
  }
  return fault;
}

Status SimCore::enter_or_fail(FsOp op, const std::string& path, bool direct) {
  if (const auto fault = enter(op, path, direct))
    return fail(io::os_error(fault->error, fs_op_name(op), path));
  return {};
}

std::optional<ReadFault> SimCore::enter_read(const std::string& path) {
  const std::uint64_t index = reads++;
  if (power_off) return ReadFault{.kind = ReadFault::Kind::error, .error = EIO};
  return faults.strike_read(path, index);
}

std::unique_ptr<io::WriteFile> make_sim_write_file(std::shared_ptr<SimCore> core, std::string path,
                                                   NodeId node, std::uint64_t bytes) {
  return std::make_unique<SimWriteFile>(std::move(core), std::move(path), node, bytes);
}

// ---- reads

// How many bytes there were.
std::uint64_t SimReadFile::copy(std::uint64_t offset, std::span<std::byte> into) const {
  const std::vector<std::byte>& bytes = core_->disk.bytes(node_);
  if (offset >= bytes.size()) return 0;
  const auto count = std::min<std::uint64_t>(into.size(), bytes.size() - offset);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
  return count;
}

// Where a misdirected read of `bytes` at `offset` lands: another block of the file, if it has one.
std::uint64_t SimReadFile::other_block(std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t blocks = core_->disk.bytes(node_).size() / bytes;
  if (blocks < 2) return offset;
  return (offset / bytes + 1 + core_->random() % (blocks - 1)) % blocks * bytes;
}

int SimReadFile::fill(std::uint64_t offset, std::span<std::byte> into,
                      const std::optional<ReadFault>& fault) const {
  if (fault && fault->kind == ReadFault::Kind::error) {
    std::ranges::fill(into, kRubbish);
    return fault->error;
  }
  if (fault && fault->kind == ReadFault::Kind::early_end) {
    copy(offset, into.first(into.size() / 2));
    return EIO;
  }
  const bool misdirected = fault && fault->kind == ReadFault::Kind::wrong_block;
  if (copy(misdirected ? other_block(offset, into.size()) : offset, into) < into.size()) return EIO;
  if (!fault) return 0;
  switch (fault->kind) {
    case ReadFault::Kind::bit_flip:
      into[core_->random() % into.size()] ^= std::byte{1} << (core_->random() % 8);
      break;
    case ReadFault::Kind::zeros:
      std::ranges::fill(into, std::byte{0});
      break;
    case ReadFault::Kind::torn: {
      const std::size_t sectors = std::max<std::size_t>(into.size() / 512, 2);
      const std::size_t intact = std::min(into.size(), (1 + core_->random() % (sectors - 1)) * 512);
      copy(other_block(offset, into.size()) + intact, into.subspan(intact));
      break;
    }
    default:
      break;
  }
  return 0;
}

Status SimReadFile::read(std::uint64_t offset, std::span<std::byte> into) const {
  const auto address = reinterpret_cast<std::uintptr_t>(into.data());
  if ((offset | into.size() | address) % alignment_ != 0)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "unaligned direct read of",
                 .file = path_,
                 .expected = "units of 4096 bytes"});
  if (into.empty()) return {};
  const std::lock_guard lock(core_->mutex);
  const auto fault = core_->enter_read(path_);
  const std::uint64_t there = core_->disk.bytes(node_).size();
  if (!fault && (offset > there || into.size() > there - offset))
    return fail({.code = ErrorCode::corrupt,
                 .what = "early end of file reading at " + std::to_string(offset) + " of",
                 .file = path_,
                 .found = std::to_string(there - std::min(there, offset)) + " bytes",
                 .expected = std::to_string(into.size()) + " bytes"});
  const int error = fill(offset, into, fault);
  if (error == 0) return {};
  return fail(io::os_error(error, "read", path_));
}

}  // namespace cairn::sim

#include "tests/sim/sim_fs.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/os_error.h"
#include "io/posix_lock.h"
#include "tests/sim/sim_core.h"

namespace cairn::sim {
namespace {

tl::unexpected<Error> refuse(int error, FsOp op, const std::string& path) {
  return fail(io::os_error(error, fs_op_name(op), path));
}

// Why there is nothing at `path`: a file where a folder should be, or nothing at all.
int missing(const Disk& disk, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const auto node = disk.find(std::string_view(path).substr(0, slash));
    if (node && !disk.is_folder(*node)) return ENOTDIR;
  }
  return ENOENT;
}

class SimLock final : public io::FileLock {
 public:
  SimLock(std::shared_ptr<SimCore> core, NodeId node) : core_(std::move(core)), node_(node) {}
  ~SimLock() override {
    const std::lock_guard lock(core_->mutex);
    core_->locked.erase(node_);
  }

 private:
  std::shared_ptr<SimCore> core_;
  NodeId node_;
};

class SimPin final : public io::FileLock {
 public:
  SimPin(std::shared_ptr<SimCore> core, NodeId node, std::uint64_t sequence)
      : core_(std::move(core)), key_(node, sequence) {}
  ~SimPin() override {
    const std::lock_guard lock(core_->mutex);
    if (--core_->pins[key_] == 0) core_->pins.erase(key_);
  }

 private:
  std::shared_ptr<SimCore> core_;
  std::pair<NodeId, std::uint64_t> key_;
};

}  // namespace

SimFs::SimFs(std::uint64_t seed) : core_(std::make_shared<SimCore>(seed)) {}

// ---- what tests do to it

FaultPlan& SimFs::faults() { return core_->faults; }

void SimFs::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(core_->mutex);
  core_->capacity_bytes = bytes;
}

std::vector<OpRecord> SimFs::operations() const {
  const std::lock_guard lock(core_->mutex);
  return core_->operations;
}

std::uint64_t SimFs::reads() const {
  const std::lock_guard lock(core_->mutex);
  return core_->reads;
}

std::vector<Pending> SimFs::pending() const {
  const std::lock_guard lock(core_->mutex);
  return core_->disk.pending();
}

std::unique_ptr<SimFs> SimFs::after_power_loss(std::span<const Fate> fates,
                                               std::uint64_t seed) const {
  const std::lock_guard lock(core_->mutex);
  auto after = std::make_shared<SimCore>(core_->seed);
  after->disk = core_->disk.after_power_loss(fates, seed);
  return std::unique_ptr<SimFs>(new SimFs(std::move(after)));
}

std::unique_ptr<SimFs> SimFs::copy(std::uint64_t seed) const {
  const std::lock_guard lock(core_->mutex);
  auto other = std::make_shared<SimCore>(seed);
  other->disk = core_->disk;
  other->capacity_bytes = core_->capacity_bytes;
  return std::unique_ptr<SimFs>(new SimFs(std::move(other)));
}

std::size_t SimFs::complete_left_behind() {
  const std::lock_guard lock(core_->mutex);
  for (const io::ReadOp& op : core_->left_behind) std::fill_n(op.buffer, op.bytes, std::byte{0xee});
  return std::exchange(core_->left_behind, {}).size();
}

std::vector<std::byte> SimFs::bytes(const std::string& path) const {
  const std::lock_guard lock(core_->mutex);
  const auto node = core_->disk.find(path);
  return node ? core_->disk.bytes(*node) : std::vector<std::byte>{};
}

void SimFs::set_bytes(const std::string& path, std::vector<std::byte> bytes) {
  const std::lock_guard lock(core_->mutex);
  core_->disk.set_bytes(core_->disk.find(path).value(), std::move(bytes));
}

// ---- files

Result<std::unique_ptr<io::WriteFile>> SimFs::create(const std::string& path, io::WriteMode mode) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::create, path, mode == io::WriteMode::direct));
  if (core_->disk.find(path)) return refuse(EEXIST, FsOp::create, path);
  const auto place = core_->disk.place(path);
  if (!place) return refuse(missing(core_->disk, path), FsOp::create, path);
  const NodeId node = core_->disk.make(place->first, place->second, false);
  return make_sim_write_file(core_, path, node);
}

Result<std::unique_ptr<io::WriteFile>> SimFs::reopen(const std::string& path, std::uint64_t length,
                                                     io::WriteMode mode) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::reopen, path, mode == io::WriteMode::direct));
  const auto node = core_->disk.find(path);
  if (!node) return refuse(missing(core_->disk, path), FsOp::reopen, path);
  if (core_->disk.is_folder(*node)) return refuse(EISDIR, FsOp::reopen, path);
  const std::uint64_t there = core_->disk.bytes(*node).size();
  if (there < length)
    return fail({.code = ErrorCode::corrupt,
                 .what = "length of",
                 .file = path,
                 .found = std::to_string(there) + " bytes",
                 .expected = "at least " + std::to_string(length)});
  core_->disk.truncate(*node, length);
  return make_sim_write_file(core_, path, *node, length);
}

Result<std::unique_ptr<io::ReadFile>> SimFs::open(const std::string& path, bool direct) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::open, path, direct));
  const auto node = core_->disk.find(path);
  if (!node) return refuse(missing(core_->disk, path), FsOp::open, path);
  if (core_->disk.is_folder(*node)) return refuse(EISDIR, FsOp::open, path);
  return std::make_unique<SimReadFile>(core_, path, *node, core_->disk.bytes(*node).size(), direct);
}

Result<std::uint64_t> SimFs::file_bytes(const std::string& path) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::file_bytes, path));
  const auto node = core_->disk.find(path);
  if (!node) return refuse(missing(core_->disk, path), FsOp::file_bytes, path);
  if (core_->disk.is_folder(*node)) return refuse(EISDIR, FsOp::file_bytes, path);
  return core_->disk.bytes(*node).size();
}

// ---- folders

Result<std::uint64_t> SimFs::free_bytes(const std::string& folder) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::free_bytes, folder));
  if (!core_->disk.find(folder))
    return refuse(missing(core_->disk, folder), FsOp::free_bytes, folder);
  return core_->free_bytes();
}

Status SimFs::make_dir(const std::string& path) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::make_dir, path));
  if (core_->disk.find(path)) return refuse(EEXIST, FsOp::make_dir, path);
  const auto place = core_->disk.place(path);
  if (!place) return refuse(missing(core_->disk, path), FsOp::make_dir, path);
  core_->disk.make(place->first, place->second, true);
  return {};
}

Status SimFs::rename_entry(FsOp op, const std::string& from, const std::string& to) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(op, from));
  Disk& disk = core_->disk;
  const auto source = disk.find(from);
  const auto target = disk.find(to);
  const auto from_place = disk.place(from);
  const auto to_place = disk.place(to);
  // In the kernel's order: both parents, then the source.
  if (!from_place) return refuse(missing(disk, from), op, from);
  if (!to_place) return refuse(missing(disk, to), op, from);
  if (!source) return refuse(ENOENT, op, from);
  if (target && op == FsOp::rename_new) return refuse(EEXIST, op, from);
  if (source == target) return {};
  if (to.starts_with(from + "/")) return refuse(EINVAL, op, from);  // a folder into itself
  if (from.starts_with(to + "/")) return refuse(ENOTEMPTY, op, from);
  if (target) {
    if (disk.is_folder(*source) && !disk.is_folder(*target)) return refuse(ENOTDIR, op, from);
    if (!disk.is_folder(*source) && disk.is_folder(*target)) return refuse(EISDIR, op, from);
    if (!disk.entries(*target).empty()) return refuse(ENOTEMPTY, op, from);
  }
  disk.rename(from_place->first, from_place->second, to_place->first, to_place->second);
  return {};
}

Status SimFs::rename(const std::string& from, const std::string& to) {
  return rename_entry(FsOp::rename, from, to);
}

Status SimFs::rename_new(const std::string& from, const std::string& to) {
  return rename_entry(FsOp::rename_new, from, to);
}

Status SimFs::sync_dir(const std::string& path) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::sync_dir, path));
  const auto node = core_->disk.find(path);
  if (!node) return refuse(missing(core_->disk, path), FsOp::sync_dir, path);
  if (!core_->disk.is_folder(*node)) return refuse(ENOTDIR, FsOp::sync_dir, path);
  core_->disk.sync_folder(*node);
  return {};
}

Status SimFs::remove(const std::string& path) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::remove, path));
  const auto node = core_->disk.find(path);
  const auto place = core_->disk.place(path);
  if (!node || !place) return refuse(missing(core_->disk, path), FsOp::remove, path);
  if (core_->disk.is_folder(*node) && !core_->disk.entries(*node).empty())
    return refuse(ENOTEMPTY, FsOp::remove, path);
  core_->disk.remove(place->first, place->second);
  return {};
}

Result<bool> SimFs::exists(const std::string& path) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::exists, path));
  return core_->disk.find(path).has_value();
}

Result<std::vector<std::string>> SimFs::list(const std::string& path) {
  const std::lock_guard lock(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::list, path));
  const auto node = core_->disk.find(path);
  if (!node) return refuse(missing(core_->disk, path), FsOp::list, path);
  if (!core_->disk.is_folder(*node)) return refuse(ENOTDIR, FsOp::list, path);
  std::vector<std::string> names;
  for (const auto& [name, child] : core_->disk.entries(*node)) names.push_back(name);
  return names;
}

// ---- locks

Result<std::unique_ptr<io::FileLock>> SimFs::lock(const std::string& path) {
  const std::lock_guard guard(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::lock, path));
  auto node = core_->disk.find(path);
  if (!node) {
    const auto place = core_->disk.place(path);
    if (!place) return refuse(missing(core_->disk, path), FsOp::lock, path);
    node = core_->disk.make(place->first, place->second, false);
  }
  if (!core_->locked.insert(*node).second)
    return fail({.code = ErrorCode::busy, .what = "lock", .file = path});
  return std::make_unique<SimLock>(core_, *node);
}

Result<std::unique_ptr<io::FileLock>> SimFs::pin(const std::string& path, std::uint64_t sequence) {
  const std::lock_guard guard(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::pin, path));
  const auto node = core_->disk.find(path);
  if (!node) return refuse(missing(core_->disk, path), FsOp::pin, path);
  if (sequence >= io::kPinsEnd)
    return fail({.code = ErrorCode::invalid_argument, .what = "pin", .file = path});
  ++core_->pins[{*node, sequence}];
  return std::make_unique<SimPin>(core_, *node, sequence);
}

Result<bool> SimFs::is_pinned(const std::string& path, std::uint64_t sequence) {
  const std::lock_guard guard(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::is_pinned, path));
  const auto node = core_->disk.find(path);
  if (!node) return refuse(missing(core_->disk, path), FsOp::is_pinned, path);
  return core_->pins.contains({*node, sequence});
}

Result<bool> SimFs::is_any_pinned(const std::string& path, std::uint64_t end) {
  const std::lock_guard guard(core_->mutex);
  CAIRN_TRY(core_->enter_or_fail(FsOp::is_pinned, path));
  const auto node = core_->disk.find(path);
  if (!node) return refuse(missing(core_->disk, path), FsOp::is_pinned, path);
  const auto first = core_->pins.lower_bound({*node, 0});
  return first != core_->pins.end() && first->first.first == *node && first->first.second < end;
}

Result<std::unique_ptr<io::Device>> SimFs::make_device(std::span<const io::ReadFile* const> files,
                                                       const io::DeviceOptions& options,
                                                       std::string* fallback_reason) {
  if (fallback_reason != nullptr) fallback_reason->clear();
  {
    const std::lock_guard lock(core_->mutex);
    CAIRN_TRY(core_->enter_or_fail(FsOp::make_device, ""));
  }
  return make_sim_device(core_, files, options);
}

}  // namespace cairn::sim

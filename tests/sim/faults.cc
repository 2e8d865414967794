#include "tests/sim/faults.h"

#include <utility>

namespace cairn::sim {

std::string_view fs_op_name(FsOp op) {
  switch (op) {
    case FsOp::create:
      return "create";
    case FsOp::append:
      return "append";
    case FsOp::sync:
      return "sync";
    case FsOp::close:
      return "close";
    case FsOp::open:
      return "open";
    case FsOp::make_dir:
      return "make_dir";
    case FsOp::rename:
      return "rename";
    case FsOp::rename_new:
      return "rename_new";
    case FsOp::sync_dir:
      return "sync_dir";
    case FsOp::remove:
      return "remove";
    case FsOp::exists:
      return "exists";
    case FsOp::list:
      return "list";
    case FsOp::lock:
      return "lock";
    case FsOp::pin:
      return "pin";
    case FsOp::is_pinned:
      return "is_pinned";
    case FsOp::make_device:
      return "make_device";
    case FsOp::reopen:
      return "reopen";
    case FsOp::file_bytes:
      return "file_bytes";
    case FsOp::free_bytes:
      return "free_bytes";
  }
  return "unknown";
}

std::string_view read_fault_name(ReadFault::Kind kind) {
  switch (kind) {
    case ReadFault::Kind::error:
      return "error";
    case ReadFault::Kind::early_end:
      return "early_end";
    case ReadFault::Kind::wrong_block:
      return "wrong_block";
    case ReadFault::Kind::bit_flip:
      return "bit_flip";
    case ReadFault::Kind::zeros:
      return "zeros";
    case ReadFault::Kind::torn:
      return "torn";
    case ReadFault::Kind::late:
      return "late";
    case ReadFault::Kind::delayed:
      return "delayed";
    case ReadFault::Kind::lost:
      return "lost";
  }
  return "unknown";
}

FaultPlan& FaultPlan::add(FsFault fault) {
  fs_.push_back({.fault = std::move(fault)});
  return *this;
}

FaultPlan& FaultPlan::add(ReadFault fault) {
  reads_.push_back({.fault = std::move(fault)});
  return *this;
}

void FaultPlan::clear() {
  fs_.clear();
  reads_.clear();
}

template <class Fault>
bool FaultPlan::strikes(Armed<Fault>& armed, std::string_view path, std::uint64_t index) {
  const When& when = armed.fault.when;
  if (armed.spent || (when.at && *when.at != index)) return false;
  if (path.find(when.path_contains) == std::string_view::npos) return false;
  if (armed.matches++ < when.skip) return false;
  if (when.probability < 1 &&
      std::uniform_real_distribution<double>(0, 1)(random_) >= when.probability)
    return false;
  armed.spent = !when.sticky;
  return true;
}

std::optional<FsFault> FaultPlan::strike(FsOp op, std::string_view path, std::uint64_t index) {
  const std::uint64_t no_look = no_looks_;
  no_looks_ += is_look(op) ? 0 : 1;
  for (Armed<FsFault>& armed : fs_) {
    const auto& wanted = armed.fault.when.at_no_look;
    if (wanted && (*wanted != no_look || is_look(op))) continue;
    if ((!armed.fault.op || *armed.fault.op == op) && strikes(armed, path, index)) {
      struck_.emplace_back(path);
      return armed.fault;
    }
  }
  return std::nullopt;
}

std::optional<ReadFault> FaultPlan::strike_read(std::string_view path, std::uint64_t index) {
  for (Armed<ReadFault>& armed : reads_)
    if (strikes(armed, path, index)) {
      const ReadFault::Kind kind = armed.fault.kind;
      if (kind != ReadFault::Kind::late && kind != ReadFault::Kind::delayed)
        struck_.emplace_back(path);
      return armed.fault;
    }
  return std::nullopt;
}

}  // namespace cairn::sim

#include "io/device.h"

#include <utility>

#include "io/device_files.h"
#include "io/posix_file.h"

namespace cairn::io {
namespace {

constexpr std::size_t kFilesMax = std::size_t{1} << 20;

Error refuse(const ReadFile& file, std::string found, std::string expected) {
  return Error{.code = ErrorCode::invalid_argument,
               .what = "block read of",
               .file = file.path(),
               .found = std::move(found),
               .expected = std::move(expected)};
}

Status check_options(const DeviceOptions& options) {
  if (options.depth < 1 || options.depth > kDeviceDepthMax)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "device depth",
                 .found = std::to_string(options.depth),
                 .expected = "1 to " + std::to_string(kDeviceDepthMax)});
  if (options.pread_threads < 1)
    return fail(ErrorCode::invalid_argument, "device without pread threads");
  if (options.read_timeout_us < 0 || options.read_timeout_us > kTimeoutMaxUs)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "time limit of a read",
                 .found = std::to_string(options.read_timeout_us) + " us",
                 .expected = "0 to " + std::to_string(kTimeoutMaxUs)});
  return {};
}

}  // namespace

std::string_view backend_name(Backend backend) {
  switch (backend) {
    case Backend::automatic:
      return "automatic";
    case Backend::uring:
      return "uring";
    case Backend::pread:
      return "pread";
    case Backend::sync:
      return "sync";
  }
  return "unknown";
}

Result<DeviceFiles> DeviceFiles::create(std::span<const ReadFile* const> files) {
  if (files.size() > kFilesMax)
    return fail({.code = ErrorCode::over_limit,
                 .what = "files of one device",
                 .found = std::to_string(files.size()),
                 .expected = "at most " + std::to_string(kFilesMax)});
  DeviceFiles result;
  result.files_.reserve(files.size());
  for (const ReadFile* file : files) {
    if (file->fd() < 0) return fail(refuse(*file, "no file descriptor", "a file of posix_fs()"));
    result.files_.push_back({file->fd(), file->alignment_bytes(), file->bytes(), file});
  }
  return result;
}

Status DeviceFiles::check(std::span<const ReadOp> ops) const {
  for (const ReadOp& op : ops) {
    if (op.file >= files_.size())
      return fail({.code = ErrorCode::invalid_argument,
                   .what = "block read of an unknown file",
                   .found = "file " + std::to_string(op.file),
                   .expected = "less than " + std::to_string(files_.size())});
    const File& file = files_[op.file];
    const auto address = reinterpret_cast<std::uintptr_t>(op.buffer);
    if (op.bytes == 0 || op.bytes > kReadBytesMax)
      return fail(refuse(*file.source, std::to_string(op.bytes) + " bytes",
                         "1 to " + std::to_string(kReadBytesMax)));
    if ((op.offset | op.bytes | address) % file.alignment != 0)
      return fail(refuse(*file.source,
                         "offset " + std::to_string(op.offset) + ", " + std::to_string(op.bytes) +
                             " bytes, memory " + std::to_string(address % file.alignment) +
                             " past a boundary",
                         "units of " + std::to_string(file.alignment) + " bytes"));
    if (op.offset > kOffsetMax)
      return fail(refuse(*file.source, "offset " + std::to_string(op.offset), "less than 2^62"));
  }
  return {};
}

std::vector<int> DeviceFiles::fds() const {
  std::vector<int> fds;
  fds.reserve(files_.size());
  for (const File& file : files_) fds.push_back(file.fd);
  return fds;
}

Error DeviceFiles::overdue(const ReadOp& op, std::int64_t timeout_us) const {
  return {.code = ErrorCode::io,
          .what = "a read of " + std::to_string(op.bytes) + " bytes at " +
                  std::to_string(op.offset) + " has not come back of",
          .file = files_[op.file].source->path(),
          .expected = "within " + std::to_string(timeout_us / 1000) + " ms"};
}

int read_now(const DeviceFiles& files, const ReadOp& op) {
  ReadProgress progress = files.start(op);
  return pread_whole(files.fd(op.file), progress, op.buffer);
}

Result<std::unique_ptr<Device>> make_device(std::span<const ReadFile* const> files,
                                            const DeviceOptions& options,
                                            std::string* fallback_reason) {
  if (fallback_reason != nullptr) fallback_reason->clear();
  CAIRN_TRY(check_options(options));
  CAIRN_ASSIGN(DeviceFiles known, DeviceFiles::create(files));
  switch (options.backend) {
    case Backend::sync:
      return make_sync_device(std::move(known), options);
    case Backend::pread:
      return make_pread_device(std::move(known), options);
    case Backend::uring:
      return make_uring_device(std::move(known), options);
    case Backend::automatic:
      break;
  }
  auto device = make_uring_device(known, options);
  if (device) return device;
  if (fallback_reason != nullptr)
    *fallback_reason = "reads by threads: " + device.error().to_string();
  return make_pread_device(std::move(known), options);
}

}  // namespace cairn::io

// A file system that hands every call on to another: what a decorator need not say.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/device.h"
#include "io/fs.h"

namespace cairn::io {

class ForwardingFs : public Fs {
 public:
  /// `to` must outlive this.
  explicit ForwardingFs(Fs& to) : to_(to) {}

  Result<std::unique_ptr<WriteFile>> create(const std::string& path, WriteMode mode) override {
    return to_.create(path, mode);
  }
  Result<std::unique_ptr<WriteFile>> reopen(const std::string& path, std::uint64_t length,
                                            WriteMode mode) override {
    return to_.reopen(path, length, mode);
  }
  Result<std::unique_ptr<ReadFile>> open(const std::string& path, bool direct) override {
    return to_.open(path, direct);
  }
  Status make_dir(const std::string& path) override { return to_.make_dir(path); }
  Status rename(const std::string& from, const std::string& to) override {
    return to_.rename(from, to);
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    return to_.rename_new(from, to);
  }
  Status sync_dir(const std::string& path) override { return to_.sync_dir(path); }
  Status remove(const std::string& path) override { return to_.remove(path); }
  Result<bool> exists(const std::string& path) override { return to_.exists(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return to_.list(path); }
  Result<std::uint64_t> file_bytes(const std::string& path) override {
    return to_.file_bytes(path);
  }
  Result<std::uint64_t> free_bytes(const std::string& folder) override {
    return to_.free_bytes(folder);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    return to_.lock(path);
  }
  Result<std::unique_ptr<FileLock>> pin(const std::string& path, std::uint64_t sequence) override {
    return to_.pin(path, sequence);
  }
  Result<bool> is_pinned(const std::string& path, std::uint64_t sequence) override {
    return to_.is_pinned(path, sequence);
  }
  Result<bool> is_any_pinned(const std::string& path, std::uint64_t end) override {
    return to_.is_any_pinned(path, end);
  }
  Result<std::unique_ptr<Device>> make_device(std::span<const ReadFile* const> files,
                                              const DeviceOptions& options,
                                              std::string* fallback_reason) override {
    return to_.make_device(files, options, fallback_reason);
  }

 private:
  Fs& to_;
};

/// The same for a file that is written.
class ForwardingWriteFile : public WriteFile {
 public:
  explicit ForwardingWriteFile(std::unique_ptr<WriteFile> to) : to_(std::move(to)) {}

  Status append(std::span<const std::byte> bytes) override { return to_->append(bytes); }
  Status sync() override { return to_->sync(); }
  Status close() override { return to_->close(); }
  std::uint64_t bytes_written() const override { return to_->bytes_written(); }

 private:
  std::unique_ptr<WriteFile> to_;
};

}  // namespace cairn::io

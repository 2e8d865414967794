// Advisory locks between processes and between the indexes of one process.
//
// Open-file-description locks (Linux 3.15): they belong to the open file, so two opens in one
// process exclude each other as two processes do, and closing an unrelated descriptor of the same
// file does not drop them. A child of fork() shares them until it executes or exits.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <memory>
#include <string>

#include "io/fs.h"
#include "io/posix_file.h"

namespace cairn::io {

/// Pins are bytes below this place; the exclusive lock is the byte at it, so that one file may
/// serve both.
inline constexpr std::uint64_t kPinsEnd = std::uint64_t{1} << 62;

/// See Fs::lock, Fs::pin, Fs::is_pinned and Fs::is_any_pinned.
Result<std::unique_ptr<FileLock>> lock_posix_file(const std::string& path);
/// Locks the file open at `fd`; busy also when that is no longer the one at `path`.
Result<std::unique_ptr<FileLock>> lock_opened_file(OwnedFd fd, const std::string& path);
Result<std::unique_ptr<FileLock>> pin_posix_file(const std::string& path, std::uint64_t sequence);
/// Whether one of `count` sequences from `first` on is pinned.
Result<bool> posix_file_pinned(const std::string& path, std::uint64_t first, std::uint64_t count);

}  // namespace cairn::io

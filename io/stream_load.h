// Loads parts of page streams into memory at the speed of the device: large reads go on while what
// has come is verified and copied. For a range at a time without a device, see PageStreamReader.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "io/device.h"
#include "io/fs.h"
#include "io/page_file.h"

namespace cairn::io {

/// Bytes [offset, offset + into.size()) of the stream that a file's pages carry.
struct StreamRange {
  const ReadFile* file = nullptr;
  PageFileId id;
  std::uint64_t offset = 0;
  std::span<std::byte> into;
};

/// Fills all ranges; every page is verified. Of `device` the back end, with Backend::sync of which
/// nothing overlaps, and the time limit of a read. corrupt (naming the page, or a range beyond its
/// file), io, out_of_memory. After an error the ranges hold nothing of use. O(bytes), 4 MiB of
/// memory.
Status load_streams(Fs& fs, std::span<const StreamRange> ranges, const DeviceOptions& device);

}  // namespace cairn::io

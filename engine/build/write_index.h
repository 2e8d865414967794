// From the joined lists to the files of an index, unit after unit: navigation first, then for each
// cell blocks and codes, and what they came from goes; entries, labels, the manifest. The caller
// owns the folder and publishes it.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/build/codes.h"
#include "engine/build/graph_files.h"
#include "engine/build/job.h"
#include "engine/build/repair.h"
#include "engine/build/scatter.h"
#include "io/fs.h"
#include "layout/manifest.h"
#include "layout/node_block.h"
#include "layout/streams.h"

namespace cairn::build {

/// An index of one segment. Not owned.
struct IndexParts {
  const Scattered& scattered;
  const SlotPlan& plan;
  std::span<const std::uint32_t> slot_of_row;
  const GraphFiles& graph;
  const Pins& pins;
  layout::BlockShape shape;
  const Codebooks& books;
  const layout::Entries& entries;
  std::uint64_t index_id = 0;
  std::uint64_t edges = 0;         // of all lists
  std::uint64_t dropped = 0;       // by fitting blocks
  std::uint64_t window_bytes = 0;  // of vectors to hold at once
};

/// Writes what the journal does not have yet, each file and record synced. Returns the manifest.
/// no_space, io, cancelled. Buffers of some MiB, the window, and the map of slots.
Result<layout::Manifest> write_index(const Job& job, const IndexParts& parts);

/// Reads MANIFEST and every file it names back from the device (O_DIRECT where the file system
/// takes it) and checks lengths, page checksums and digests. corrupt, io, cancelled.
Status verify_written(io::Fs& fs, const std::string& folder, const Tick& tick = {});

}  // namespace cairn::build

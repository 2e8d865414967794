// From the parts of an index to its folder: encodes, seals, syncs, reads back. The caller owns the
// folder and publishes it.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/graph.h"
#include "engine/build/pipnn.h"
#include "engine/build/workers.h"
#include "engine/math/pq.h"
#include "io/fs.h"
#include "layout/manifest.h"
#include "layout/node_block.h"
#include "layout/streams.h"

namespace cairn::build {

/// What the manifest is called until it is whole.
inline constexpr char kManifestTemporary[] = "MANIFEST.tmp";

/// Codes of one codebook in slot order.
struct CodeTable {
  math::Codebook book;
  std::vector<std::uint8_t> codes;  // node count x book.shape.m
};

/// An index of one segment. Slots are dense: slot s < node_of_slot.size() holds a vector, and only
/// the last block has empty places. Not owned.
struct IndexParts {
  Metric metric = Metric::l2;
  VectorBatch vectors;                          // raw rows, by node
  std::span<const Label> labels;                // by node, distinct
  std::span<const std::uint32_t> node_of_slot;  // a permutation of the nodes
  /// By slot, targets are slots. Lists in order of usefulness that fit their block (pack.h).
  const Graph* graph = nullptr;
  layout::BlockShape shape;
  const CodeTable* codes = nullptr;
  const CodeTable* refine = nullptr;  // null: none
  const layout::Entries* entries = nullptr;
  std::uint64_t index_id = 0;
  std::uint64_t seed = 0;
  std::uint64_t dropped_edges = 0;  // by the fit; recorded in the manifest
};

/// Writes all files of `parts` and MANIFEST (sequence 1) into the folder `folder`, which exists and
/// holds none of them; syncs each file and the folder. Returns the manifest. no_space, io,
/// cancelled; what was written by then is left to the caller to remove. O(bytes), buffers of a few
/// MiB.
Result<layout::Manifest> write_index(io::Fs& fs, const std::string& folder, const IndexParts& parts,
                                     const Workers& workers, const Tick& tick = {});

/// Reads MANIFEST and every file it names back from the device (O_DIRECT where the file system
/// takes it) and checks lengths, page checksums and digests. corrupt, io, cancelled.
Status verify_written(io::Fs& fs, const std::string& folder, const Tick& tick = {});

}  // namespace cairn::build

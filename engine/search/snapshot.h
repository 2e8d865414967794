// Everything that the searches of one open index share: the pinned folder, the resident parts, the
// block files and the block cache. Immutable once opened, but for the cache, which is thread-safe.
#pragma once

#include <cairn/index.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/search/index_folder.h"
#include "engine/search/query.h"
#include "engine/search/resident.h"
#include "io/aligned_buffer.h"
#include "io/block_cache.h"
#include "io/block_reader.h"
#include "layout/node_block.h"

namespace cairn::search {

/// A block in memory of its own.
struct OwnBlock {
  io::AlignedBuffer buffer;
  layout::BlockView view;  // of the buffer
};

class Snapshot {
 public:
  /// not_found, corrupt, unsupported, over_limit, out_of_memory, io. O(bytes loaded).
  /// Without `efforts` a calibration that is there is not read. One that cannot be read is said
  /// through the log, and keeps nothing but a recall from being asked for.
  /// `loaded`: what of each segment is in RAM, whatever the limit, without a block cache; parts
  /// that a segment does not have are left out.
  static Result<std::unique_ptr<Snapshot>> open(io::Fs& fs, const std::string& path,
                                                const OpenOptions& options, bool efforts = true,
                                                std::optional<SegmentPlan> loaded = {});

  /// memory_limit_bytes at which a snapshot of the folder without `efforts` holds something more
  /// than below, the least first.
  static Result<std::vector<std::uint64_t>> memory_steps(io::Fs& fs, const std::string& path);

  const IndexFolder& folder() const { return folder_; }
  const QueryLimits& limits() const { return limits_; }
  /// Of what is in RAM; empty when the index was not calibrated for so little.
  const EffortTable& efforts() const { return efforts_; }
  /// As check_request() and check_recall(), but for saying what is wrong with a calibration that
  /// could not be read.
  Status check(const SearchRequest& request) const {
    return blame_damage(check_request(request, limits_));
  }
  Status check(std::uint32_t k, double recall) const {
    return blame_damage(check_recall(k, recall, limits_));
  }
  /// See Index::effort.
  Result<SearchEffort> effort(std::uint32_t k, double recall) const;
  std::span<const Segment> segments() const { return views_; }
  /// How blocks are read, by the options that it was opened with.
  const io::DeviceOptions& device() const { return device_; }
  const ResidentSegment& resident(std::uint32_t segment) const { return *residents_[segment]; }
  std::span<const io::BlockFile> block_files() const { return block_files_; }
  io::BlockCache* cache() const { return cache_.get(); }
  /// Of a cache that holds every block.
  std::uint64_t cache_bytes_max() const;
  std::uint32_t block_bytes_max() const;

  /// Where a slot's block stands among block_files().
  io::BlockRequest locate(std::uint32_t segment, std::uint32_t slot, std::uint64_t token) const;

  /// An error about what is in a slot's block, with the names of its file and block.
  Error in_block(Error error, std::uint32_t segment, std::uint32_t slot) const;

  /// A slot's block, read beside the cache. corrupt and io, naming file and block.
  Result<OwnBlock> read_block(std::uint32_t segment, std::uint32_t slot) const;

  /// Fills what the snapshot knows of itself: sizes, shapes and RAM by part.
  IndexStats stats() const;

 private:
  explicit Snapshot(IndexFolder folder) : folder_(std::move(folder)) {}
  Status open_block_files(bool direct);
  static Result<std::unique_ptr<Snapshot>> open_files(io::Fs& fs, const std::string& path,
                                                      bool direct);
  /// The streams of all segments, and what loading them takes.
  Status open_sources(bool direct, std::vector<SegmentSource>& sources,
                      std::vector<SegmentParts>& parts) const;
  /// `efforts_bytes`: kept free for what choose_efforts() takes.
  Status load(const OpenOptions& options, std::uint64_t efforts_bytes,
              std::optional<SegmentPlan> loaded);
  /// Nothing as well when it is damaged or missing, which is noted.
  Result<std::optional<layout::Calibration>> readable_calibration(const OpenOptions& options);
  Status blame_damage(Status checked) const;
  /// By what is in RAM.
  void choose_efforts(const layout::Calibration& calibration);
  std::uint64_t base_ram_bytes() const;

  IndexFolder folder_;
  io::DeviceOptions device_;
  QueryLimits limits_;
  EffortTable efforts_;
  std::optional<Error> calibration_damage_;
  std::vector<std::unique_ptr<ResidentSegment>> residents_;
  std::vector<Segment> views_;
  std::vector<std::uint64_t> file_numbers_;  // of block_files_, ascending
  std::vector<std::unique_ptr<io::ReadFile>> files_;
  std::vector<io::BlockFile> block_files_;
  std::unique_ptr<io::BlockCache> cache_;
};

}  // namespace cairn::search

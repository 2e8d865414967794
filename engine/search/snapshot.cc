#include "engine/search/snapshot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/search/calibration_file.h"
#include "engine/search/process_memory.h"

namespace cairn::search {
namespace {

/// Small heap objects beside the arrays: the index object, open files and their paths, the pool.
constexpr std::uint64_t kSmallObjectBytes = 8192;

std::uint64_t limit_per_vector(double bytes_per_vector, std::uint64_t vectors) {
  const double bytes = bytes_per_vector * static_cast<double>(vectors);
  // The negation also takes NaN.
  if (!(bytes > 0)) return 0;
  if (bytes >= std::ldexp(1.0, 63)) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(bytes);
}

std::uint64_t vector_count(const layout::Manifest& manifest) {
  std::uint64_t count = 0;
  for (const layout::SegmentRecord& segment : manifest.segments) count += segment.vector_count;
  return count;
}

std::uint64_t limit_of(const OpenOptions& options, std::uint64_t vectors,
                       std::span<const SegmentParts> parts, std::uint64_t base_bytes) {
  if (options.memory_limit_bytes) return *options.memory_limit_bytes;
  if (options.memory_limit_bytes_per_vector)
    return limit_per_vector(*options.memory_limit_bytes_per_vector, vectors);
  return default_limit(parts, base_bytes, process_memory_bytes());
}

io::DeviceOptions device_options(const OpenOptions& options) {
  io::DeviceOptions device{.depth = options.io_depth,
                           .read_timeout_us = std::int64_t{options.read_timeout_ms} * 1000};
  switch (options.io) {
    case IoBackend::automatic:
      device.backend = io::Backend::automatic;
      break;
    case IoBackend::uring:
      device.backend = io::Backend::uring;
      break;
    case IoBackend::pread:
      device.backend = io::Backend::pread;
      break;
    case IoBackend::sync:
      device.backend = io::Backend::sync;
      break;
  }
  return device;
}

}  // namespace

Result<std::unique_ptr<Snapshot>> Snapshot::open(io::Fs& fs, const std::string& path,
                                                 const OpenOptions& options, bool efforts,
                                                 std::optional<SegmentPlan> loaded) {
  CAIRN_ASSIGN(auto snapshot, open_files(fs, path, options.direct));
  snapshot->device_ = device_options(options);
  std::optional<layout::Calibration> calibration;
  if (efforts) {
    CAIRN_ASSIGN(calibration, snapshot->readable_calibration(options));
  }
  const std::uint64_t efforts_bytes = calibration ? EffortTable::ram_bytes_max(*calibration) : 0;
  CAIRN_TRY(snapshot->load(options, efforts_bytes, loaded));
  if (calibration) snapshot->choose_efforts(*calibration);
  return snapshot;
}

Result<std::vector<std::uint64_t>> Snapshot::memory_steps(io::Fs& fs, const std::string& path) {
  CAIRN_ASSIGN(const auto snapshot, open_files(fs, path, true));
  std::vector<SegmentSource> sources;
  std::vector<SegmentParts> parts;
  CAIRN_TRY(snapshot->open_sources(true, sources, parts));
  return search::memory_steps(parts, snapshot->base_ram_bytes());
}

Result<std::unique_ptr<Snapshot>> Snapshot::open_files(io::Fs& fs, const std::string& path,
                                                       bool direct) {
  CAIRN_ASSIGN(auto folder, IndexFolder::open(fs, path));
  CAIRN_TRY(folder.check_files());
  std::unique_ptr<Snapshot> snapshot(new Snapshot(std::move(folder)));
  const layout::Manifest& manifest = snapshot->folder_.manifest();
  snapshot->limits_ = {
      .metric = manifest.metric(), .dtype = manifest.dtype(), .dim = manifest.header.dim};
  CAIRN_TRY(snapshot->open_block_files(direct));
  return snapshot;
}

Status Snapshot::open_block_files(bool direct) {
  std::vector<const layout::FileRecord*> records;
  for (const layout::FileRecord& record : folder_.manifest().files)
    if (role_of(record) == layout::Role::blocks) records.push_back(&record);
  std::ranges::sort(records, {}, &layout::FileRecord::number);
  for (const layout::FileRecord* record : records) {
    CAIRN_ASSIGN(auto file, folder_.open_file(*record, direct));
    file_numbers_.push_back(record->number);
    block_files_.push_back({.file = file.get(),
                            .identity = record->identity,
                            .generation = record->generation,
                            .block_bytes = record->page_bytes});
    files_.push_back(std::move(file));
  }
  return {};
}

Status Snapshot::open_sources(bool direct, std::vector<SegmentSource>& sources,
                              std::vector<SegmentParts>& parts) const {
  for (const layout::SegmentRecord& segment : folder_.manifest().segments) {
    CAIRN_ASSIGN(auto source, SegmentSource::open(folder_, segment, direct));
    parts.push_back(source.parts());
    sources.push_back(std::move(source));
  }
  return {};
}

Status Snapshot::load(const OpenOptions& options, std::uint64_t efforts_bytes,
                      std::optional<SegmentPlan> loaded) {
  const layout::Manifest& manifest = folder_.manifest();
  std::vector<SegmentSource> sources;
  std::vector<SegmentParts> parts;
  CAIRN_TRY(open_sources(options.direct, sources, parts));
  const std::uint64_t base_bytes = base_ram_bytes() + efforts_bytes;
  MemoryPlan plan;
  if (loaded) {
    plan = plan_alike(parts, base_bytes, *loaded);
  } else {
    const std::uint64_t limit = limit_of(options, vector_count(manifest), parts, base_bytes);
    CAIRN_ASSIGN(plan, plan_memory(parts, base_bytes, limit, cache_bytes_max()));
  }
  residents_.reserve(sources.size());
  views_.reserve(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    CAIRN_ASSIGN(auto resident, sources[i].load(plan.segments[i], device_));
    views_.push_back(resident->view());
    residents_.push_back(std::move(resident));
  }
  if (plan.cache_bytes == 0) return {};
  CAIRN_ASSIGN(cache_, io::BlockCache::create(plan.cache_bytes, block_bytes_max()));
  return {};
}

Result<std::optional<layout::Calibration>> Snapshot::readable_calibration(
    const OpenOptions& options) {
  auto read = read_calibration(folder_, options.direct);
  if (read || read.error().code == ErrorCode::out_of_memory) return read;
  calibration_damage_ =
      std::move(read).error().in_file(folder_.path_of(*folder_.manifest().calibration()));
  if (options.log) options.log("no search by recall: " + calibration_damage_->to_string());
  return std::optional<layout::Calibration>();
}

Status Snapshot::blame_damage(Status checked) const {
  if (checked || checked.error().code != ErrorCode::unsupported || !calibration_damage_)
    return checked;
  return fail({.code = ErrorCode::unsupported,
               .what = "search: recall, without the calibration",
               .file = calibration_damage_->file,
               .block = calibration_damage_->block,
               .found = calibration_damage_->to_string(),
               .expected = "an index that is calibrated anew, or a list size"});
}

void Snapshot::choose_efforts(const layout::Calibration& calibration) {
  const IndexStats loaded = stats();
  efforts_ = EffortTable(calibration, loaded.refine_bytes_loaded, loaded.nav_edges_loaded,
                         limits_.beam_width);
  limits_.efforts = &efforts_;
}

Result<SearchEffort> Snapshot::effort(std::uint32_t k, double recall) const {
  CAIRN_TRY(check(k, recall));
  const Effort effort = efforts_.at(k, recall);
  const double reads_a_block = block_bytes_max() / 4096.0;
  return SearchEffort{.list_size = effort.list_size,
                      .edges = effort.edges,
                      .slack = effort.slack_alone,
                      .slack_wide = effort.slack_wide,
                      .recall = effort.recall,
                      .reads = effort.blocks * reads_a_block,
                      .reads_wide = effort.blocks_wide * reads_a_block,
                      .reached = effort.reached,
                      .least = effort.least,
                      .least_wide = effort.least_wide};
}

std::uint32_t Snapshot::block_bytes_max() const {
  std::uint32_t bytes = 0;
  for (const io::BlockFile& file : block_files_) bytes = std::max(bytes, file.block_bytes);
  return bytes;
}

std::uint64_t Snapshot::base_ram_bytes() const {
  return kSmallObjectBytes + sizeof *this - sizeof folder_ + folder_.ram_bytes() +
         files_.capacity() * sizeof files_[0] + file_numbers_.capacity() * sizeof file_numbers_[0] +
         block_files_.capacity() * sizeof block_files_[0] + efforts_.ram_bytes();
}

// The tables of a cache take less than 1/16 of a block each.
std::uint64_t Snapshot::cache_bytes_max() const {
  std::uint64_t blocks = 0;
  for (const layout::FileRecord& record : folder_.manifest().files)
    if (role_of(record) == layout::Role::blocks) blocks += record.pages;
  if (blocks == 0) return 0;
  const std::uint64_t each = block_bytes_max();
  return kCacheBytesMin + blocks * (each + each / 16);
}

io::BlockRequest Snapshot::locate(std::uint32_t segment, std::uint32_t slot,
                                  std::uint64_t token) const {
  const layout::Place place = residents_[segment]->map.locate(slot);
  const auto at = std::ranges::lower_bound(file_numbers_, place.file_number);
  return {.file = static_cast<std::uint32_t>(at - file_numbers_.begin()),
          .block = place.block,
          .token = token};
}

Error Snapshot::in_block(Error error, std::uint32_t segment, std::uint32_t slot) const {
  const io::BlockRequest at = locate(segment, slot, 0);
  Error named = std::move(error).in_file(block_files_[at.file].file->path());
  named.block = at.block;
  return named;
}

Result<OwnBlock> Snapshot::read_block(std::uint32_t segment, std::uint32_t slot) const {
  const layout::BlockShape& shape = views_[segment].shape;
  const io::BlockRequest at = locate(segment, slot, 0);
  const io::BlockFile& file = block_files_[at.file];
  CAIRN_ASSIGN(auto buffer, io::AlignedBuffer::create(shape.block_bytes));
  CAIRN_TRY(io::read_pages(*file.file, {file.identity, file.generation, file.block_bytes}, at.block,
                           1, buffer.bytes()));
  auto view = layout::BlockView::open(shape, buffer.bytes().first(shape.block_bytes),
                                      slot - slot % shape.slots);
  if (!view) return fail(in_block(std::move(view).error(), segment, slot));
  return OwnBlock{.buffer = std::move(buffer), .view = std::move(*view)};
}

IndexStats Snapshot::stats() const {
  const layout::Manifest& manifest = folder_.manifest();
  IndexStats stats;
  stats.segment_count = static_cast<std::uint32_t>(manifest.segments.size());
  stats.dim = manifest.header.dim;
  stats.dtype = manifest.dtype();
  stats.metric = manifest.metric();
  stats.disk_bytes = folder_.disk_bytes();
  stats.index_ram_bytes = base_ram_bytes() + views_.capacity() * sizeof views_[0];
  for (const auto& resident : residents_) {
    const layout::SegmentRecord& record = resident->record;
    stats.vector_count += record.vector_count;
    stats.slot_count += record.slot_count;
    stats.edge_count += record.edge_count;
    stats.code_bytes = std::max(stats.code_bytes, record.code_bytes);
    stats.refine_bytes = std::max(stats.refine_bytes, record.refine_bytes);
    stats.slots_per_block = std::max(stats.slots_per_block, record.slots_per_block);
    stats.block_bytes = std::max(stats.block_bytes, record.block_bytes);
    stats.degree_max = std::max(stats.degree_max, record.degree_max);
    std::uint32_t refined = 0;
    for (const ResidentCodes& layer : resident->refine) refined += layer.book.shape.m;
    stats.refine_bytes_loaded = std::max(stats.refine_bytes_loaded, refined);
    stats.nav_edges_loaded =
        std::max(stats.nav_edges_loaded,
                 static_cast<std::uint32_t>(resident->nav.size()) * layout::kNavEdgesPerSlice);
    stats.codes_ram_bytes += resident->codes.ram_bytes();
    stats.refine_ram_bytes += resident->refine_ram_bytes();
    stats.nav_ram_bytes += resident->nav_ram_bytes();
    stats.entries_ram_bytes += resident->entries_ram_bytes();
    stats.index_ram_bytes += sizeof *resident + LabelLookup::ram_bytes(record.vector_count);
  }
  if (cache_) stats.cache_ram_bytes = cache_->ram_bytes();
  stats.index_ram_bytes += stats.codes_ram_bytes + stats.refine_ram_bytes + stats.nav_ram_bytes +
                           stats.entries_ram_bytes + stats.cache_ram_bytes;
  return stats;
}

}  // namespace cairn::search

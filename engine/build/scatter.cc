#include "engine/build/scatter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>

#include "engine/build/label_runs.h"
#include "engine/build/sample.h"

namespace cairn::build {
namespace {

constexpr std::uint32_t kGroupsMax = 8;
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr std::size_t kRowsPerTask = 4096;

}  // namespace

void RecordShape::put(Copy copy, std::byte* at, std::uint32_t row, std::uint32_t other, Label label,
                      const std::byte* vector) const {
  std::memcpy(at, &row, 4);
  std::memcpy(at + 4, &other, 4);
  if (vector_at(copy) == 16) std::memcpy(at + 8, &label, 8);
  std::memcpy(at + vector_at(copy), vector, vector_bytes_);
}

std::uint32_t RecordShape::row(const std::byte* record) {
  std::uint32_t row;
  std::memcpy(&row, record, 4);
  return row;
}

std::uint32_t RecordShape::other(const std::byte* record) { return row(record + 4); }

Label RecordShape::label(const std::byte* record) const {
  if (!labelled_) return row(record);
  Label label;
  std::memcpy(&label, record + 8, 8);
  return label;
}

std::uint32_t scatter_groups(std::uint32_t cells) { return std::min(cells, kGroupsMax); }

// ---- what there is

Scattered::Scattered(const Job& job, std::uint32_t cells, std::uint64_t unit_rows)
    : job_(job),
      cells_(cells),
      unit_rows_(unit_rows),
      units_((job.count + unit_rows - 1) / unit_rows),
      shape_(job.space.raw_row_bytes(), job.labelled, job.kept_edges) {}

std::uint32_t Scattered::group_of(std::uint32_t cell) const {
  return static_cast<std::uint32_t>(std::uint64_t{cell} * groups() / cells_);
}

std::uint32_t Scattered::group_begin(std::uint32_t group) const {
  return static_cast<std::uint32_t>((std::uint64_t{group} * cells_ + groups() - 1) / groups());
}

std::string Scattered::file(Copy copy, std::uint64_t unit, std::uint32_t group) const {
  return TempFiles::name(copy == Copy::core ? "core" : "second", unit, group);
}

std::span<const std::uint64_t> Scattered::counts(std::uint64_t unit) const {
  return *job_.journal.find(Unit::scatter, unit);
}

std::uint64_t Scattered::count(Copy copy, std::uint32_t cell) const {
  std::uint64_t sum = 0;
  for (std::uint64_t unit = 0; unit < units_; ++unit)
    sum += counts(unit)[static_cast<std::size_t>(copy) * cells_ + cell];
  return sum;
}

/// Reads the records of a cell from unit to unit.
class Scattered::Reader {
 public:
  Reader(const Scattered& from, Copy copy, std::uint32_t cell)
      : from_(from),
        copy_(copy),
        cell_(cell),
        group_(from.group_of(cell)),
        first_(from.group_begin(group_)),
        last_(from.group_begin(group_ + 1)),
        record_(from.shape_.bytes(copy)) {}

  /// Fills `part` up to kBufferBytes; empty at the end.
  Status next(std::vector<std::byte>& part) {
    while (at_ == end_ && unit_ < from_.units_) CAIRN_TRY(open());
    const std::uint64_t records = std::max<std::uint64_t>(1, kBufferBytes / record_);
    part.resize(std::min(records * record_, end_ - at_));
    if (part.empty()) return {};
    CAIRN_TRY(file_->read(at_, part));
    at_ += part.size();
    return {};
  }

 private:
  Status open() {
    const auto of_cell =
        from_.counts(unit_).subspan(static_cast<std::size_t>(copy_) * from_.cells_, from_.cells_);
    const auto bytes = [&](std::uint32_t begin, std::uint32_t end) {
      return std::accumulate(of_cell.begin() + begin, of_cell.begin() + end, std::uint64_t{0}) *
             record_;
    };
    at_ = bytes(first_, cell_);
    end_ = at_ + bytes(cell_, cell_ + 1);
    const std::uint64_t unit = unit_++;
    if (at_ == end_) return {};
    CAIRN_ASSIGN(file_,
                 from_.job_.temp.open(from_.file(copy_, unit, group_), bytes(first_, last_)));
    return {};
  }

  const Scattered& from_;
  Copy copy_;
  std::uint32_t cell_, group_, first_, last_;
  std::size_t record_;
  std::uint64_t unit_ = 0, at_ = 0, end_ = 0;
  std::optional<TempReader> file_;
};

Status Scattered::read(Copy copy, std::uint32_t cell, const Visit& visit) const {
  Reader reader(*this, copy, cell);
  std::vector<std::byte> part, next;
  CAIRN_TRY(reader.next(part));
  while (!part.empty()) {
    Status read;
    job_.workers.each(2, 1, [&](std::size_t which, std::size_t, std::uint32_t) {
      if (which == 0)
        visit(part);
      else
        read = reader.next(next);
    });
    CAIRN_TRY(read);
    part.swap(next);
  }
  return {};
}

Status Scattered::release(Copy copy, std::uint32_t cell) const {
  const std::uint32_t group = group_of(cell);
  if (cell + 1 != group_begin(group + 1)) return {};
  for (std::uint64_t unit = 0; unit < units_; ++unit)
    CAIRN_TRY(job_.temp.remove(file(copy, unit, group)));
  return {};
}

// ---- one unit

/// Buffers are kept from unit to unit.
class ScatterUnit {
 public:
  ScatterUnit(const Job& job, const Cells& cells, const Scattered& out)
      : job_(job), cells_(cells), out_(out), scratch_(job.workers.threads()) {}

  Status run(VectorSource& source, std::uint64_t unit, std::span<const std::uint64_t> digests) {
    first_ = unit * out_.unit_rows_;
    const std::uint64_t count = std::min(out_.unit_rows_, job_.count - first_);
    rows_.resize(count * job_.space.raw_row_bytes());
    labels_.resize(job_.labelled ? count : 0);
    homes_.resize(count);
    CAIRN_TRY(read_again(source, first_, digests, rows_, labels_, job_.workers));
    if (job_.labelled) CAIRN_TRY(write_label_run(job_, unit, first_, labels_));
    CAIRN_TRY(read_links(source));
    assign();
    Journal::Words counts(std::size_t{2} * cells_.count());
    for (const Copy copy : {Copy::core, Copy::second})
      CAIRN_TRY(write(copy, unit,
                      std::span(counts).subspan(static_cast<std::size_t>(copy) * cells_.count(),
                                                cells_.count())));
    return job_.journal.append(Unit::scatter, unit, std::move(counts));
  }

 private:
  void assign() {
    const Space& space = job_.space;
    job_.workers.each(
        homes_.size(), kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t w) {
          const auto homes = std::span(homes_).subspan(begin, end - begin);
          cells_.assign(
              {rows_.data() + begin * space.raw_row_bytes(), end - begin, space.dim, space.dtype},
              homes, scratch_[w]);
          // Second copies find edges, and those are there.
          if (job_.kept_edges != 0)
            for (Home& home : homes) home.second = kNoCell;
        });
  }

  /// The edges that are kept, checked.
  Status read_links(VectorSource& source) {
    if (job_.kept_edges == 0) return {};
    edges_.resize(homes_.size() * job_.kept_edges);
    starts_.resize(homes_.size());
    CAIRN_TRY(source.read_edges(first_, edges_, starts_));
    for (std::size_t e = 0; e < edges_.size(); ++e)
      if (edges_[e] != kNoRow && edges_[e] >= job_.count)
        return fail({.code = ErrorCode::corrupt,
                     .what = "keep the edges of " + source.row_name(first_ + e / job_.kept_edges),
                     .found = "one to row " + std::to_string(edges_[e]),
                     .expected = "rows below " + std::to_string(job_.count)});
    return {};
  }

  static std::uint32_t cell_of(Copy copy, const Home& home) {
    return copy == Copy::core ? home.first : home.second;
  }

  Status write(Copy copy, std::uint64_t unit, std::span<std::uint64_t> counts) {
    for (const Home& home : homes_)
      if (cell_of(copy, home) != kNoCell) ++counts[cell_of(copy, home)];
    std::vector<std::uint64_t> at(counts.size() + 1);
    std::partial_sum(counts.begin(), counts.end(), at.begin() + 1);
    std::vector<std::uint32_t> order(at.back());
    for (std::uint32_t i = 0; i < homes_.size(); ++i)
      if (const std::uint32_t cell = cell_of(copy, homes_[i]); cell != kNoCell)
        order[at[cell]++] = i;
    // at[c] is now the end of cell c.
    std::uint64_t begin = 0;
    for (std::uint32_t group = 0; group < out_.groups(); ++group) {
      const std::uint64_t end = at[out_.group_begin(group + 1) - 1];
      CAIRN_TRY(write_group(copy, out_.file(copy, unit, group),
                            std::span(order).subspan(begin, end - begin)));
      begin = end;
    }
    return {};
  }

  Status write_group(Copy copy, const std::string& name, std::span<const std::uint32_t> rows) {
    const std::size_t record = out_.shape().bytes(copy);
    const std::size_t at_once = std::max<std::size_t>(1, kBufferBytes / record);
    CAIRN_ASSIGN(auto writer, job_.temp.create(name));
    for (std::size_t begin = 0; begin < rows.size(); begin += at_once) {
      const auto part = rows.subspan(begin, std::min(at_once, rows.size() - begin));
      buffer_.resize(part.size() * record);
      for (std::size_t i = 0; i < part.size(); ++i) put(copy, part[i], buffer_.data() + i * record);
      CAIRN_TRY(writer.append_stream(buffer_));
    }
    CAIRN_TRY(writer.finish());
    return {};
  }

  void put(Copy copy, std::uint32_t i, std::byte* at) const {
    const Home& home = homes_[i];
    out_.shape().put(copy, at, static_cast<std::uint32_t>(first_ + i),
                     copy == Copy::core ? home.second : home.first,
                     labels_.empty() ? 0 : labels_[i],
                     rows_.data() + std::size_t{i} * job_.space.raw_row_bytes());
    if (copy == Copy::core && job_.kept_edges != 0) put_links(i, at);
  }
  void put_links(std::uint32_t i, std::byte* record) const {
    std::byte* const at = record + (out_.shape().links(record) - record);
    const std::uint32_t start = starts_[i];
    std::memcpy(at, &start, 4);
    std::memcpy(at + 4, edges_.data() + std::size_t{i} * job_.kept_edges,
                std::size_t{job_.kept_edges} * 4);
  }

  const Job& job_;
  const Cells& cells_;
  const Scattered& out_;
  std::uint64_t first_ = 0;
  std::vector<std::byte> rows_, buffer_;
  std::vector<Label> labels_;
  std::vector<std::uint32_t> edges_;  // that are kept
  std::vector<std::uint8_t> starts_;
  std::vector<Home> homes_;
  std::vector<Cells::Scratch> scratch_;
};

Status scatter(const Job& job, VectorSource& source, const Cells& cells,
               std::span<const std::uint64_t> digests, const Scattered& scattered) {
  ScatterUnit worker(job, cells, scattered);
  for (std::uint64_t unit = 0; unit < scattered.units(); ++unit) {
    if (job.journal.find(Unit::scatter, unit) == nullptr)
      CAIRN_TRY(worker.run(source, unit, digests));
    CAIRN_TRY(
        job.report("scatter", std::min((unit + 1) * scattered.unit_rows(), job.count), job.count));
  }
  return {};
}

}  // namespace cairn::build

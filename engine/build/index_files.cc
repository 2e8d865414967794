#include "engine/build/index_files.h"

#include <cstring>

namespace cairn::build {
namespace {

using layout::Role;

constexpr std::uint64_t kGeneration = 1;

}  // namespace

layout::FileRecord new_file_record(std::uint64_t index_id, Role role, std::uint64_t number,
                                   std::uint64_t segment, std::uint32_t page_bytes) {
  layout::FileRecord record{};
  record.number = number;
  record.segment = segment;
  record.identity = layout::file_identity(index_id, role, number);
  record.generation = kGeneration;
  record.page_bytes = page_bytes;
  record.role = static_cast<std::uint16_t>(role);
  return record;
}

void fill_record(layout::FileRecord& record, const io::PageFileSummary& summary) {
  record.pages = summary.pages;
  record.stream_bytes = summary.stream_bytes;
  record.digest = summary.digest;
}

std::uint64_t IndexFiles::number(IndexFile file) const {
  const auto place = static_cast<std::uint64_t>(file.role);  // roles are numbered from 1
  return file.role > Role::refine ? place - 1 + layers_ : place + file.layer;
}

layout::FileRecord IndexFiles::record(IndexFile file, std::uint32_t page_bytes) const {
  return new_file_record(index_id_, file.role, number(file), kSegment, page_bytes);
}

std::string IndexFiles::path(IndexFile file) const {
  return job_.temp.path(layout::file_name(number(file), file.role));
}

io::PageFileId IndexFiles::id(IndexFile file, std::uint32_t page_bytes) const {
  const layout::FileRecord of = record(file, page_bytes);
  return {of.identity, of.generation, of.page_bytes};
}

bool IndexFiles::finished(IndexFile file) const {
  return job_.journal.find(Unit::stream, number(file)) != nullptr;
}

Result<io::PageWriter> IndexFiles::create(IndexFile file, std::uint32_t page_bytes) const {
  CAIRN_TRY(job_.temp.remove(layout::file_name(number(file), file.role)));
  return io::PageWriter::create(job_.temp.fs(), path(file), id(file, page_bytes),
                                io::WriteMode::direct);
}

Result<io::PageWriter> IndexFiles::resume(IndexFile file, std::uint32_t page_bytes,
                                          const io::PageWriterState& state) const {
  return io::PageWriter::resume(job_.temp.fs(), path(file), id(file, page_bytes), state,
                                io::WriteMode::direct);
}

Status IndexFiles::finish(IndexFile file, std::uint32_t page_bytes, io::PageWriter& writer) const {
  CAIRN_ASSIGN(const io::PageFileSummary summary, writer.finish());
  return job_.journal.append(Unit::stream, number(file),
                             {static_cast<std::uint64_t>(file.role), page_bytes, summary.pages,
                              summary.stream_bytes, summary.digest});
}

std::vector<layout::FileRecord> IndexFiles::records() const {
  std::vector<layout::FileRecord> records;
  for (std::uint64_t n = 1; const auto* words = job_.journal.find(Unit::stream, n); ++n) {
    const auto role = static_cast<Role>((*words)[0]);
    const auto layer = static_cast<std::uint32_t>(role == Role::refine ? n - number(role) : 0);
    layout::FileRecord file = record({role, layer}, static_cast<std::uint32_t>((*words)[1]));
    fill_record(file, {.pages = (*words)[2], .stream_bytes = (*words)[3], .digest = (*words)[4]});
    records.push_back(file);
  }
  return records;
}

void append_state(const io::PageWriterState& state, Journal::Words& words) {
  words.insert(words.end(), {state.pages, state.stream_bytes, state.tail.size()});
  const std::size_t at = words.size();
  words.resize(at + (state.tail.size() + 7) / 8);
  if (!state.tail.empty()) std::memcpy(words.data() + at, state.tail.data(), state.tail.size());
}

Result<io::PageWriterState> take_state(std::span<const std::uint64_t> words, std::size_t& at,
                                       const std::string& journal_path) {
  const std::size_t left = words.size() - at;
  if (left < 3 || words[at + 2] > (left - 3) * sizeof words[0])
    return fail({.code = ErrorCode::corrupt,
                 .what = "find where a file was left",
                 .file = journal_path,
                 .found = std::to_string(left) + " words",
                 .expected = "pages, bytes, and the bytes behind the pages"});
  io::PageWriterState state{words[at], words[at + 1], std::vector<std::byte>(words[at + 2])};
  at += 3;
  if (!state.tail.empty()) std::memcpy(state.tail.data(), words.data() + at, state.tail.size());
  at += (state.tail.size() + 7) / 8;
  return state;
}

}  // namespace cairn::build

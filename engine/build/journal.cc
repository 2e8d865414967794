#include "engine/build/journal.h"

#include <xxhash.h>

#include <cstring>

#include "engine/build/temp_files.h"

namespace cairn::build {
namespace {

/// Stands before the words of a record.
struct RecordHeader {
  std::uint64_t checksum;  // XXH3 of what follows, words included, seeded by the offset
  std::uint32_t kind;
  std::uint32_t words;
  std::uint64_t unit;
};
static_assert(sizeof(RecordHeader) == 24);

std::uint64_t checksum_of(std::span<const std::byte> record, std::uint64_t offset) {
  return XXH3_64bits_withSeed(record.data() + 8, record.size() - 8, offset);
}

}  // namespace

std::uint32_t words_min(Unit kind) {
  switch (kind) {
    case Unit::head:
      return 6;
    case Unit::sample:
    case Unit::cells:
    case Unit::merge:
    case Unit::repair:
      return 2;
    case Unit::spool:
    case Unit::stream:
      return 5;
    case Unit::link:
    case Unit::plan:
      return 8;
    case Unit::done:
      return 11;
    default:
      return 0;
  }
}

Result<Journal> Journal::open(io::Fs& fs, const std::string& folder) {
  Journal journal(fs, folder);
  CAIRN_ASSIGN(const bool exists, fs.exists(journal.path()));
  if (exists) {
    CAIRN_TRY(journal.take_over());
  } else {
    CAIRN_ASSIGN(journal.file_, fs.create(journal.path()));
    CAIRN_TRY(fs.sync_dir(folder));
  }
  return journal;
}

Status Journal::take_over() {
  CAIRN_ASSIGN(const std::vector<std::byte> bytes, load());
  const std::string copy = path() + std::string(kTemporarySuffix);
  CAIRN_ASSIGN(const bool left_over, fs_->exists(copy));
  if (left_over) CAIRN_TRY(fs_->remove(copy));
  CAIRN_ASSIGN(file_, fs_->create(copy));
  CAIRN_TRY(file_->append(bytes));
  CAIRN_TRY(file_->sync());
  CAIRN_TRY(fs_->rename(copy, path()));
  return fs_->sync_dir(folder_);
}

bool Journal::finished(io::Fs& fs, const std::string& folder) {
  Journal journal(fs, folder);
  return journal.load() && journal.find(Unit::done) != nullptr;
}

Result<std::vector<std::byte>> Journal::load() {
  CAIRN_ASSIGN(const auto file, fs_->open(path(), false));
  std::vector<std::byte> bytes(file->bytes());
  CAIRN_TRY(file->read(0, bytes));
  bytes.resize(parse(bytes));
  return bytes;
}

std::uint64_t Journal::parse(std::span<const std::byte> bytes) {
  std::uint64_t at = 0;
  while (bytes.size() - at >= sizeof(RecordHeader)) {
    RecordHeader header;
    std::memcpy(&header, bytes.data() + at, sizeof header);
    if (header.words > (bytes.size() - at - sizeof header) / 8) break;
    if (header.words < words_min(static_cast<Unit>(header.kind))) break;
    const std::uint64_t size = sizeof header + std::uint64_t{header.words} * 8;
    if (checksum_of(bytes.subspan(at, size), at) != header.checksum) break;
    Words words(header.words);
    if (!words.empty())
      std::memcpy(words.data(), bytes.data() + at + sizeof header, words.size() * 8);
    records_[{static_cast<Unit>(header.kind), header.unit}] = std::move(words);
    at += size;
  }
  return at;
}

const Journal::Words* Journal::find(Unit kind, std::uint64_t unit) const {
  const auto found = records_.find({kind, unit});
  return found == records_.end() ? nullptr : &found->second;
}

Status Journal::named(Status written) const {
  if (written) return written;
  Error error = std::move(written).error();
  error.file = path();
  return fail(std::move(error));
}

Status Journal::append(Unit kind, std::uint64_t unit, Words words) {
  std::vector<std::byte> record(sizeof(RecordHeader) + words.size() * 8);
  RecordHeader header{0, static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(words.size()),
                      unit};
  std::memcpy(record.data(), &header, sizeof header);
  if (!words.empty()) std::memcpy(record.data() + sizeof header, words.data(), words.size() * 8);
  header.checksum = checksum_of(record, file_->bytes_written());
  std::memcpy(record.data(), &header.checksum, sizeof header.checksum);
  // New files must be found after a loss of power before a record says that they are there.
  CAIRN_TRY(fs_->sync_dir(folder_));
  CAIRN_TRY(named(file_->append(record)));
  CAIRN_TRY(named(file_->sync()));
  records_[{kind, unit}] = std::move(words);
  return {};
}

}  // namespace cairn::build

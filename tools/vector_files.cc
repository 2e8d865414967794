#include "tools/vector_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "engine/build/hash.h"
#include "tools/file_stamp.h"
#include "tools/interrupt.h"
#include "tools/vectors.h"

namespace cairn::tools {
namespace {

Result<std::vector<std::string>> files_of_folder(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename();
    std::error_code ignored;  // what cannot be asked is no file to read either
    if (!name.starts_with('.') && formats::kind_of_path(name) && at->is_regular_file(ignored))
      names.push_back(name);
  }
  if (error)
    return fail({.code = ErrorCode::io, .what = "list", .file = folder, .found = error.message()});
  if (names.empty())
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "read vectors",
                 .file = folder,
                 .found = "a folder without a file of a known vector format",
                 .expected = "files named .fbin, .u8bin, .i8bin, .fvecs, .bvecs, .ivecs, .npy or "
                             "as IDX files are"});
  std::sort(names.begin(), names.end());
  for (std::string& name : names) name = (std::filesystem::path(folder) / name).string();
  return names;
}

/// The part that holds `row`, of parts sorted by their first rows.
template <class Part>
std::size_t part_of(const std::vector<Part>& parts, std::uint64_t row) {
  const auto after =
      std::upper_bound(parts.begin(), parts.end(), row,
                       [](std::uint64_t value, const Part& part) { return value < part.first; });
  return static_cast<std::size_t>(after - parts.begin()) - 1;
}

}  // namespace

Result<std::vector<std::string>> expand_inputs(const std::vector<std::string>& inputs) {
  std::vector<std::string> files;
  for (const std::string& input : inputs) {
    std::error_code ignored;  // opening says what is wrong
    if (!std::filesystem::is_directory(input, ignored)) {
      files.push_back(input);
      continue;
    }
    CAIRN_ASSIGN(const auto names, files_of_folder(input));
    files.insert(files.end(), names.begin(), names.end());
  }
  return files;
}

Result<std::unique_ptr<VectorFiles>> VectorFiles::open(const std::vector<std::string>& inputs,
                                                       const std::vector<std::string>& labels) {
  CAIRN_ASSIGN(const auto paths, expand_inputs(inputs));
  if (paths.empty()) return fail(ErrorCode::invalid_argument, "read vectors of no file");
  std::unique_ptr<VectorFiles> source(new VectorFiles);
  for (const std::string& path : paths) CAIRN_TRY(source->add_file(path));
  if (!labels.empty()) CAIRN_TRY(source->add_labels(labels));
  return source;
}

Status VectorFiles::add_file(const std::string& path) {
  CAIRN_ASSIGN(const auto reader, formats::VectorReader::open(path, formats::PageCache::drop));
  if (files_.empty()) {
    dtype_ = reader->dtype();
    dim_ = reader->dim();
  } else {
    CAIRN_TRY(check_shape(path, {reader->dtype(), reader->dim()}, {dtype_, dim_},
                          "'" + files_.front().path + "'", "put into one index"));
  }
  files_.push_back({path, count_, reader->count(), nullptr});
  count_ += reader->count();
  return {};
}

Status VectorFiles::add_labels(const std::vector<std::string>& paths) {
  if (paths.size() != 1 && paths.size() != files_.size())
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "label the vectors of " + std::to_string(files_.size()) + " files",
                 .found = std::to_string(paths.size()) + " files of labels",
                 .expected = files_.size() == 1
                                 ? "1"
                                 : "1, or " + std::to_string(files_.size()) + " in their order"});
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const bool all = paths.size() == 1;
    const std::uint64_t first = all ? 0 : files_[i].first;
    const std::uint64_t count = all ? count_ : files_[i].count;
    CAIRN_ASSIGN(auto reader, formats::LabelReader::open(paths[i], count));
    reader.close();
    labels_.push_back({paths[i], first, count, std::move(reader)});
  }
  return {};
}

Status VectorFiles::read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) {
  CAIRN_TRY(check_interrupt());
  CAIRN_TRY(check_range(first, rows.size(), labels.size(), dim_ * dtype_bytes(dtype_), count_,
                        labelled()));
  CAIRN_TRY(read_rows(first, rows));
  return read_labels(first, labels);
}

Result<formats::VectorReader*> VectorFiles::reader_of(std::size_t part) {
  if (part != open_file_) files_[open_file_].reader.reset();
  open_file_ = part;
  VectorPart& file = files_[part];
  if (!file.reader) {
    CAIRN_ASSIGN(auto reader, formats::VectorReader::open(file.path, formats::PageCache::drop));
    if (reader->count() != file.count || reader->dim() != dim_ || reader->dtype() != dtype_)
      return fail(
          {.code = ErrorCode::corrupt,
           .what = "read on in",
           .file = file.path,
           .found = "another header",
           .expected = "the file of " + std::to_string(file.count) + " vectors that it was"});
    file.reader = std::move(reader);
  }
  return file.reader.get();
}

Status VectorFiles::read_rows(std::uint64_t first, std::span<std::byte> rows) {
  while (!rows.empty()) {
    const std::size_t part = part_of(files_, first);
    CAIRN_ASSIGN(formats::VectorReader* const reader, reader_of(part));
    const std::uint64_t row = first - files_[part].first;
    if (reader->position() != row) CAIRN_TRY(reader->seek(row));
    CAIRN_ASSIGN(const std::size_t count, reader->read(rows));
    first += count;
    rows = rows.subspan(count * reader->row_bytes());
  }
  return {};
}

Status VectorFiles::read_labels(std::uint64_t first, std::span<Label> labels) {
  while (!labels.empty()) {
    const std::size_t index = part_of(labels_, first);
    if (index != open_labels_) labels_[open_labels_].reader.close();
    open_labels_ = index;
    LabelPart& part = labels_[index];
    const std::uint64_t row = first - part.first;
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(labels.size(), part.count - row));
    CAIRN_TRY(part.reader.read(row, labels.first(count)));
    first += count;
    labels = labels.subspan(count);
  }
  return {};
}

std::uint64_t VectorFiles::stamp() const {
  build::Hash hash;
  for (const VectorPart& file : files_) add_file_stamp(hash, file.path);
  for (const LabelPart& part : labels_) add_file_stamp(hash, part.path);
  return hash.value();
}

std::string VectorFiles::row_name(std::uint64_t row) const {
  const VectorPart& file = files_[part_of(files_, row)];
  return "row " + std::to_string(row - file.first) + " of '" + file.path + "'";
}

}  // namespace cairn::tools

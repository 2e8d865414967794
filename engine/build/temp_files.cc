#include "engine/build/temp_files.h"

#include "engine/build/hash.h"

namespace cairn::build {

io::PageFileId TempFiles::id_of(const std::string& name) const {
  return {Hash().add_value(build_id_).add(std::as_bytes(std::span(name))).value(), 0,
          layout::kPageBytes};
}

Result<io::PageWriter> TempFiles::create(const std::string& name) const {
  CAIRN_TRY(remove(name));
  return io::PageWriter::create(fs_, path(name), id_of(name), io::WriteMode::direct);
}

Result<io::PageWriter> TempFiles::resume(const std::string& name,
                                         const io::PageWriterState& state) const {
  return io::PageWriter::resume(fs_, path(name), id_of(name), state, io::WriteMode::direct);
}

Result<TempReader> TempFiles::open(const std::string& name, std::uint64_t stream_bytes) const {
  CAIRN_ASSIGN(auto file, fs_.open(path(name), true));
  CAIRN_ASSIGN(auto reader, io::PageStreamReader::create(*file, id_of(name), stream_bytes));
  return TempReader(std::move(file), std::move(reader));
}

Status TempFiles::remove(const std::string& name) const {
  const Status removed = fs_.remove(path(name));
  if (!removed && removed.error().code != ErrorCode::not_found) return removed;
  return {};
}

}  // namespace cairn::build

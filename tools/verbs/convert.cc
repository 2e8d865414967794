// cairn convert: from any vector format to any other that holds the same element type.
#include <algorithm>
#include <memory>

#include "tools/formats/vector_reader.h"
#include "tools/formats/vector_writer.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  std::string input, output;
  std::uint64_t take = 0, skip = 0;
  bool quiet = false;
};

Result<std::uint64_t> rows_to_copy(const formats::VectorReader& reader, const Options& options) {
  if (options.skip >= reader.count())
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "skip " + std::to_string(options.skip) + " vectors of",
                 .file = reader.path(),
                 .found = std::to_string(reader.count()) + " vectors"});
  const std::uint64_t left = reader.count() - options.skip;
  if (options.take > left)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "take " + std::to_string(options.take) + " vectors after " +
                         std::to_string(options.skip) + " of",
                 .file = reader.path(),
                 .found = std::to_string(reader.count()) + " vectors"});
  return options.take == 0 ? left : options.take;
}

Status convert(const Options& options) {
  install_interrupt();
  CAIRN_TRY(formats::check_not_read(options.output, {options.input}));
  CAIRN_ASSIGN(const auto reader, formats::VectorReader::open(options.input));
  CAIRN_ASSIGN(const std::uint64_t count, rows_to_copy(*reader, options));
  CAIRN_TRY(reader->seek(options.skip));
  CAIRN_ASSIGN(const auto writer, formats::VectorWriter::create(
                                      options.output, {reader->dtype(), reader->dim(), count}));
  Progress progress{"convert", count, options.quiet};
  std::vector<std::byte> rows(formats::rows_per_chunk(reader->row_bytes()) * reader->row_bytes());
  for (std::uint64_t done = 0; done < count;) {
    CAIRN_TRY(check_interrupt());
    const std::uint64_t want =
        std::min<std::uint64_t>(rows.size(), (count - done) * reader->row_bytes());
    CAIRN_ASSIGN(const std::size_t got, reader->read(std::span{rows}.first(want)));
    CAIRN_TRY(writer->write(std::span{rows}.first(got * reader->row_bytes())));
    done += got;
    progress.update(done);
  }
  return writer->finish();
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  command.add_option("INPUT", options->input, "Vectors, in any format")->required();
  command.add_option("OUTPUT", options->output, kOutputHelp)->required();
  command.add_option("--take", options->take, "Copy only this many vectors")->check(at_least(1));
  command.add_option("--skip", options->skip, "Leave out this many vectors first")
      ->check(at_least(0));
  add_quiet(command, options->quiet);
  return [options] { return convert(*options); };
}

}  // namespace

Verb convert_verb() {
  return {"convert", "Copy vectors from one file format to another",
          "Elements stay as they are: f32, u8 or i8. Formats, by extension: .fbin .u8bin .i8bin\n"
          ".fvecs .bvecs .ivecs .npy .idx, and MNIST's names (x-idx3-ubyte; read also as .gz).\n"
          ".ivecs holds whole numbers; they are f32 in memory.\n\n",
          "  cairn convert base.fvecs base.fbin\n"
          "  cairn convert train-images-idx3-ubyte.gz first.u8bin --take 10000",
          declare};
}

}  // namespace cairn::tools

// A build that was interrupted and goes on with a work folder of which one file is not what it
// left. The first byte chooses where it was interrupted, the second the file, by name; the third
// cuts the file or removes it; then come edits (see apply_edits). No checksum is put right: the
// folder is a build's own, and what is in it is trusted once its checksums are right. Nothing but
// an error or the index of an undisturbed build may come out, and from an error a fresh build must.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/build/builder_fs.h"
#include "engine/build/journal.h"
#include "tests/engine/build/small_build.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_fs.h"

namespace {

using namespace cairn;

constexpr char kTarget[] = "index", kWork[] = "index.building";
constexpr std::uint64_t kRows = 90;
constexpr std::uint32_t kDim = 3;

/// Rows spread by a multiplier, some of them equal, with labels.
class Rows final : public VectorSource {
 public:
  std::uint32_t dim() const override { return kDim; }
  DType dtype() const override { return DType::u8; }
  std::uint64_t count() const override { return kRows; }
  bool labelled() const override { return true; }
  std::uint64_t stamp() const override { return 1; }
  Status read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) override {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::uint64_t row = (first + i / kDim) % 80;
      rows[i] = static_cast<std::byte>((row * kDim + i % kDim) * 2654435761U >> 13U);
    }
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = (first + i) * 7919 % 100 + 5;
    return {};
  }
};

Result<BuildReport> build_on(io::Fs& fs, const BuildOptions& options) {
  Rows rows;
  return build::build_index(fs, kTarget, rows, options);
}

std::map<std::string, std::vector<std::byte>> files_of(sim::SimFs& fs, const std::string& folder) {
  std::map<std::string, std::vector<std::byte>> files;
  const auto names = fs.list(folder);
  FUZZ_REQUIRE(names.has_value());
  for (const std::string& name : *names) files[name] = fs.bytes(folder + "/" + name);
  return files;
}

std::unique_ptr<sim::SimFs> copy_of(const sim::SimFs& fs) {
  const std::vector<sim::Fate> whole(fs.pending().size(), sim::Fate::whole);
  return fs.after_power_loss(whole, 1);
}

struct States {
  std::map<std::string, std::vector<std::byte>> index;  // of an undisturbed build
  std::vector<std::unique_ptr<sim::SimFs>> cut;         // by call of progress

  States() {
    sim::SimFs fs;
    FUZZ_REQUIRE(build_on(fs, build::small_build(2)).has_value());
    index = files_of(fs, kTarget);
    for (std::uint64_t call = 1; interrupt(call); ++call) {
    }
    FUZZ_REQUIRE(cut.size() > 8);
  }
  /// False when a build has no more calls of progress than that.
  bool interrupt(std::uint64_t call) {
    auto fs = std::make_unique<sim::SimFs>();
    BuildOptions options = build::small_build(2);
    std::uint64_t calls = 0;
    options.progress = [&](const BuildProgress&) { return ++calls < call; };
    const bool ended = build_on(*fs, options).has_value();
    if (!ended && fs->exists(kWork).value_or(false)) cut.push_back(std::move(fs));
    return !ended;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const States states;
  fuzz::Input input(data, size);
  const auto fs = copy_of(*states.cut[input.take<std::uint8_t>() % states.cut.size()]);
  auto files = files_of(*fs, kWork);
  const auto chosen = std::next(
      files.begin(), static_cast<std::ptrdiff_t>(input.take<std::uint8_t>() % files.size()));
  const std::string path = std::string(kWork) + "/" + chosen->first;
  std::vector<std::byte>& bytes = chosen->second;
  const auto cut = input.take<std::uint8_t>();
  if (cut == 255) {
    FUZZ_REQUIRE(fs->remove(path).has_value());
  } else {
    bytes.resize(bytes.size() * (256U - cut) / 256);
    fuzz::apply_edits(input, bytes);
    fs->set_bytes(path, bytes);
  }
  BuildOptions options = build::small_build(2);
  auto report = build_on(*fs, options);
  if (!report) {
    FUZZ_REQUIRE(!report.error().to_string().empty());
    options.fresh = true;
    report = build_on(*fs, options);
  }
  FUZZ_REQUIRE(report.has_value());
  FUZZ_REQUIRE(files_of(*fs, kTarget) == states.index);
  return 0;
}

// A whole index of which one file is not what was written: opened, searched, fetched from, scanned
// and verified. Bytes of the input:
//   flags   bit 0 puts checksums, digest and length right in file and manifest, so that what lies
//           behind them is reached; bit 1 chooses the index, bit 2 a small memory limit, bits 3 and
//           5 an examination, bit 4 takes what is left for the whole file, not for edits of it;
//           bit 6 leaves the digest
//   file    by name
//   length  of the file's stream, added to what it was; 0 most often
//   edits   see apply_edits
// Without right checksums nothing but an error or the answers of the whole index may come out. With
// them the index may hold anything; what verify() takes for whole must then hold together.
#include <cairn/examine.h>

#include <array>
#include <cmath>

#include "tests/fuzz/golden_folder.h"
#include "tests/fuzz/sealed.h"
#include "tests/layout/reseal.h"

namespace {

using namespace cairn;
using fuzz::Files;

constexpr std::uint32_t kDim = 8;
constexpr std::size_t kFileBytesMax = 64 << 10;

OpenOptions open_options(bool small) {
  OpenOptions options;
  options.io_depth = 8;
  if (small) options.memory_limit_bytes = 40 << 10;
  return options;
}

constexpr std::size_t kByRecall = 2;

/// Requests of all kinds; `query` must outlive them.
std::vector<SearchRequest> requests_of(const std::array<std::uint8_t, kDim>& query) {
  SearchRequest plain;
  plain.query = {query.data(), kDim, DType::u8};
  std::vector<SearchRequest> requests(6, plain);
  requests[1].slack = 0.2F;
  requests[kByRecall].recall = 0.9;
  requests[3].edges = false;
  requests[4].k = 300;
  requests[4].list_size = 300;
  requests[5].reads_max = 3;
  requests[5].allow = [](Label label) { return label % 2 == 0; };
  return requests;
}
constexpr std::array<std::uint8_t, kDim> kQuery = {90, 70, 130, 120, 60, 200, 110, 90};

struct Answers {
  std::vector<std::vector<Neighbor>> found;  // by request; those of an error are not compared
  std::vector<bool> answered;
};

/// What every answer promises, whatever the blocks hold.
void check_answer(const SearchRequest& request, const SearchResult& result) {
  FUZZ_REQUIRE(result.neighbors.size() <= request.k);
  const Neighbor* before = nullptr;
  for (const Neighbor& neighbor : result.neighbors) {
    FUZZ_REQUIRE(!std::isnan(neighbor.distance));
    FUZZ_REQUIRE(!request.allow || request.allow(neighbor.label));
    FUZZ_REQUIRE(before == nullptr || before->distance <= neighbor.distance);
    before = &neighbor;
  }
}

Answers ask(const Index& index) {
  Answers answers;
  for (const SearchRequest& request : requests_of(kQuery)) {
    const auto result = index.search(request);
    FUZZ_REQUIRE(result || !result.error().to_string().empty());
    if (result) check_answer(request, *result);
    answers.answered.push_back(result.has_value());
    answers.found.push_back(result ? result->neighbors : std::vector<Neighbor>{});
  }
  return answers;
}

bool same(const std::vector<Neighbor>& a, const std::vector<Neighbor>& b) {
  return std::ranges::equal(a, b, [](const Neighbor& x, const Neighbor& y) {
    return x.label == y.label && x.distance == y.distance;
  });
}

/// Labels of all vectors, in the order of disk; nothing where one cannot be read.
std::optional<std::set<Label>> labels_of(const Index& index) {
  auto scan = index.scan();
  if (!scan) return {};
  std::set<Label> labels;
  std::vector<std::byte> rows(16 * kDim);
  std::vector<Label> named(16);
  while (true) {
    const auto got = (*scan)->next(rows, named);
    if (!got) return {};
    labels.insert(named.begin(), named.begin() + static_cast<std::ptrdiff_t>(*got));
    if (*got == 0) return labels;
  }
}

float distance_to(std::span<const std::byte> row) {
  float sum = 0;
  for (std::uint32_t d = 0; d < kDim; ++d) {
    const float apart = static_cast<float>(kQuery[d]) - static_cast<float>(row[d]);
    sum += apart * apart;
  }
  return sum;
}

/// An index that verify() takes for whole finds what is there, and fetches what it finds. A
/// manifest may say that its vectors are of another kind, which takes the same room.
void check_whole(const Index& index, const Answers& answers) {
  const auto labels = labels_of(index);
  const IndexStats stats = index.stats();
  FUZZ_REQUIRE(labels.has_value() && labels->size() == stats.vector_count);
  if (stats.dim != kDim || stats.dtype != DType::u8) return;
  for (std::size_t i = 0; i < answers.answered.size(); ++i)
    FUZZ_REQUIRE(answers.answered[i] || (i == kByRecall && !stats.calibrated));
  for (const auto& found : answers.found)
    for (const Neighbor& neighbor : found) {
      FUZZ_REQUIRE(labels->contains(neighbor.label));
      const auto row = index.get(neighbor.label);
      FUZZ_REQUIRE(row.has_value() && row->size() == kDim);
      FUZZ_REQUIRE(stats.metric != Metric::l2 || distance_to(*row) == neighbor.distance);
    }
}

void look_into(const Index& index, bool examine) {
  const auto report = index.verify();
  FUZZ_REQUIRE(report.has_value());
  const Answers answers = ask(index);
  if (report->ok()) check_whole(index, answers);
  static_cast<void>(index.inspect());
  SearchRequest request = requests_of(kQuery)[0];
  static_cast<void>(index.explain(request));
  for (const Label label : {Label{0}, Label{1} << 33, ~Label{0}})
    static_cast<void>(index.get(label));
  if (!examine) return;
  ExamineOptions options;
  options.rows = 10;
  options.threads = 1;
  static_cast<void>(index.examine(options));
}

struct Base {
  Files files;
  layout::Manifest manifest;
  Answers answers[2];  // without a memory limit, and with one

  explicit Base(const std::string& name)
      : files(fuzz::golden_files(std::string(CAIRN_GOLDEN) + "/" + name)) {
    auto decoded = layout::decode_manifest(files.at(layout::kManifestName));
    FUZZ_REQUIRE(decoded.has_value());
    manifest = std::move(*decoded);
    FUZZ_REQUIRE(!files.contains(layout::kWriterLockName));
    for (const bool small : {false, true}) {
      sim::SimFs fs;
      fuzz::put_files(fs, files);
      const auto index = search::open_index(fs, fuzz::kFolder, open_options(small));
      FUZZ_REQUIRE(index.has_value());
      const auto report = (*index)->verify();
      FUZZ_REQUIRE(report && report->ok() && (*index)->stats().dim == kDim);
      answers[small ? 1 : 0] = ask(**index);
    }
    for (const bool answered : answers[0].answered) FUZZ_REQUIRE(answered);
  }
};

/// Puts right what guards file `name`: the seals of its pages, and length and digest in MANIFEST.
void repair(Files& files, const layout::Manifest& before, const std::string& name,
            std::uint64_t longer, bool digest) {
  layout::Manifest manifest = before;
  for (layout::FileRecord& record : manifest.files) {
    if (name != layout::file_name(record.number, static_cast<layout::Role>(record.role))) continue;
    std::vector<std::byte>& bytes = files.at(name);
    const io::PageFileId id{record.identity, record.generation, record.page_bytes};
    bytes.resize((bytes.size() + id.page_bytes - 1) / id.page_bytes * id.page_bytes);
    fuzz::seal_pages(bytes, id);
    record.pages = bytes.size() / id.page_bytes;
    if (digest) record.digest = fuzz::digest_of(bytes, id.page_bytes);
    if (record.stream_bytes != 0) record.stream_bytes += longer;
  }
  files.at(layout::kManifestName) = layout::encode_manifest(manifest);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Base bases[2] = {Base("index-v1"), Base("index-v1-layers")};
  fuzz::Input input(data, size);
  const auto flags = input.take<std::uint8_t>();
  const bool right = (flags & 1) != 0, small = (flags & 4) != 0;
  const Base& base = bases[(flags >> 1U) & 1U];
  const auto chosen =
      std::next(base.files.begin(),
                static_cast<std::ptrdiff_t>(input.take<std::uint8_t>() % base.files.size()));
  const auto longer = static_cast<std::uint64_t>(
      std::int64_t{static_cast<std::int16_t>(input.take<std::uint16_t>())});
  Files files = base.files;
  std::vector<std::byte>& bytes = files.at(chosen->first);
  if ((flags & 16) != 0)
    bytes.assign(input.rest().begin(), input.rest().end());
  else
    fuzz::apply_edits(input, bytes);
  if (bytes.size() > kFileBytesMax) return 0;
  if (right && chosen->first != layout::kManifestName)
    repair(files, base.manifest, chosen->first, longer, (flags & 64) == 0);
  if (right && chosen->first == layout::kManifestName &&
      bytes.size() >= sizeof(layout::ManifestHeader))
    layout::reseal_manifest(bytes);
  sim::SimFs fs;
  fuzz::put_files(fs, files);
  const auto index = search::open_index(fs, fuzz::kFolder, open_options(small));
  if (!index) {
    FUZZ_REQUIRE(!index.error().to_string().empty());
    return 0;
  }
  if (right) {
    look_into(**index, (flags & 0x28) == 0x28);  // thirty times as slow
    return 0;
  }
  const auto report = (*index)->verify();
  FUZZ_REQUIRE(report && report->ok() == (files == base.files));
  const Answers answers = ask(**index);
  for (std::size_t i = 0; i < answers.found.size(); ++i)
    FUZZ_REQUIRE(!answers.answered[i] ||
                 same(answers.found[i], base.answers[small ? 1 : 0].found[i]));
  return 0;
}

#include "tests/engine/search/search_test_util.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/math/distance.h"
#include "io/fs.h"
#include "layout/page.h"
#include "tests/engine/search/merge_segments.h"

namespace cairn::search::testing {
namespace fs = std::filesystem;

std::unique_ptr<BuiltIndex> build_index(const IndexSpec& spec) {
  auto built = std::make_unique<BuiltIndex>();
  built->spec = spec;
  built->folder = built->dir.file("index");
  built->rows = build::random_rows(spec.count, spec.dim, spec.dtype, spec.seed);
  BuildOptions options;
  options.calibration_rows = 0;
  options.metric = spec.metric;
  options.degree = spec.degree;
  options.code_bytes = std::min(8u, spec.dim);
  options.refine_bytes = options.code_bytes;
  if (options.code_bytes == 8) options.refine_layers = {2, 3, 3};
  options.threads = 2;
  std::vector<Label> labels(spec.count);
  for (std::uint64_t i = 0; i < spec.count; ++i) labels[i] = BuiltIndex::label_of(i);
  build::build_index(built->folder, built->rows, options, labels);
  return built;
}

const BuiltIndex& shared_index() {
  static const std::unique_ptr<BuiltIndex> built = build_index();
  return *built;
}

std::unique_ptr<Index> open_index(const BuiltIndex& built, const OpenOptions& options) {
  return must(Index::open(built.folder, options), "open");
}

std::uint64_t smallest_limit(const std::string& folder) {
  const auto refused = Index::open(folder, {.memory_limit_bytes = 0});
  EXPECT_TRUE(fails_with(refused, ErrorCode::over_limit));
  return std::stoull(refused.error().expected.substr(std::string("at least ").size()));
}

SearchRequest request_for(const BuiltIndex& built, std::uint64_t row, std::uint32_t k) {
  return {.query = built.row(row), .k = k, .list_size = 100};
}

std::vector<Neighbor> exact_answer(const BuiltIndex& built, const SearchRequest& request) {
  const math::Scorer scorer(built.spec.metric, request.query);
  std::vector<Neighbor> all;
  for (std::uint64_t i = 0; i < built.spec.count; ++i) {
    const VectorView row = built.row(i);
    all.push_back({BuiltIndex::label_of(i), scorer(row.data, math::inverse_norm(row))});
  }
  std::ranges::sort(all, [](const Neighbor& a, const Neighbor& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.label < b.label;
  });
  all.resize(std::min<std::size_t>(all.size(), request.k));
  return all;
}

bool same_answer(const SearchResult& a, const SearchResult& b) {
  return std::ranges::equal(a.neighbors, b.neighbors, [](const Neighbor& x, const Neighbor& y) {
    return x.label == y.label && x.distance == y.distance;
  });
}

std::vector<SearchResult> answers(const Index& index, const BuiltIndex& built,
                                  std::uint64_t count) {
  std::vector<SearchResult> results;
  for (std::uint64_t i = 0; i < count; ++i)
    results.push_back(must(index.search(request_for(built, i)), "search"));
  return results;
}

std::string file_of(const std::string& folder, const std::string& role) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == "." + role) return entry.path();
  ADD_FAILURE() << "no file of role " << role;
  return {};
}

void copy_folder(const std::string& from, const std::string& to) {
  fs::copy(from, to, fs::copy_options::recursive);
}

void flip_bit(const std::string& path, std::uint64_t byte, unsigned bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(byte));
  const int value = file.get();
  ASSERT_NE(value, EOF) << path;
  file.seekp(static_cast<std::streamoff>(byte));
  file.put(static_cast<char>(value ^ (1 << bit)));
  file.close();
  ASSERT_TRUE(file) << path;
}

layout::Manifest read_manifest(const std::string& folder) {
  return must(layout::decode_manifest(build::read_files(folder).at(layout::kManifestName)));
}

void merge_segments(const std::string& from, const std::string& into) {
  EXPECT_TRUE(ok(merge_segments(io::posix_fs(), from, into)));
}

void rewrite_blocks(const std::string& folder, const BlockChange& change) {
  const layout::Manifest manifest = read_manifest(folder);
  const layout::SegmentRecord& segment = manifest.segments.front();
  const layout::BlockShape shape = manifest.block_shape(segment);
  for (const auto* record : manifest.files_of(segment.segment, layout::Role::blocks)) {
    const std::string name = layout::file_name(record->number, layout::Role::blocks);
    auto bytes = build::read_files(folder).at(name);
    for (std::uint64_t b = 0; b < record->pages; ++b) {
      const auto block = std::span(bytes).subspan(b * shape.block_bytes, shape.block_bytes);
      change(shape, block, static_cast<std::uint32_t>(b) * shape.slots);
      layout::seal_page(block, {record->identity, b, record->generation});
    }
    std::ofstream(folder + "/" + name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
}

}  // namespace cairn::search::testing

// Files written by the first encoder of each format version. They decode to what they held then,
// and what was decoded is encoded to the same bytes. A file here never changes: a format that needs
// other bytes is another version with a folder of its own, and this one stays readable.
#include <fstream>
#include <iterator>

#include "layout/calibration.h"
#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

using Bytes = std::vector<std::byte>;
using Targets = std::vector<std::uint32_t>;

constexpr PageId kId{.identity = 0x1122'3344'5566'7788ULL, .page = 5, .generation = 2};

Bytes golden(const std::string& name) {
  std::ifstream file(CAIRN_GOLDEN "/v1/" + name, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file),
                               std::istreambuf_iterator<char>()};
  EXPECT_FALSE(text.empty()) << name;
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

/// A sealed page whose checksum holds.
Bytes golden_page(const std::string& name) {
  const Bytes page = golden(name);
  const Status status = check_page(page, kId);
  EXPECT_TRUE(status) << name << ": " << status.error().to_string();
  return page;
}

Bytes sealed(std::span<const std::byte> page) {
  Bytes bytes(page.begin(), page.end());
  seal_page(bytes, kId);
  return bytes;
}

TEST(GoldenV1, Manifest) {
  const Bytes bytes = golden("manifest.bin");
  const auto manifest = decode_manifest(bytes);
  ASSERT_TRUE(manifest) << manifest.error().to_string();
  EXPECT_EQ(manifest->header.sequence, 9U);
  EXPECT_EQ(manifest->header.index_id, 0xfeed'beef'0123'4567ULL);
  EXPECT_EQ(manifest->header.dim, 16U);
  EXPECT_EQ(manifest->dtype(), DType::f32);
  EXPECT_EQ(manifest->metric(), Metric::cosine);
  EXPECT_STREQ(manifest->header.kernel_path, "avx2");
  ASSERT_EQ(manifest->segments.size(), 2U);
  EXPECT_EQ(manifest->segments[0].vector_count, 97U);
  EXPECT_EQ(manifest->segments[0].refine_bytes, 4U);
  ASSERT_EQ(manifest->extents.size(), 3U);
  EXPECT_EQ(manifest->extents[0].blocks_file, 11U);
  ASSERT_EQ(manifest->files.size(), 11U);
  EXPECT_EQ(manifest->files[10].role, static_cast<std::uint16_t>(Role::labels));
  EXPECT_EQ(manifest->files[10].identity,
            file_identity(manifest->header.index_id, Role::labels, 23));
  EXPECT_EQ(encode_manifest(*manifest), bytes);
}

TEST(GoldenV1, ManifestOfRefinementInLayers) {
  const Bytes bytes = golden("manifest-layers.bin");
  const auto manifest = decode_manifest(bytes);
  ASSERT_TRUE(manifest) << manifest.error().to_string();
  EXPECT_EQ(manifest->header.incompatible, 1U);
  EXPECT_EQ(manifest->segments[0].refine_bytes, 4U);
  const auto layers = manifest->files_of(3, Role::refine);
  ASSERT_EQ(layers.size(), 2U);
  EXPECT_EQ(layers[0]->number, 13U);
  EXPECT_EQ(manifest->layer_bytes(*layers[0], 100), 1U);
  EXPECT_EQ(layers[1]->number, 30U);
  EXPECT_EQ(manifest->layer_bytes(*layers[1], 100), 3U);
  EXPECT_EQ(encode_manifest(*manifest), bytes);
}

/// Reads every place of the block and writes it again.
Bytes rewritten(const BlockShape& shape, const Bytes& page, std::uint32_t first_slot) {
  const auto view = BlockView::open(shape, page, first_slot);
  EXPECT_TRUE(view) << view.error().to_string();
  std::vector<Node> nodes;
  std::uint32_t room[kDegreeMax];
  for (std::uint32_t place = 0; view && place < shape.slots; ++place) {
    if (!view->occupied(place)) continue;
    const auto degree = view->neighbors(place, 0xffff'ffff, room);
    EXPECT_TRUE(degree) << degree.error().to_string();
    nodes.push_back({.place = place,
                     .vector = Bytes(view->vector(place), view->vector(place) + shape.row_bytes),
                     .label = view->label(place),
                     .inverse_norm = view->inverse_norm(place),
                     .targets = Targets(room, room + degree.value_or(0))});
  }
  return sealed(write_block(shape, first_slot, nodes));
}

TEST(GoldenV1, BlockOfBytes) {
  const BlockShape shape{.block_bytes = 4096, .slots = 4, .row_bytes = 8};
  const Bytes page = golden_page("block-u8.bin");
  const auto view = BlockView::open(shape, page, 8);
  ASSERT_TRUE(view) << view.error().to_string();
  EXPECT_EQ(view->occupied_mask(), 0b1011U);
  EXPECT_EQ(view->label(0), 1001U);
  EXPECT_EQ(view->label(3), 0xffff'ffff'ffff'fffeULL);
  EXPECT_EQ(view->vector(1)[0], std::byte{0x11});
  std::uint32_t room[kDegreeMax];
  ASSERT_EQ(*view->neighbors(3, 1'000'001, room), 4U);
  EXPECT_EQ(Targets(room, room + 4), (Targets{0, 8, 9, 1'000'000}));
  EXPECT_EQ(rewritten(shape, page, 8), page);
}

TEST(GoldenV1, BlockWithNorms) {
  const BlockShape shape{.block_bytes = 4096, .slots = 3, .row_bytes = 20, .has_norms = true};
  const Bytes page = golden_page("block-cosine.bin");
  const auto view = BlockView::open(shape, page, 0);
  ASSERT_TRUE(view) << view.error().to_string();
  EXPECT_EQ(view->inverse_norm(2), 0.75F);
  float last;
  std::memcpy(&last, view->vector(2) + 16, sizeof last);
  EXPECT_EQ(last, 5.5F);
  std::uint32_t room[kDegreeMax];
  ASSERT_EQ(*view->neighbors(1, 60'000'000, room), 40U);
  for (std::uint32_t i = 0; i < 40; ++i) EXPECT_EQ(room[i], i * i * i * 1000 + 1);
  EXPECT_EQ(rewritten(shape, page, 0), page);
}

TEST(GoldenV1, Entries) {
  const Bytes bytes = golden("entries.bin");
  const auto entries = decode_entries(bytes, 10);
  ASSERT_TRUE(entries) << entries.error().to_string();
  EXPECT_EQ(entries->heads, (Targets{9, 4}));
  EXPECT_EQ(entries->begins, (Targets{0, 3, 4}));
  EXPECT_EQ(entries->slots, (Targets{1, 2, 9, 4}));
  EXPECT_EQ(encode_entries(*entries), bytes);
}

TEST(GoldenV1, Calibration) {
  const Bytes bytes = golden("calibration.bin");
  const auto calibration = decode_calibration(bytes);
  ASSERT_TRUE(calibration) << calibration.error().to_string();
  EXPECT_EQ(calibration->source, CalibrationSource::rows);
  ASSERT_EQ(calibration->curves.size(), 2U);
  EXPECT_EQ(calibration->curves[0].record.list_size, 64U);
  EXPECT_EQ(calibration->curves[0].points[1].recall, 0.96875F);
  EXPECT_EQ(calibration->curves[1].record.refine_bytes, 14U);
  EXPECT_EQ(calibration->curves[1].record.width, 4U);
  EXPECT_EQ(calibration->curves[1].points[0].blocks, 20.25F);
  EXPECT_EQ(encode_calibration(*calibration), bytes);
}

TEST(GoldenV1, CodesHeader) {
  const auto plan = decode_codes_header(golden("codes-header.bin"), 8248, 10);
  ASSERT_TRUE(plan) << plan.error().to_string();
  EXPECT_EQ(plan->header.dim, 8U);
  EXPECT_EQ(plan->header.m, 4U);
}

TEST(GoldenV1, Navigation) {
  Bytes bytes = golden("nav.bin");
  const auto plan = decode_nav_header(bytes, bytes.size(), 3);
  ASSERT_TRUE(plan) << plan.error().to_string();
  EXPECT_EQ(plan->header.slices, 2U);
  const std::vector<Targets> expected{{1, 2, 0}, {0, 1, 2, 0, 1, 2, 0, 1}, {}, {2}, {0, 2}, {1}};
  Bytes again(bytes.begin(), bytes.begin() + 16);
  bytes.resize(bytes.size() + kNavPadBytes);
  for (std::size_t row = 0; row < expected.size(); ++row) {
    const std::byte* const at = bytes.data() + 16 + row * 2;
    for (std::uint32_t e = 0; e < kNavEdgesPerSlice; ++e)
      EXPECT_EQ(nav_edge(at, 2, e), e < expected[row].size() ? expected[row][e] : 3U);
    std::byte written[2];
    nav_encode(expected[row], 2, written);
    again.insert(again.end(), written, written + 2);
  }
  bytes.resize(bytes.size() - kNavPadBytes);
  EXPECT_EQ(again, bytes);
}

TEST(GoldenV1, LabelPages) {
  std::array<std::byte, kPageBytes> page;

  const Bytes header = golden_page("labels-header.bin");
  const auto plan = decode_labels_header(header, 2958, 1'000'000);
  ASSERT_TRUE(plan) << plan.error().to_string();
  encode_labels_header(*plan, page);
  EXPECT_EQ(sealed(page), header);

  const Bytes leaf = golden_page("label-leaf.bin");
  const auto labels = decode_label_leaf(leaf, 3);
  ASSERT_TRUE(labels) << labels.error().to_string();
  EXPECT_EQ(labels->labels, (std::vector<std::uint64_t>{5, 6, std::uint64_t{1} << 63}));
  EXPECT_EQ(labels->slots, (Targets{2, 1, 0}));
  encode_label_leaf(labels->labels, labels->slots, page);
  EXPECT_EQ(sealed(page), leaf);

  const Bytes inner = golden_page("label-inner.bin");
  const auto firsts = decode_label_inner(inner);
  ASSERT_TRUE(firsts) << firsts.error().to_string();
  EXPECT_EQ(*firsts, (std::vector<std::uint64_t>{5, 900, 901}));
  encode_label_inner(*firsts, page);
  EXPECT_EQ(sealed(page), inner);
}

/// Compares one line of a dump, "00000010: 0b00 ..  text", with the golden bytes.
void expect_line_holds(const std::string& line, const Bytes& bytes) {
  const std::size_t at = std::stoul(line, nullptr, 16);
  std::string found;
  for (std::size_t i = at; i < std::min(at + 16, bytes.size()); ++i) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(bytes[i]));
    if (i % 2 == 0) found.push_back(' ');
    found.append(digits);
  }
  EXPECT_EQ(line.substr(9, found.size()), found) << line;
}

TEST(GoldenV1, DumpsInFormatMdAreThoseOfTheFiles) {
  std::ifstream page(CAIRN_FORMAT_MD);
  ASSERT_TRUE(page) << CAIRN_FORMAT_MD;
  int lines = 0;
  Bytes bytes;
  for (std::string line; std::getline(page, line);) {
    if (const std::size_t end = line.find(".bin: "); end != std::string::npos && line[0] != '|')
      bytes = golden(line.substr(0, end + 4));
    if (line.size() < 10 || line.substr(8, 2) != ": ") continue;
    if (line.find_first_not_of("0123456789abcdef") != 8) continue;
    expect_line_holds(line, bytes);
    ++lines;
  }
  EXPECT_GE(lines, 25);
}

}  // namespace
}  // namespace cairn::layout

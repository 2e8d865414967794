#include "tests/engine/build/build_test_util.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <set>

#include "layout/page.h"

namespace cairn::build {
namespace {

using layout::Role;

void put(std::span<std::byte> row, std::uint32_t i, DType dtype, double value) {
  if (dtype == DType::f32) {
    const auto element = static_cast<float>(value);
    std::memcpy(row.data() + i * sizeof element, &element, sizeof element);
    return;
  }
  const double low = dtype == DType::i8 ? -128 : 0;
  row[i] = static_cast<std::byte>(static_cast<int>(std::clamp(value * 256 + low, low, low + 255)));
}

std::vector<std::byte> read_whole(const std::string& path) {
  const auto file = must(io::posix_fs().open(path, false));
  std::vector<std::byte> bytes(file->bytes());
  EXPECT_TRUE(ok(file->read(0, bytes)));
  return bytes;
}

std::vector<std::byte> read_pages(const std::string& folder, const layout::FileRecord& record) {
  auto pages =
      read_whole(folder + "/" + layout::file_name(record.number, static_cast<Role>(record.role)));
  EXPECT_EQ(pages.size(), record.pages * record.page_bytes);
  for (std::uint64_t p = 0; p < record.pages; ++p)
    EXPECT_TRUE(
        ok(layout::check_page(std::span(pages).subspan(p * record.page_bytes, record.page_bytes),
                              {record.identity, p, record.generation})));
  return pages;
}

std::vector<std::byte> read_stream(const std::string& folder, const layout::FileRecord& record) {
  const auto pages = read_pages(folder, record);
  std::vector<std::byte> stream;
  for (std::size_t at = 0; at < pages.size(); at += layout::kPageBytes)
    stream.insert(stream.end(), pages.begin() + static_cast<std::ptrdiff_t>(at) + 8,
                  pages.begin() + static_cast<std::ptrdiff_t>(at + layout::kPageBytes));
  EXPECT_GE(stream.size(), record.stream_bytes);
  stream.resize(record.stream_bytes);
  return stream;
}

void read_blocks(const std::string& folder, StoredIndex& index) {
  const auto& segment = index.manifest.segments.front();
  const auto shape = index.manifest.block_shape(segment);
  const auto pages = read_pages(folder, *index.manifest.find(segment.segment, Role::blocks));
  std::array<std::uint32_t, layout::kDegreeMax> targets;
  for (std::uint32_t slot = 0; slot < segment.slot_count; ++slot) {
    const std::uint32_t place = slot % segment.slots_per_block;
    const auto view = must(layout::BlockView::open(
        shape,
        std::span(pages).subspan(std::size_t{slot / segment.slots_per_block} * shape.block_bytes,
                                 shape.block_bytes),
        slot - place));
    index.occupied.push_back(view.occupied(place));
    index.labels.push_back(view.label(place));
    const std::byte* vector = view.vector(place);
    index.vectors.emplace_back(vector, vector + shape.row_bytes);
    const std::uint32_t degree = must(view.neighbors(place, segment.slot_count, targets));
    index.lists.emplace_back(targets.begin(), targets.begin() + degree);
  }
}

void read_nav(const std::string& folder, StoredIndex& index) {
  const auto& segment = index.manifest.segments.front();
  const auto& record = *index.manifest.find(segment.segment, Role::nav);
  auto stream = read_stream(folder, record);
  const auto plan =
      must(layout::decode_nav_header(stream, record.stream_bytes, segment.slot_count));
  stream.resize(stream.size() + layout::kNavPadBytes);
  index.nav.resize(segment.slot_count);
  for (std::uint32_t slot = 0; slot < segment.slot_count; ++slot)
    for (std::uint32_t e = 0; e < plan.header.slices * layout::kNavEdgesPerSlice; ++e) {
      const std::byte* row = stream.data() + plan.slice_at(e / layout::kNavEdgesPerSlice) +
                             std::uint64_t{slot} * plan.header.bits;
      const std::uint32_t edge =
          layout::nav_edge(row, plan.header.bits, e % layout::kNavEdgesPerSlice);
      if (edge < segment.slot_count) index.nav[slot].push_back(edge);
    }
}

void read_labels(const std::string& folder, StoredIndex& index) {
  const auto& segment = index.manifest.segments.front();
  const auto& record = *index.manifest.find(segment.segment, Role::labels);
  const auto pages = read_pages(folder, record);
  const auto page = [&](std::uint64_t p) {
    return std::span(pages).subspan(p * layout::kPageBytes, layout::kPageBytes);
  };
  const auto plan = must(layout::decode_labels_header(page(0), record.pages, segment.vector_count));
  std::vector<Label> leaf_firsts, inner_firsts, from_inner, from_top;
  for (std::uint64_t l = 0; l < plan.header.leaves; ++l) {
    const auto leaf = must(layout::decode_label_leaf(page(plan.leaf_page(l)), segment.slot_count));
    leaf_firsts.push_back(leaf.labels.front());
    for (std::size_t i = 0; i < leaf.labels.size(); ++i)
      index.slot_of_label[leaf.labels[i]] = leaf.slots[i];
  }
  const auto append = [&](std::uint64_t p, std::vector<Label>& to, std::vector<Label>* firsts) {
    const auto inner = must(layout::decode_label_inner(page(p)));
    to.insert(to.end(), inner.begin(), inner.end());
    if (firsts != nullptr) firsts->push_back(inner.front());
  };
  for (std::uint64_t i = 0; i < plan.header.inners; ++i)
    append(plan.inner_page(i), from_inner, &inner_firsts);
  for (std::uint64_t t = 0; t < plan.header.tops; ++t) append(plan.top_page(t), from_top, nullptr);
  EXPECT_EQ(from_inner, leaf_firsts);
  EXPECT_EQ(from_top, inner_firsts);
}

}  // namespace

Rows random_rows(std::uint64_t count, std::uint32_t dim, DType dtype, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0.1, 0.9), near(-0.1, 0.1);
  const std::uint64_t clusters = std::max<std::uint64_t>(1, count / 50);
  std::vector<double> centres(clusters * dim);
  for (double& value : centres) value = uniform(random);
  Rows rows{std::vector<std::byte>(count * dim * dtype_bytes(dtype)), dim, dtype};
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t cluster = random() % clusters;
    for (std::uint32_t d = 0; d < dim; ++d)
      put(rows.row(i), d, dtype, centres[cluster * dim + d] + near(random));
  }
  return rows;
}

void copy_row(Rows& rows, std::uint64_t from, std::uint64_t to) {
  std::memcpy(rows.row(to).data(), rows.row(from).data(), rows.row(to).size());
}

Status RowsSource::read_edges(std::uint64_t first, std::span<std::uint32_t> into,
                              std::span<std::uint8_t> begins) {
  EXPECT_EQ(into.size(), begins.size() * edges_max());
  std::copy_n(edges.begin() + static_cast<std::ptrdiff_t>(first * edges_max()), into.size(),
              into.begin());
  std::copy_n(starts.begin() + static_cast<std::ptrdiff_t>(first), begins.size(), begins.begin());
  return {};
}

Status RowsSource::read(std::uint64_t first, std::span<std::byte> into, std::span<Label> named) {
  if (before_read) before_read(first);
  std::memcpy(into.data(), rows.row(first).data(), into.size());
  if (!named.empty())
    std::copy_n(labels.begin() + static_cast<std::ptrdiff_t>(first), named.size(), named.begin());
  return {};
}

std::vector<std::uint32_t> iota_order(std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  return order;
}

std::uint64_t StoredIndex::unreachable() const {
  std::vector<bool> reached(lists.size());
  std::vector<std::uint32_t> stack;
  const auto reach = [&](std::uint32_t slot) {
    if (!reached[slot]) stack.push_back(slot);
    reached[slot] = true;
  };
  for (const std::uint32_t slot : entries.heads) reach(slot);
  for (const std::uint32_t slot : entries.slots) reach(slot);
  while (!stack.empty()) {
    const std::uint32_t slot = stack.back();
    stack.pop_back();
    for (const std::uint32_t to : lists[slot]) reach(to);
  }
  std::uint64_t missed = 0;
  for (std::size_t s = 0; s < lists.size(); ++s) missed += occupied[s] && !reached[s] ? 1U : 0U;
  return missed;
}

std::uint64_t StoredIndex::without_in_edge() const {
  std::set<std::uint32_t> targets;
  for (const auto& list : lists) targets.insert(list.begin(), list.end());
  std::uint64_t missed = 0;
  for (std::uint32_t s = 0; s < lists.size(); ++s)
    missed += occupied[s] && !targets.contains(s) ? 1U : 0U;
  return missed;
}

StoredIndex read_index(const std::string& folder) {
  StoredIndex index;
  index.manifest = must(layout::decode_manifest(read_whole(folder + "/" + layout::kManifestName)));
  read_blocks(folder, index);
  read_nav(folder, index);
  read_labels(folder, index);
  const auto& segment = index.manifest.segments.front();
  index.entries = must(layout::decode_entries(
      read_stream(folder, *index.manifest.find(segment.segment, Role::entries)),
      segment.slot_count));
  const auto codes_of = [&](const layout::FileRecord& record) {
    auto stream = read_stream(folder, record);
    must(layout::decode_codes_header(stream, record.stream_bytes, segment.slot_count));
    return stream;
  };
  index.codes = codes_of(*index.manifest.find(segment.segment, Role::codes));
  for (const auto* layer : index.manifest.files_of(segment.segment, Role::refine))
    index.refine.push_back(codes_of(*layer));
  return index;
}

std::map<std::string, std::vector<std::byte>> read_files(const std::string& folder) {
  std::map<std::string, std::vector<std::byte>> files;
  for (const std::string& name : must(io::posix_fs().list(folder)))
    files[name] = read_whole(folder + "/" + name);
  return files;
}

BuildReport build_index(const std::string& folder, const Rows& rows, const BuildOptions& options,
                        std::span<const Label> labels) {
  auto builder = must(Builder::create(folder, rows.dim, rows.dtype, options));
  EXPECT_TRUE(ok(builder->add(rows.batch(), labels)));
  return must(builder->finish());
}

void expect_whole(const StoredIndex& index, const Rows& rows, std::span<const Label> labels) {
  const auto& segment = index.manifest.segments.front();
  ASSERT_EQ(segment.vector_count, rows.count());
  ASSERT_EQ(index.slot_of_label.size(), rows.count());
  for (std::uint64_t i = 0; i < rows.count(); ++i) {
    const Label label = labels.empty() ? i : labels[i];
    const auto at = index.slot_of_label.find(label);
    ASSERT_NE(at, index.slot_of_label.end()) << "label " << label;
    ASSERT_TRUE(index.occupied[at->second]);
    EXPECT_EQ(index.labels[at->second], label);
    const auto row = std::as_bytes(std::span(rows.bytes))
                         .subspan(i * index.vectors.front().size(), index.vectors.front().size());
    EXPECT_TRUE(std::ranges::equal(index.vectors[at->second], row)) << "row " << i;
  }
  std::uint64_t edges = 0;
  for (std::size_t s = 0; s < index.lists.size(); ++s) {
    auto nav = index.nav[s];
    std::sort(nav.begin(), nav.end());
    EXPECT_EQ(nav, index.lists[s]) << "slot " << s;
    edges += nav.size();
    EXPECT_EQ(std::count(nav.begin(), nav.end(), s), 0) << "slot " << s << " leads to itself";
    for (const std::uint32_t to : nav) EXPECT_TRUE(index.occupied[to]) << "edge to an empty slot";
  }
  EXPECT_EQ(segment.edge_count, edges);
  EXPECT_EQ(index.unreachable(), 0U);
  EXPECT_EQ(index.without_in_edge(), rows.count() > 1 ? 0U : 1U);
}

}  // namespace cairn::build

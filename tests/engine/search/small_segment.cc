#include "tests/engine/search/small_segment.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <set>

namespace cairn::search::testing {
namespace {

void put_element(DType dtype, std::byte* row, std::uint32_t i, float value) {
  if (dtype == DType::f32) {
    std::memcpy(row + i * sizeof value, &value, sizeof value);
    return;
  }
  const float low = dtype == DType::u8 ? 0.0f : -128.0f;
  const float clamped = std::clamp(std::round(value), low, low + 255);
  row[i] = static_cast<std::byte>(static_cast<int>(clamped));
}

float element(DType dtype, const std::byte* row, std::uint32_t i) {
  if (dtype == DType::u8) return static_cast<float>(std::to_integer<std::uint8_t>(row[i]));
  if (dtype == DType::i8)
    return static_cast<float>(static_cast<std::int8_t>(std::to_integer<std::uint8_t>(row[i])));
  float value;
  std::memcpy(&value, row + i * sizeof value, sizeof value);
  return value;
}

}  // namespace

VectorView Vectors::row(std::uint32_t i) const {
  return {bytes.data() + std::size_t{i} * dim * dtype_bytes(dtype), dim, dtype};
}

std::vector<float> Vectors::floats(Metric metric) const {
  std::vector<float> out(std::size_t{count} * dim);
  for (std::uint32_t i = 0; i < count; ++i) {
    const VectorView view = row(i);
    const float scale = metric == Metric::cosine ? math::inverse_norm(view) : 1.0f;
    for (std::uint32_t j = 0; j < dim; ++j)
      out[std::size_t{i} * dim + j] =
          scale * element(dtype, static_cast<const std::byte*>(view.data), j);
  }
  return out;
}

Vectors random_vectors(DType dtype, std::uint32_t dim, std::uint32_t count, std::uint32_t clusters,
                       std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> noise;
  std::uniform_real_distribution<float> spread(-60, 60);
  std::vector<float> centres(std::size_t{clusters} * dim);
  for (float& x : centres) x = spread(random);
  const std::size_t row_bytes = dim * dtype_bytes(dtype);
  Vectors vectors{dtype, dim, count, std::vector<std::byte>(count * row_bytes)};
  const float middle = dtype == DType::u8 ? 128.0f : 0.0f;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t centre = clusters == 0 ? 0 : random() % clusters * dim;
    for (std::uint32_t j = 0; j < dim; ++j) {
      const float base = clusters == 0 ? 0.0f : centres[centre + j];
      put_element(dtype, vectors.bytes.data() + i * row_bytes, j,
                  middle + base + 20 * noise(random));
    }
  }
  return vectors;
}

Graph brute_force_graph(const Vectors& vectors, std::uint32_t near, std::uint32_t far,
                        std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const math::PairKernel l2 = math::l2_kernel(vectors.dtype);
  Graph graph(vectors.count);
  std::vector<std::pair<float, std::uint32_t>> all(vectors.count);
  for (std::uint32_t i = 0; i < vectors.count; ++i) {
    for (std::uint32_t j = 0; j < vectors.count; ++j)
      all[j] = {j == i ? INFINITY : l2(vectors.row(i).data, vectors.row(j).data, vectors.dim), j};
    const std::size_t kept = std::min<std::size_t>(near, all.size() - 1);
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end());
    for (std::size_t e = 0; e < kept; ++e) graph[i].push_back(all[e].second);
    for (std::uint32_t e = 0; e < far; ++e)
      graph[i].push_back(static_cast<std::uint32_t>(random() % vectors.count));
    graph[i].push_back((i + 1) % vectors.count);
  }
  return graph;
}

SmallSegment::SmallSegment(Vectors vectors, const Graph& graph, const SegmentOptions& options)
    : vectors_(std::move(vectors)), options_(options) {
  assign_slots();
  encode_codes();
  write_blocks(graph);
  write_nav(graph);
  choose_entries();
}

void SmallSegment::assign_slots() {
  for (std::uint32_t i = 0, slot = 0; i < vectors_.count; ++i, ++slot) {
    if (options_.hole_every != 0 && slot % options_.hole_every == options_.hole_every - 1) ++slot;
    slots_.push_back(slot);
  }
  const std::uint32_t per_block = options_.slots_per_block;
  slot_count_ = (slots_.back() / per_block + 1) * per_block;
}

void SmallSegment::encode_codes() {
  const std::uint32_t dim = vectors_.dim;
  const std::vector<float> rows = vectors_.floats(options_.metric);
  const std::size_t sampled = std::min<std::size_t>(vectors_.count, 4096) * dim;
  if (options_.codebook == nullptr) {
    book_ = math::pq_train(std::span(rows).first(sampled), {dim, options_.m}, {.iterations = 4});
    options_.codebook = &book_;
  }
  const math::Codebook& book = *options_.codebook;
  std::vector<std::uint8_t> codes(std::size_t{vectors_.count} * book.shape.m);
  math::pq_encode(book, rows, codes);
  const auto place = [&](std::span<const std::uint8_t> dense, std::size_t m) {
    std::vector<std::uint8_t> by_slot(slot_count_ * m);
    for (std::uint32_t i = 0; i < vectors_.count; ++i)
      std::copy_n(dense.data() + i * m, m, by_slot.data() + slots_[i] * m);
    return by_slot;
  };
  codes_ = place(codes, book.shape.m);
  if (options_.refine_m == 0) return;
  std::vector<float> residual = rows, decoded(rows.size());
  const auto leave_over = [&](const math::Codebook& of, std::span<const std::uint8_t> coded) {
    math::pq_decode(of, coded, decoded);
    for (std::size_t i = 0; i < rows.size(); ++i) residual[i] -= decoded[i];
  };
  leave_over(book, codes);
  std::vector<std::uint32_t> layers{options_.refine_m};
  layers.insert(layers.end(), options_.more_refine_m.begin(), options_.more_refine_m.end());
  layer_books_.reserve(layers.size());
  refine_book_.add(book);
  refine_codes_.push_back(codes_.data());
  for (const std::uint32_t m : layers) {
    const auto& layer = layer_books_.emplace_back(math::pq_train(
        std::span<const float>(residual).first(sampled), {dim, m}, {.iterations = 4}));
    std::vector<std::uint8_t> refined(std::size_t{vectors_.count} * m);
    math::pq_encode(layer, residual, refined);
    leave_over(layer, refined);
    refine_book_.add(layer);
    refine_codes_.push_back(layer_codes_.emplace_back(place(refined, m)).data());
  }
}

void SmallSegment::write_blocks(const Graph& graph) {
  shape_.slots = options_.slots_per_block;
  shape_.row_bytes = static_cast<std::uint32_t>(vectors_.row(0).bytes());
  shape_.has_norms = options_.metric == Metric::cosine;
  std::size_t degree = 0;
  for (const auto& edges : graph) degree = std::max(degree, edges.size());
  const std::size_t needed = shape_.adjacency_at() + shape_.slots * (degree + 1) * 5;
  shape_.block_bytes = static_cast<std::uint32_t>((needed + 4095) / 4096 * 4096);
  pages_.resize(std::size_t{block_count()} * shape_.block_bytes);
  std::uint32_t i = 0;
  for (std::uint32_t block = 0; block < block_count(); ++block) {
    const std::uint32_t first = block * shape_.slots;
    layout::BlockWriter writer(shape_, mutable_page(first), first);
    for (; i < vectors_.count && slots_[i] < first + shape_.slots; ++i) {
      std::vector<std::uint32_t> targets;
      for (const std::uint32_t target : graph[i])
        if (target != i) targets.push_back(slots_[target]);
      std::sort(targets.begin(), targets.end());
      targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
      const VectorView row = vectors_.row(i);
      writer.put(slots_[i] - first, row.data, label_of(i), math::inverse_norm(row), targets);
    }
    writer.finish();
  }
}

void SmallSegment::write_nav(const Graph& graph) {
  nav_bits_ = layout::nav_bits(slot_count_);
  std::size_t degree = 0;
  for (const auto& edges : graph) degree = std::max(degree, edges.size());
  nav_complete_ = std::size_t{options_.nav_slices} * layout::kNavEdgesPerSlice >= degree;
  for (std::uint32_t s = 0; s < options_.nav_slices; ++s) {
    std::vector<std::byte> slice(std::size_t{slot_count_} * nav_bits_ + layout::kNavPadBytes);
    for (std::uint32_t slot = 0; slot < slot_count_; ++slot)
      layout::nav_encode({}, nav_bits_, std::span(slice).subspan(slot * nav_bits_, nav_bits_));
    for (std::uint32_t i = 0; i < vectors_.count; ++i) {
      std::vector<std::uint32_t> edges;
      const std::size_t begin = s * layout::kNavEdgesPerSlice;
      for (std::size_t e = begin; e < begin + layout::kNavEdgesPerSlice && e < graph[i].size(); ++e)
        edges.push_back(slots_[graph[i][e]]);
      layout::nav_encode(edges, nav_bits_,
                         std::span(slice).subspan(std::size_t{slots_[i]} * nav_bits_, nav_bits_));
    }
    nav_.push_back(std::move(slice));
  }
  for (const auto& slice : nav_) nav_pointers_.push_back(slice.data());
}

void SmallSegment::choose_entries() {
  std::mt19937_64 random(options_.seed);
  const auto any = [&] { return static_cast<std::uint32_t>(random() % slots_.size()); };
  std::vector<std::uint32_t> heads(options_.entry_lists);
  for (std::uint32_t& head : heads) head = any();
  std::vector<std::vector<std::uint32_t>> lists(heads.size());
  const math::PairKernel l2 = math::l2_kernel(vectors_.dtype);
  for (std::size_t i = 0; i < heads.size() * options_.entry_samples; ++i) {
    const std::uint32_t sample = any();
    const auto distance = [&](std::uint32_t head) {
      return l2(vectors_.row(head).data, vectors_.row(sample).data, vectors_.dim);
    };
    std::size_t list = i % lists.size();
    if (options_.entries_by_distance)
      for (std::size_t h = 0; h < heads.size(); ++h)
        if (distance(heads[h]) < distance(heads[list])) list = h;
    lists[list].push_back(slots_[sample]);
  }
  entries_.begins.push_back(0);
  for (std::size_t i = 0; i < lists.size(); ++i) {
    entries_.heads.push_back(slots_[heads[i]]);
    entries_.slots.insert(entries_.slots.end(), lists[i].begin(), lists[i].end());
    entries_.begins.push_back(static_cast<std::uint32_t>(entries_.slots.size()));
  }
}

Segment SmallSegment::view() const {
  Segment segment;
  segment.slot_count = slot_count_;
  segment.vector_count = vectors_.count;
  segment.shape = shape_;
  segment.codebook = options_.codebook;
  segment.codes = codes_.data();
  if (options_.refine_m != 0) {
    segment.refine_codebook = &refine_book_;
    segment.refine_codes = refine_codes_;
  }
  segment.nav_bits = nav_bits_;
  segment.nav = nav_pointers_;
  segment.nav_complete = nav_complete_;
  segment.entries = &entries_;
  return segment;
}

std::span<const std::byte> SmallSegment::page(std::uint32_t first_slot) const {
  const std::size_t block = first_slot / shape_.slots;
  return std::span(pages_).subspan(block * shape_.block_bytes, shape_.block_bytes);
}

std::span<std::byte> SmallSegment::mutable_page(std::uint32_t first_slot) {
  const std::size_t block = first_slot / shape_.slots;
  return std::span(pages_).subspan(block * shape_.block_bytes, shape_.block_bytes);
}

Result<SearchResult> run(Query& query, const SearchRequest& request,
                         std::span<const SmallSegment* const> owners,
                         std::span<const Segment> segments, const RunOptions& options) {
  std::mt19937_64 random(options.seed);
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<BlockWant> wanted(options.wants_max), outstanding;
  query.start(request, segments);
  for (;;) {
    const std::uint32_t count = query.wants(wanted);
    outstanding.insert(outstanding.end(), wanted.begin(), wanted.begin() + count);
    if (query.done()) return query.take();
    std::size_t at = 0;
    if (options.order == Order::last_in) at = outstanding.size() - 1;
    if (options.order == Order::random) at = random() % outstanding.size();
    const BlockWant block = outstanding[at];
    outstanding.erase(outstanding.begin() + static_cast<std::ptrdiff_t>(at));
    query.count_round();
    CAIRN_TRY(query.absorb(
        block, owners[block.segment]->page(block.first_slot),
        unit(random) >= options.hit_share ? io::BlockSource::disk : io::BlockSource::cache));
  }
}

std::vector<Neighbor> exact_search(const SearchRequest& request, Metric metric,
                                   std::span<const SmallSegment* const> owners) {
  const math::Scorer scorer(metric, request.query);
  std::vector<Neighbor> all;
  for (const SmallSegment* owner : owners) {
    for (std::uint32_t i = 0; i < owner->vectors().count; ++i) {
      const VectorView row = owner->vectors().row(i);
      const Label label = owner->label_of(i);
      if (request.allow && !request.allow(label)) continue;
      const float inverse_norm = metric == Metric::cosine ? math::inverse_norm(row) : 1.0f;
      all.push_back({label, scorer(row.data, inverse_norm)});
    }
  }
  const std::size_t sorted = std::min(all.size(), std::size_t{request.k} * owners.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(sorted), all.end(),
                    [](const Neighbor& a, const Neighbor& b) {
                      return a.distance != b.distance ? a.distance < b.distance : a.label < b.label;
                    });
  std::set<Label> seen;
  std::vector<Neighbor> best;
  for (std::size_t i = 0; i < sorted && best.size() < request.k; ++i)
    if (seen.insert(all[i].label).second) best.push_back(all[i]);
  return best;
}

}  // namespace cairn::search::testing

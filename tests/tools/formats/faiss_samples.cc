#include "tests/tools/formats/faiss_samples.h"

#include <numeric>

namespace cairn::formats {

FaissSample& FaissSample::name(std::string_view text) {
  sample_.text(text);
  return *this;
}

FaissSample& FaissSample::header(std::uint32_t dim, std::uint64_t count, std::uint32_t metric,
                                 bool trained) {
  u32(dim).count(count).u64(1 << 20).u64(1 << 20).u8(trained ? 1 : 0);
  return free_u8(metric).u8(0).u8(0).u8(0);
}

FaissSample& FaissSample::u8(unsigned value) {
  sample_.u8(value);
  return *this;
}
FaissSample& FaissSample::u32(std::uint32_t value) {
  sample_.u32(value);
  return *this;
}
FaissSample& FaissSample::u64(std::uint64_t value) {
  sample_.u64(value);
  return *this;
}
FaissSample& FaissSample::f32(float value) {
  sample_.f32(value);
  return *this;
}

FaissSample& FaissSample::count(std::uint64_t value) {
  counts_.push_back(bytes().size());
  return u64(value);
}

FaissSample& FaissSample::free(const Bytes& bytes) {
  const std::size_t first = this->bytes().size();
  if (!bytes.empty()) free_.emplace_back(first, first + bytes.size());
  sample_.append(bytes);
  return *this;
}

FaissSample& FaissSample::floats(const Floats& values) {
  return count(values.size()).free(bytes_of_floats(values));
}

FaissSample& FaissSample::bytes_of(const Bytes& values) {
  return count(values.size()).free(values);
}

FaissSample& FaissSample::longs(const std::vector<std::int64_t>& values) {
  Sample raw;
  for (const std::int64_t value : values) raw.u64(static_cast<std::uint64_t>(value));
  return count(values.size()).free(raw.bytes());
}

FaissSample& FaissSample::ints(const Ints& values) {
  count(values.size());
  for (const std::int32_t value : values) u32(static_cast<std::uint32_t>(value));
  return *this;
}

FaissSample& FaissSample::sizes(const std::vector<std::uint64_t>& values) {
  count(values.size());
  for (const std::uint64_t value : values) count(value);
  return *this;
}

FaissSample& FaissSample::append(const FaissSample& other) {
  const std::size_t at = bytes().size();
  for (const std::size_t offset : other.counts_) counts_.push_back(at + offset);
  for (const auto& [first, last] : other.free_) free_.emplace_back(at + first, at + last);
  sample_.append(other.bytes());
  return *this;
}

std::vector<std::pair<std::size_t, std::size_t>> FaissSample::structure() const {
  std::vector<std::pair<std::size_t, std::size_t>> parts;
  std::size_t at = 0;
  for (const auto& [first, last] : free_) {
    if (first > at) parts.emplace_back(at, first);
    at = last;
  }
  if (at < bytes().size()) parts.emplace_back(at, bytes().size());
  return parts;
}

Floats ramp(std::size_t count, float start) {
  Floats values(count);
  std::iota(values.begin(), values.end(), start);
  return values;
}

Bytes bytes_of_floats(const Floats& values) {
  Sample raw;
  for (const float value : values) raw.f32(value);
  return raw.bytes();
}

FaissSample faiss_flat(std::string_view kind, std::uint32_t dim, const Floats& rows,
                       std::uint32_t metric) {
  return FaissSample{}.name(kind).header(dim, rows.size() / dim, metric).floats(rows);
}

FaissSample faiss_hnsw(std::string_view kind, std::uint32_t dim, const FaissGraph& graph,
                       const FaissSample& storage, std::uint32_t metric) {
  FaissSample sample;
  sample.name(kind).header(dim, graph.levels.size(), metric);
  sample.count(2).free(Sample{}.f64(0.75).f64(0.25).bytes());
  sample.ints(graph.ends).ints(graph.levels).sizes(graph.offsets).count(graph.links.size());
  Sample links;
  for (const std::int32_t link : graph.links) links.u32(static_cast<std::uint32_t>(link));
  sample.free(links.bytes());
  return sample.u32(graph.entry).u32(1).u32(40).u32(16).u32(1).append(storage);
}

FaissSample faiss_scalar(std::uint32_t type, std::uint32_t dim, std::uint64_t code_bytes,
                         const Floats& trained) {
  return FaissSample{}.u32(type).u32(0).f32(0).count(dim).count(code_bytes).floats(trained);
}

FaissSample faiss_sq(std::uint32_t dim, std::uint64_t count, const FaissSample& scalar,
                     const Bytes& codes) {
  return FaissSample{}.name("IxSQ").header(dim, count).append(scalar).bytes_of(codes);
}

FaissSample faiss_product(std::uint32_t dim, std::uint64_t parts, std::uint64_t bits,
                          const Floats& centroids) {
  return FaissSample{}.count(dim).count(parts).count(bits).floats(centroids);
}

FaissSample faiss_pq(std::string_view kind, std::uint32_t dim, std::uint64_t count,
                     const FaissSample& product, const Bytes& codes, std::uint32_t metric) {
  FaissSample sample;
  sample.name(kind).header(dim, count, metric).append(product).bytes_of(codes);
  if (kind == "IxPq") sample.u32(0).u8(0).u32(8);
  return sample;
}

FaissSample faiss_lists(const std::vector<FaissList>& lists, std::uint64_t code_bytes,
                        bool sparse) {
  FaissSample sample;
  sample.name("ilar").count(lists.size()).count(code_bytes).name(sparse ? "sprs" : "full");
  std::vector<std::uint64_t> sizes;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (sparse && lists[i].ids.empty()) continue;
    if (sparse) sizes.push_back(i);
    sizes.push_back(lists[i].ids.size());
  }
  sample.sizes(sizes);
  for (const FaissList& list : lists) {
    Sample ids;
    for (const std::int64_t id : list.ids) ids.u64(static_cast<std::uint64_t>(id));
    sample.free(list.codes).free(ids.bytes());
  }
  return sample;
}

FaissSample faiss_ivf(std::string_view kind, std::uint32_t dim, std::uint64_t count,
                      std::uint64_t lists, const FaissSample& quantizer, std::uint32_t metric) {
  FaissSample sample;
  sample.name(kind).header(dim, count, metric).count(lists).count(1).append(quantizer);
  return sample.u8(0).longs({});
}

FaissSample faiss_id_map(std::string_view kind, std::uint32_t dim, const FaissSample& inner,
                         const std::vector<std::int64_t>& ids, std::uint32_t metric) {
  return FaissSample{}.name(kind).header(dim, ids.size(), metric).append(inner).longs(ids);
}

FaissSample faiss_linear(std::string_view kind, std::uint32_t dim_in, std::uint32_t dim_out,
                         const Floats& matrix, const Floats& bias) {
  FaissSample sample;
  sample.name(kind);
  if (kind == "Pcam")
    sample.f32(0).f32(0).u8(0).u32(0).floats(Floats(dim_in)).floats({}).floats(Floats(1));
  sample.free_u8(bias.empty() ? 0 : 1).floats(matrix).floats(bias);
  return sample.u32(dim_in).u32(dim_out).u8(1);
}

FaissSample faiss_norm(std::uint32_t dim, float power) {
  return FaissSample{}.name("VNrm").f32(power).u32(dim).u32(dim).u8(1);
}

FaissSample faiss_transformed(std::uint32_t dim, std::uint64_t count,
                              const std::vector<FaissSample>& transforms, const FaissSample& inner,
                              std::uint32_t metric) {
  FaissSample sample;
  sample.name("IxPT").header(dim, count, metric).u32(static_cast<std::uint32_t>(transforms.size()));
  for (const FaissSample& transform : transforms) sample.append(transform);
  return sample.append(inner);
}

}  // namespace cairn::formats

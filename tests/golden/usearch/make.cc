// Beside every FILE.usearch that is named here: FILE.txt, what usearch itself finds in it, a line
// an element: label, deleted, level, links of level 0, vector as f32, i8 or u8 in hexadecimal.
// Writes wide.usearch, narrow.usearch and bare.usearch itself. See README.md.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

// What is looked at has no public door.
#define private public
#define protected public
#include <usearch/index_dense.hpp>

using namespace unum::usearch;

void write_hex(std::ostream& out, const void* data, std::size_t bytes) {
  char hex[3];
  for (std::size_t i = 0; i < bytes; ++i)
    std::snprintf(hex, sizeof hex, "%02x", static_cast<const unsigned char*>(data)[i]), out << hex;
}

template <class Index>
void describe(const std::string& name, index_dense_serialization_config_t config = {}) {
  Index index;
  const auto path = name + ".usearch";
  if (!index.load(input_file_t(path.c_str()), config)) std::cerr << "no " << path << '\n';
  const scalar_kind_t kind = index.scalar_kind();
  const bool whole = kind == scalar_kind_t::i8_k || kind == scalar_kind_t::u8_k;
  std::ofstream out(name + ".txt");
  const auto& graph = *index.typed_;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    auto node = graph.node_at_(i);
    const auto key = static_cast<std::uint64_t>(node.ckey());
    out << key << ' ' << (node.ckey() == index.free_key()) << ' ' << node.level() << " (";
    const auto links = graph.neighbors_base_(node);
    for (std::size_t n = 0; n < links.size(); ++n) out << ' ' << static_cast<std::size_t>(links[n]);
    out << " ) ";
    const auto* vector = index.vectors_lookup_[i];
    float decoded[16];
    const auto floats = index.casts_.to.f32;
    if (!whole && floats(vector, index.dimensions(), reinterpret_cast<byte_t*>(decoded)))
      write_hex(out, decoded, 4 * index.dimensions());
    else
      write_hex(out, vector, index.bytes_per_vector());
    out << '\n';
  }
}

/// Bytes that nothing has scaled, in files of a kind that no binding writes.
template <class Index>
void write(const char* name, index_dense_serialization_config_t config = {}) {
  const metric_punned_t metric(7, metric_kind_t::l2sq_k, scalar_kind_t::i8_k);
  auto index = std::move(Index::make(metric, index_dense_config_t(3)).index);
  index.try_reserve(30);
  for (std::uint32_t i = 0; i < 30; ++i) {
    std::int8_t row[7];
    for (unsigned d = 0; d < 7; ++d) row[d] = static_cast<std::int8_t>(i * i * 37 + 91 * d * i);
    index.add(i ^ 5, row);
  }
  index.remove(12);
  index.save(output_file_t((std::string(name) + ".usearch").c_str()), config);
  if (!config.exclude_vectors) describe<Index>(name, config);
}

int main() {
  for (const char* name : {"cos", "ip", "l2", "f16", "bf16", "f64", "i8", "u8", "removed", "again",
                           "multi", "one", "empty"})
    describe<index_dense_t>(name);
  index_dense_serialization_config_t wide, bare;
  wide.use_64_bit_dimensions = true;
  bare.exclude_vectors = true;
  write<index_dense_gt<std::uint64_t, uint40_t>>("wide", wide);
  write<index_dense_gt<std::uint32_t, std::uint32_t>>("narrow");
  write<index_dense_t>("bare", bare);
}

// Writes u8.hnsw, and beside every FILE.hnsw that is named with its type and dimension FILE.txt:
// what hnswlib itself finds in it, a line an element: label, deleted, level, links of level 0,
// vector in hexadecimal. See README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include <hnswlib/hnswlib.h>

template <class Distance>
void describe(const std::string& name, hnswlib::SpaceInterface<Distance>& space) {
  hnswlib::HierarchicalNSW<Distance> index(&space, name + ".hnsw");
  std::ofstream out(name + ".txt");
  for (hnswlib::tableint i = 0; i < index.cur_element_count; ++i) {
    out << index.getExternalLabel(i) << ' ' << index.isMarkedDeleted(i) << ' '
        << index.element_levels_[i] << " (";
    const auto* list = index.get_linklist0(i);
    const auto* links = reinterpret_cast<const hnswlib::tableint*>(list + 1);
    for (int n = 0; n < index.getListCount(const_cast<hnswlib::linklistsizeint*>(list)); ++n)
      out << ' ' << links[n];
    out << " ) ";
    const auto* vector = reinterpret_cast<const unsigned char*>(index.getDataByInternalId(i));
    char hex[3];
    for (std::size_t byte = 0; byte < space.get_data_size(); ++byte)
      std::snprintf(hex, sizeof hex, "%02x", vector[byte]), out << hex;
    out << '\n';
  }
}

int main() {
  hnswlib::L2SpaceI bytes(8);
  hnswlib::HierarchicalNSW<int> index(&bytes, 40, 3, 40);
  for (unsigned i = 0; i < 40; ++i) {
    unsigned char row[8];
    for (unsigned d = 0; d < 8; ++d) row[d] = static_cast<unsigned char>(i * i * 37 + d * (i + 91));
    index.addPoint(row, i ^ 5);
  }
  index.markDelete(7);
  index.saveIndex("u8.hnsw");
  describe("u8", bytes);
  hnswlib::L2Space l2(5), l2_3(3), l2_2(2);
  hnswlib::InnerProductSpace ip(3), cosine(4);
  describe("l2", l2);
  describe("ip", ip);
  describe("cosine", cosine);
  describe("deleted", l2_2);
  describe("one", l2_3);
  describe("empty", l2_3);
}

// Index files written by the libraries themselves, and what these find in them.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::tools {

struct Rows {
  std::uint32_t dim = 0;
  std::vector<float> values;  // row-major

  std::size_t count() const { return values.size() / dim; }
  const float* row(std::size_t i) const { return values.data() + i * dim; }
};

/// Labels of each query, at most k, nearest first.
using Found = std::vector<std::vector<Label>>;

struct Sample {
  Rows rows;
  std::vector<Label> labels;
  Metric metric = Metric::l2;
  std::vector<Label> deleted = {};  // hnswlib only
  Rows queries = {};
  std::uint32_t k = 10, effort = 20;  // of the library's searches
};

/// Whether this was built with hnswlib and FAISS; the others may be called only then.
bool have_libraries();

/// M 8. Under cosine rows and queries are scaled first, as the Python package does it.
Found write_hnswlib(const std::string& path, const Sample& sample);
/// Of hnswlib's space of bytes; the values are whole and 0..255.
Found write_hnswlib_u8(const std::string& path, const Sample& sample);
/// Of index_factory(). Labels are kept where the factory has an id map or lists, and are else the
/// numbers of the rows.
Found write_faiss(const std::string& path, const std::string& factory, const Sample& sample);
/// A graph of FAISS in which a link above level 0 leads to an element of level 0 alone.
void write_faiss_with_bad_link(const std::string& path, const Sample& sample);

}  // namespace cairn::tools

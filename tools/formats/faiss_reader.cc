#include "tools/formats/faiss_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tools/formats/faiss_index.h"

namespace cairn::formats {
namespace {

class FaissReader final : public IndexReader {
 public:
  explicit FaissReader(faiss::Index index) : index_(std::move(index)) {
    facts_.kind = "FAISS " + index_.name;
    facts_.dim = index_.header.dim;
    facts_.metric = index_.metric;
    facts_.elements = index_.elements;
    facts_.labelled = index_.labels != nullptr;
    facts_.decoded_from = index_.decoded_from;
    if (index_.graph) facts_.links_max = index_.graph->links_max();
  }

  Status read(std::uint64_t first, std::span<std::byte> vectors, std::span<Label> labels) override {
    if (!labels.empty()) CAIRN_TRY(index_.labels->read(first, labels));
    const std::size_t at_once = std::max<std::size_t>(1, kAtOnceBytes / facts_.row_bytes());
    while (!vectors.empty()) {
      const std::size_t count = std::min(at_once, vectors.size() / facts_.row_bytes());
      decoded_.resize(count * facts_.dim);
      CAIRN_TRY(index_.rows->read(first, decoded_));
      std::memcpy(vectors.data(), decoded_.data(), count * facts_.row_bytes());
      vectors = vectors.subspan(count * facts_.row_bytes());
      first += count;
    }
    return {};
  }

  Status read_links(std::uint64_t first, std::span<std::uint32_t> links) override {
    return index_.graph->read(first, links);
  }

  bool deleted(std::uint64_t) const override { return false; }
  bool upper(std::uint64_t element) const override {
    return index_.graph && index_.graph->upper(element);
  }

 private:
  static constexpr std::size_t kAtOnceBytes = std::size_t{256} << 10;

  faiss::Index index_;
  std::vector<float> decoded_;  // bytes of a caller need not be aligned
};

}  // namespace

Result<std::unique_ptr<IndexReader>> open_faiss(const OpenSource& open, const std::string& name) {
  CAIRN_ASSIGN(const faiss::File file, faiss::File::open(open, name));
  CAIRN_ASSIGN(faiss::Cursor in, faiss::Cursor::start(file));
  CAIRN_ASSIGN(faiss::Index index, faiss::take_index(in, 0));
  if (in.position() != file.bytes())
    return file.corrupt("read the end of", std::to_string(file.bytes()) + " bytes",
                        std::to_string(in.position()) + ", where its index ends");
  return std::unique_ptr<IndexReader>{std::make_unique<FaissReader>(std::move(index))};
}

}  // namespace cairn::formats

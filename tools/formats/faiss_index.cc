#include "tools/formats/faiss_index.h"

#include <utility>

#include "tools/formats/faiss_id_map.h"
#include "tools/formats/faiss_lists.h"
#include "tools/formats/faiss_transform.h"

namespace cairn::formats::faiss {
namespace {

constexpr int kDepthMax = 8;
constexpr const char* kWhat = "read an index of";
constexpr const char* kSupported =
    "one of IxF2 IxFI IxFl (flat), IxSQ, IxPQ IxPq, IHNf IHNs IHNp (HNSW), IwFl IwSQ IwSq IwPQ "
    "(IVF), IxMp IxM2 (id map), IxPT (transforms)";

std::string count_of(std::uint64_t count, const char* noun) {
  return std::to_string(count) + " " + noun;
}

Result<Metric> take_metric(Cursor& in) {
  CAIRN_ASSIGN(const auto metric, in.take<std::int32_t>());
  if (metric == 0) return Metric::ip;
  if (metric == 1) return Metric::l2;
  const char* name = metric == 2 ? " (L1)" : metric == 3 ? " (Linf)" : metric == 4 ? " (Lp)" : "";
  return in.file().unsupported("read the metric of", "metric " + std::to_string(metric) + name,
                               "0 (inner product) or 1 (L2)");
}

Result<Header> take_header(Cursor& in) {
  Header header;
  CAIRN_ASSIGN(const auto dim, in.take<std::int32_t>());
  CAIRN_ASSIGN(const auto count, in.take<std::int64_t>());
  CAIRN_TRY(in.skip(2, sizeof(std::int64_t), "what nobody uses"));
  CAIRN_ASSIGN(const auto trained, in.take<std::uint8_t>());
  CAIRN_ASSIGN(header.metric, take_metric(in));
  if (dim < 1 || dim > static_cast<std::int64_t>(kDimMax))
    return fail({.code = dim < 1 ? ErrorCode::corrupt : ErrorCode::over_limit,
                 .what = "read the header of",
                 .file = in.file().name(),
                 .found = "dimension " + std::to_string(dim),
                 .expected = "1 to " + std::to_string(kDimMax)});
  if (count < 0 || count > static_cast<std::int64_t>(kElementsMax))
    return fail({.code = count < 0 ? ErrorCode::corrupt : ErrorCode::over_limit,
                 .what = "read the header of",
                 .file = in.file().name(),
                 .found = std::to_string(count) + " vectors",
                 .expected = "0 to " + std::to_string(kElementsMax)});
  header.dim = static_cast<std::uint32_t>(dim);
  header.count = static_cast<std::uint64_t>(count);
  header.trained = trained != 0;
  return header;
}

/// Codebooks and lists of an index that was never trained are not there.
Status check_trained(Cursor& in, const Header& header) {
  if (header.trained) return {};
  return in.file().unsupported(kWhat, "one that was not trained", "a trained index");
}

/// An index that keeps a code an element, one after the other. `codes`: their bytes together.
Result<Index> index_of_codes(Cursor& in, Index index, Region codes, std::uint64_t item_bytes,
                             std::unique_ptr<Codec> codec) {
  const std::uint64_t wanted = index.header.count * codec->code_bytes();
  if (codes.count * item_bytes != wanted)
    return in.file().corrupt(
        "read the vectors of", count_of(codes.count * item_bytes, "bytes"),
        count_of(index.header.count, "vectors of ") + count_of(codec->code_bytes(), "bytes"));
  index.elements = index.header.count;
  index.decoded_from = codec->decoded_from();
  CAIRN_ASSIGN(index.rows, rows_of_codes(in.file(), codes, std::move(codec), index.header.dim));
  return index;
}

Result<Index> take_flat(Cursor& in, Index index) {
  const bool agrees = index.kind == fourcc("IxFl") ||
                      (index.kind == fourcc("IxF2")) == (index.header.metric == Metric::l2);
  if (!agrees)
    return in.file().corrupt(
        "read the metric of",
        std::string(metric_name(index.header.metric)) + " in " + shown(index.kind),
        "l2 in 'IxF2', ip in 'IxFI'");
  CAIRN_ASSIGN(const Region numbers, in.skip_vector(sizeof(float), "the vectors"));
  const std::uint32_t dim = index.header.dim;
  return index_of_codes(in, std::move(index), numbers, sizeof(float), plain_codec(dim));
}

Result<Index> take_scalar(Cursor& in, Index index) {
  CAIRN_TRY(check_trained(in, index.header));
  CAIRN_ASSIGN(auto codec, take_scalar_codec(in, index.header.dim));
  CAIRN_ASSIGN(const Region codes, in.skip_vector(1, "the codes"));
  return index_of_codes(in, std::move(index), codes, 1, std::move(codec));
}

Result<Index> take_product(Cursor& in, Index index) {
  CAIRN_TRY(check_trained(in, index.header));
  CAIRN_ASSIGN(auto codec, take_product_codec(in, index.header.dim));
  CAIRN_ASSIGN(const Region codes, in.skip_vector(1, "the codes"));
  if (index.kind == fourcc("IxPq")) {
    constexpr std::uint64_t kTypeSignsThresholdBytes = 4 + 1 + 4;
    CAIRN_TRY(in.skip(1, kTypeSignsThresholdBytes, "what product codes are searched with"));
  } else {
    index.metric = Metric::l2;  // the old kind says inner product and means L2
  }
  return index_of_codes(in, std::move(index), codes, 1, std::move(codec));
}

/// How the kinds of wrapper disagree with what they wrap.
Status check_inner(Cursor& in, const Index& outer, const Index& inner, std::uint32_t dim) {
  const bool same = outer.header.count == inner.header.count && inner.header.dim == dim &&
                    outer.header.metric == inner.header.metric;
  if (same) return {};
  const auto told = [](std::uint64_t count, std::uint32_t numbers, Metric metric) {
    return count_of(count, "vectors of dimension ") + std::to_string(numbers) + " under " +
           std::string(metric_name(metric));
  };
  return in.file().corrupt("read the index inside " + shown(outer.kind) + " of",
                           told(inner.header.count, inner.header.dim, inner.header.metric),
                           told(outer.header.count, dim, outer.header.metric));
}

Result<Index> take_hnsw(Cursor& in, Index index, int depth) {
  CAIRN_ASSIGN(index.graph, Graph::take(in, index.header.count));
  CAIRN_ASSIGN(Index storage, take_index(in, depth + 1));
  const FourCC kind = storage.kind;
  const bool flat = kind == fourcc("IxF2") || kind == fourcc("IxFI") || kind == fourcc("IxFl");
  const bool fits = index.kind == fourcc("IHNf") ? flat
                    : index.kind == fourcc("IHNs")
                        ? kind == fourcc("IxSQ")
                        : kind == fourcc("IxPq") || kind == fourcc("IxPQ");
  if (!fits)
    return in.file().unsupported("read the vectors of " + shown(index.kind) + " in", shown(kind),
                                 "flat ones in IHNf, IxSQ in IHNs, IxPQ or IxPq in IHNp");
  CAIRN_TRY(check_inner(in, index, storage, index.header.dim));
  index.name += ", M " + std::to_string(index.graph->links_max() / 2);
  index.elements = storage.elements;
  index.metric = storage.metric;
  index.decoded_from = std::move(storage.decoded_from);
  index.rows = std::move(storage.rows);
  return index;
}

/// What the lists of each kind hold.
struct IvfCodec {
  std::unique_ptr<Codec> codec;
  std::uint64_t code_bytes = 0;
  bool by_residual = false;
};

Result<IvfCodec> take_ivf_codec(Cursor& in, FourCC kind, std::uint32_t dim) {
  IvfCodec ivf;
  if (kind == fourcc("IwFl")) {
    ivf.codec = plain_codec(dim);
    ivf.code_bytes = ivf.codec->code_bytes();
    return ivf;
  }
  std::uint8_t by_residual = 1;
  if (kind == fourcc("IwPQ")) {
    CAIRN_ASSIGN(by_residual, in.take<std::uint8_t>());
    CAIRN_ASSIGN(ivf.code_bytes, in.take<std::uint64_t>());
    CAIRN_ASSIGN(ivf.codec, take_product_codec(in, dim));
  } else {
    CAIRN_ASSIGN(ivf.codec, take_scalar_codec(in, dim));
    CAIRN_ASSIGN(ivf.code_bytes, in.take<std::uint64_t>());
    // The older IwSQ always was.
    if (kind == fourcc("IwSq")) {
      CAIRN_ASSIGN(by_residual, in.take<std::uint8_t>());
    }
  }
  ivf.by_residual = by_residual != 0;
  return ivf;
}

/// From a label to where its vector lies. Nobody asks for that here.
Status skip_direct_map(Cursor& in) {
  enum class MapType : std::uint8_t { none = 0, array = 1, hashtable = 2 };
  CAIRN_ASSIGN(const auto type, in.take<std::uint8_t>());
  if (type > static_cast<std::uint8_t>(MapType::hashtable))
    return in.file().corrupt("read the direct map of", "type " + std::to_string(type), "0 to 2");
  CAIRN_TRY(in.skip_vector(sizeof(std::int64_t), "a direct map"));
  if (type == static_cast<std::uint8_t>(MapType::hashtable))
    CAIRN_TRY(in.skip_vector(2 * sizeof(std::int64_t), "a direct map"));
  return {};
}

Result<Index> take_ivf(Cursor& in, Index index, int depth) {
  CAIRN_TRY(check_trained(in, index.header));
  CAIRN_ASSIGN(const auto lists, in.take<std::uint64_t>());
  CAIRN_TRY(in.skip(1, sizeof(std::uint64_t), "how many lists are searched"));
  CAIRN_ASSIGN(Index quantizer, take_index(in, depth + 1));
  if (quantizer.labels)
    return in.file().unsupported("read the quantizer of", shown(quantizer.kind) + " with ids",
                                 "centroids by their numbers");
  if (quantizer.elements != lists || quantizer.header.dim != index.header.dim)
    return in.file().corrupt("read the quantizer of",
                             count_of(quantizer.elements, "centroids of dimension ") +
                                 std::to_string(quantizer.header.dim),
                             count_of(lists, "of dimension ") + std::to_string(index.header.dim));
  CAIRN_TRY(skip_direct_map(in));
  CAIRN_ASSIGN(IvfCodec ivf, take_ivf_codec(in, index.kind, index.header.dim));
  if (ivf.code_bytes != ivf.codec->code_bytes())
    return in.file().corrupt("read the codes of", "codes of " + count_of(ivf.code_bytes, "bytes"),
                             count_of(ivf.codec->code_bytes(), "bytes"));
  CAIRN_ASSIGN(ListTable lists_here, take_lists(in, {.lists = lists,
                                                     .code_bytes = ivf.codec->code_bytes(),
                                                     .elements_max = index.header.count}));
  const auto table = std::make_shared<const ListTable>(std::move(lists_here));
  index.name += ", " + count_of(lists, "lists");
  index.elements = table->elements;
  index.decoded_from = ivf.codec->decoded_from();
  CAIRN_ASSIGN(index.labels, labels_of_lists(in.file(), table));
  CAIRN_ASSIGN(index.rows, rows_of_lists(in.file(), table, std::move(ivf.codec), index.header.dim,
                                         ivf.by_residual ? std::move(quantizer.rows) : nullptr));
  return index;
}

Result<Index> take_id_map(Cursor& in, Index index, int depth) {
  CAIRN_ASSIGN(Index inner, take_index(in, depth + 1));
  CAIRN_TRY(check_inner(in, index, inner, index.header.dim));
  CAIRN_ASSIGN(const Region ids, in.skip_vector(sizeof(std::int64_t), "the id map"));
  if (ids.count != index.header.count)
    return in.file().corrupt("read the id map of", count_of(ids.count, "ids"),
                             std::to_string(index.header.count));
  CAIRN_ASSIGN(inner.labels,
               labels_of_map(in.file(), ids, std::move(inner.labels), inner.elements));
  inner.kind = index.kind;
  inner.name = index.name + " of " + inner.name;
  return inner;
}

/// Distances between stored vectors are those between the vectors given back, as far as the latter
/// differ at all, since transforms keep lengths. Inner products are theirs only if nothing was
/// added. Scaled to length 1 they order as the cosine does, whatever the lengths of queries: ours
/// is named so that what is added later is scaled too, as FAISS would do.
std::optional<Metric> metric_behind(const Transforms& transforms, std::optional<Metric> stored) {
  if (!stored || *stored == Metric::l2) return stored;
  bool normalised = *stored == Metric::cosine;
  for (const auto& transform : transforms) {
    if (transform->shifts()) return std::nullopt;
    normalised = normalised || transform->normalises();
  }
  return normalised ? Metric::cosine : Metric::ip;
}

/// `codes`: what the vectors behind the transforms were decoded from.
std::string decoded_behind(const Transforms& transforms, std::optional<Metric> metric,
                           const std::string& codes) {
  std::string names;
  for (const auto& transform : transforms) {
    // Under the cosine a vector's length is nothing.
    if (transform->normalises() && metric == Metric::cosine) continue;
    names += (names.empty() ? "" : ", ") + transform->name();
  }
  if (names.empty()) return codes;
  return (codes.empty() ? "transformed vectors" : codes + " of transformed vectors") + " (" +
         names + ")";
}

Result<Index> take_transformed(Cursor& in, Index index, int depth) {
  CAIRN_ASSIGN(Transforms transforms, take_transforms(in, index.header.dim));
  const std::uint32_t dim = transforms.empty() ? index.header.dim : transforms.back()->dim_out();
  CAIRN_ASSIGN(Index inner, take_index(in, depth + 1));
  CAIRN_TRY(check_inner(in, index, inner, dim));
  std::string names;
  for (const auto& transform : transforms) names += (names.empty() ? "" : ", ") + transform->name();
  inner.name = index.name + " (" + names + ") of " + inner.name;
  inner.kind = index.kind;
  inner.header = index.header;
  inner.metric = metric_behind(transforms, inner.metric);
  inner.decoded_from = decoded_behind(transforms, inner.metric, inner.decoded_from);
  inner.rows = rows_transformed_back(std::move(inner.rows), std::move(transforms));
  return inner;
}

tl::unexpected<Error> other_index(const File& file, FourCC kind) {
  if (kind == fourcc("null"))
    return file.unsupported("read the vectors of", "'null': the graph was written without them",
                            "an index with its vectors");
  if ((kind & 0xffff) == (fourcc("IB  ") & 0xffff))
    return file.unsupported(kWhat, shown(kind) + ", a binary index", kSupported);
  return file.unsupported(kWhat, shown(kind), kSupported);
}

const char* class_of(FourCC kind) {
  switch (kind) {
    case fourcc("IxF2"):
    case fourcc("IxFI"):
    case fourcc("IxFl"):
      return "IndexFlat";
    case fourcc("IxSQ"):
      return "IndexScalarQuantizer";
    case fourcc("IxPQ"):
    case fourcc("IxPq"):
      return "IndexPQ";
    case fourcc("IHNf"):
      return "IndexHNSWFlat";
    case fourcc("IHNs"):
      return "IndexHNSWSQ";
    case fourcc("IHNp"):
      return "IndexHNSWPQ";
    case fourcc("IwFl"):
      return "IndexIVFFlat";
    case fourcc("IwSQ"):
    case fourcc("IwSq"):
      return "IndexIVFScalarQuantizer";
    case fourcc("IwPQ"):
      return "IndexIVFPQ";
    case fourcc("IxMp"):
      return "IndexIDMap";
    case fourcc("IxM2"):
      return "IndexIDMap2";
    case fourcc("IxPT"):
      return "IndexPreTransform";
    default:
      return nullptr;
  }
}

/// What follows the header.
Result<Index> take_body(Cursor& in, Index index, int depth) {
  switch (index.kind) {
    case fourcc("IxF2"):
    case fourcc("IxFI"):
    case fourcc("IxFl"):
      return take_flat(in, std::move(index));
    case fourcc("IxSQ"):
      return take_scalar(in, std::move(index));
    case fourcc("IxPQ"):
    case fourcc("IxPq"):
      return take_product(in, std::move(index));
    case fourcc("IHNf"):
    case fourcc("IHNs"):
    case fourcc("IHNp"):
      return take_hnsw(in, std::move(index), depth);
    case fourcc("IxMp"):
    case fourcc("IxM2"):
      return take_id_map(in, std::move(index), depth);
    case fourcc("IxPT"):
      return take_transformed(in, std::move(index), depth);
    default:
      return take_ivf(in, std::move(index), depth);
  }
}

}  // namespace

Result<Index> take_index(Cursor& in, int depth) {
  if (depth >= kDepthMax)
    return in.file().unsupported(kWhat, "indexes inside of each other",
                                 "at most " + std::to_string(kDepthMax));
  Index index;
  CAIRN_ASSIGN(index.kind, in.take<FourCC>());
  const char* name = class_of(index.kind);
  if (name == nullptr) return other_index(in.file(), index.kind);
  CAIRN_ASSIGN(index.header, take_header(in));
  index.name = name;
  index.metric = index.header.metric;
  return take_body(in, std::move(index), depth);
}

}  // namespace cairn::formats::faiss

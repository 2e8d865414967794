#include "engine/math/pq.h"

#include <algorithm>
#include <utility>

namespace cairn::math {
namespace {

// Training begins with one row in so many, if those are enough.
constexpr std::size_t kFirstPart = 4, kFirstRowsMin = 8192;
constexpr std::size_t kRowsAtOnce = 64;  // of the encoder: they stay in L1 over all subspaces

std::size_t width_of(const PqShape& shape, std::uint32_t s) {
  return shape.begin(s + 1) - shape.begin(s);
}

std::vector<CentroidPanel> make_panels(const Codebook& book) {
  std::vector<CentroidPanel> panels(book.shape.m);
  const std::span<const float> all = book.centroids;
  for (std::uint32_t s = 0; s < book.shape.m; ++s) {
    const std::size_t width = width_of(book.shape, s);
    panels[s] = pack_centroids(
        all.subspan(std::size_t{kCentroids} * book.shape.begin(s), kCentroids * width), width);
  }
  return panels;
}

/// The columns of one subspace of every `step`-th row.
std::vector<float> columns_of(std::span<const float> sample, const PqShape& shape, std::uint32_t s,
                              std::size_t step) {
  const std::size_t count = sample.size() / shape.dim, width = width_of(shape, s);
  std::vector<float> columns((count + step - 1) / step * width);
  float* out = columns.data();
  for (std::size_t i = 0; i < count; i += step, out += width)
    std::copy_n(sample.data() + i * shape.dim + shape.begin(s), width, out);
  return columns;
}

/// K-means over the columns of one subspace. The way to the clusters leads through a part of the
/// sample where that is large: the whole is for the last steps.
void train_subspace(std::span<const float> sample, const PqShape& shape, std::uint32_t s,
                    const PqTrainOptions& options, std::span<float> centroids) {
  const auto width = static_cast<std::uint32_t>(width_of(shape, s));
  KmeansOptions kmeans_options{.k = kCentroids,
                               .iterations = options.iterations,
                               .seed = Rng(options.seed ^ (std::uint64_t{s} << 32)).next(),
                               .start = {},
                               .parallel = {}};
  std::vector<float> trained;
  if (sample.size() / shape.dim >= kFirstPart * kFirstRowsMin) {
    kmeans_options.iterations = options.iterations - options.iterations / 3;
    trained = kmeans(columns_of(sample, shape, s, kFirstPart), width, kmeans_options);
    kmeans_options.iterations = options.iterations / 3;
    kmeans_options.start = trained;
  }
  trained = kmeans(columns_of(sample, shape, s, 1), width, kmeans_options);
  std::copy(trained.begin(), trained.end(),
            centroids.data() + std::size_t{kCentroids} * shape.begin(s));
}

}  // namespace

std::size_t Codebook::bytes() const {
  std::size_t total = centroids.capacity() * sizeof(float);
  for (const CentroidPanel& panel : panels)
    total +=
        sizeof panel + (panel.columns.capacity() + panel.half_norms.capacity()) * sizeof(float);
  return total;
}

void pq_prepare(Codebook& book) { book.panels = make_panels(book); }

Codebook pq_train(std::span<const float> sample, PqShape shape, const PqTrainOptions& options) {
  Codebook book{.shape = shape,
                .centroids = std::vector<float>(std::size_t{kCentroids} * shape.dim)};
  const auto body = [&](std::size_t s) {
    train_subspace(sample, shape, static_cast<std::uint32_t>(s), options, book.centroids);
  };
  if (options.parallel)
    options.parallel(shape.m, body);
  else
    for (std::size_t s = 0; s < shape.m; ++s) body(s);
  pq_prepare(book);
  return book;
}

void pq_encode(const Codebook& book, std::span<const float> rows, std::span<std::uint8_t> codes) {
  std::vector<CentroidPanel> made;
  if (book.panels.empty()) made = make_panels(book);
  const auto& panels = book.panels.empty() ? made : book.panels;
  const std::size_t dim = book.shape.dim, m = book.shape.m, count = rows.size() / dim;
  std::uint32_t index[kRowsAtOnce];
  for (std::size_t first = 0; first < count; first += kRowsAtOnce) {
    const std::size_t batch = std::min(kRowsAtOnce, count - first);
    for (std::uint32_t s = 0; s < m; ++s) {
      nearest(panels[s], rows.data() + first * dim + book.shape.begin(s), dim, batch, index);
      for (std::size_t i = 0; i < batch; ++i)
        codes[(first + i) * m + s] = static_cast<std::uint8_t>(index[i]);
    }
  }
}

void pq_decode(const Codebook& book, std::span<const std::uint8_t> codes, std::span<float> rows) {
  const PqShape& shape = book.shape;
  const std::size_t count = codes.size() / shape.m;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::uint32_t s = 0; s < shape.m; ++s) {
      const std::size_t begin = shape.begin(s), width = width_of(shape, s);
      const float* centroid =
          book.centroids.data() + kCentroids * begin + codes[i * shape.m + s] * width;
      std::copy_n(centroid, width, rows.data() + i * shape.dim + begin);
    }
  }
}

void pq_table(const Codebook& book, Metric metric, std::span<const float> query,
              std::span<float> table) {
  std::vector<CentroidPanel> made;
  if (book.panels.empty()) made = make_panels(book);
  const auto& panels = book.panels.empty() ? made : book.panels;
  for (std::uint32_t s = 0; s < book.shape.m; ++s) {
    const float* part = query.data() + book.shape.begin(s);
    float* out = table.data() + std::size_t{s} * kCentroids;
    if (metric == Metric::l2)
      centroid_l2(panels[s], part, out);
    else
      centroid_minus_dot(panels[s], part, out);
  }
}

void LayeredCodebook::add(const Codebook& book) {
  const PqShape& shape = book.shape;
  Layer layer{.book = &book,
              .width_min = shape.dim / shape.m,
              .width_max = (shape.dim + shape.m - 1) / shape.m,
              .begins = std::vector<std::uint32_t>(shape.m + std::size_t{1})};
  for (std::uint32_t s = 0; s <= shape.m; ++s) layer.begins[s] = shape.begin(s);
  layers_.push_back(std::move(layer));
}

std::size_t LayeredCodebook::bytes() const {
  std::size_t total = layers_.capacity() * sizeof(Layer);
  for (const Layer& layer : layers_) total += layer.begins.capacity() * sizeof(std::uint32_t);
  return total;
}

}  // namespace cairn::math

#include "engine/build/parameters.h"

#include <bit>
#include <span>

#include "engine/build/hash.h"
#include "engine/math/distance.h"

namespace cairn::build {

std::uint64_t parameters_hash(const VectorSource& source, const BuildOptions& options) {
  Hash hash;
  hash.add_value(kBuilderVersion)
      .add(std::as_bytes(std::span(math::kernel_path())))
      .add_value(options.metric)
      .add_value(source.dtype())
      .add_value(source.dim())
      .add_value(source.count())
      .add_value(options.code_bytes)
      .add(std::as_bytes(std::span(options.refine_layers)))
      .add_value(options.degree)
      .add_value(options.nav_edges)
      .add_value(options.partitions)
      .add_value(options.seed)
      .add_value(std::bit_cast<std::uint64_t>(options.alpha))
      .add_value(static_cast<std::uint8_t>(source.labelled()));
  if (options.calibration_rows != 0) hash.add_value(options.calibration_rows);
  if (options.keep_edges) hash.add_value(std::uint64_t{source.edges_max()} << 32);
  return hash.value();
}

}  // namespace cairn::build

// Prints how hard a set is to search: `hardness BASE QUERIES [QUERY COUNT] [BASE COUNT]`.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "bench/tools/hardness.h"
#include "tools/cli.h"
#include "tools/vectors.h"

int main(int argc, char** argv) {
  using namespace cairn;
  if (argc < 3) {
    fmt::print(stderr, "usage: hardness BASE QUERIES [QUERY COUNT] [BASE COUNT]\n");
    return 2;
  }
  const auto base = tools::load_vectors(argv[1], Metric::l2);
  const auto queries = tools::load_vectors(argv[2], Metric::l2);
  for (const auto* set : {&base, &queries})
    if (!*set) return fmt::print(stderr, "{}\n", set->error().to_string()), 1;
  if (const auto status =
          tools::check_shape(queries->path, queries->shape(), base->shape(), argv[1]);
      !status)
    return fmt::print(stderr, "{}\n", status.error().to_string()), 1;
  VectorBatch some = queries->batch(), rows = base->batch();
  some.count =
      std::min<std::uint64_t>(some.count, argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 300);
  if (argc > 4)
    rows.count = std::min<std::uint64_t>(rows.count, std::strtoull(argv[4], nullptr, 10));
  if (rows.count <= 100 || some.count == 0)
    return fmt::print(stderr, "hardness: needs more than 100 base vectors and a query\n"), 1;
  const auto found = bench::measure_hardness(rows, some, tools::thread_count(0));
  fmt::print("{} {} x {}, {} queries\n", argv[1], rows.count, base->dim, some.count);
  fmt::print("local intrinsic dimension at k=100: median {:.2f} (p10 {:.1f}, p90 {:.1f})\n",
             found.lid_median, found.lid_p10, found.lid_p90);
  fmt::print("of the true 10, the 20 best by 32-byte codes hold {:.4f}\n", found.held_by_codes);
  fmt::print("zeros {:.3f}, queries with a duplicate {:.4f}\n", found.zeros, found.duplicates);
  return 0;
}

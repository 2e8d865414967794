// Designs that keep everything in RAM. Bytes are by structure; times are assumed from figures of
// bench/RESULTS.md, scaled by what a search touches.
#include <algorithm>
#include <cmath>

#include "tools/plan/footprint.h"
#include "tools/plan/rows.h"

namespace cairn::tools::plan {
namespace {

constexpr std::uint32_t kLinks = 16;
// hnswlib, 500k SIFT as floats (512 bytes), M = 16, efC = 200: a search for recall@10 of 0.95, and
// the build, core time a vector. A quarter of either does not go with the bytes of a row.
constexpr double kHnswSearch_s = 211e-6, kHnswBuild_s = 621e-6;
constexpr double kHnswRowBytes = 512, kHnswCount = 500'000, kFixedShare = 0.25;
// 99 of 100 searches in RAM take at most so many times the mean.
constexpr double kTail = 2.5;
// FAISS: rows are scanned from memory at so many bytes a second, codes at so many look-ups, and
// k-means and assignment run at so many operations; 430 core-us a vector for 4,096 lists of 1M.
constexpr double kScanBytes_s = 8e9, kLookups_s = 1.5e9, kTrainOps_s = 2.6e10;
constexpr double kTrainRowsAList = 256, kTrainRounds = 10;
// Lists looked into for a recall of 0.95.
constexpr double kProbes = 64;
// How far off all these times may be, either way.
constexpr double kTimeLow = 0.5, kTimeHigh = 2;
// The 20 best by codes of a quarter of the dimension hold 0.947 of the true 10.
constexpr double kCodesRecall = 0.75, kCodesRecallLow = 0.5, kCodesRecallHigh = 0.947;

Estimate rough(double value) { return {value, value * kTimeLow, value * kTimeHigh}; }

/// More is looked at for a higher recall: by how far the one asked is from 1, against 0.95.
double recall_factor(double recall) { return std::pow(0.05 / std::max(1 - recall, 1e-4), 0.35); }

/// A list for more neighbours is longer: known for 10, and assumed to grow with the root of them.
double neighbours_factor(std::uint32_t k) { return std::sqrt(std::max(1.0, k / 10.0)); }

SearchCost in_ram(double seconds, const Workload& workload) {
  seconds *= neighbours_factor(workload.k);
  const double recall = workload.recall;
  return {.recall = Estimate::exact(recall),
          .reads = {},
          .core_s = rough(seconds),
          .alone_core_s = seconds,
          .alone_core_p99_s = seconds * kTail};
}

Design named(std::string name, const Footprint& bytes) {
  Design design;
  design.name = std::move(name);
  design.ram_bytes = bytes.ram_bytes;
  design.disk_bytes = bytes.disk_bytes;
  design.build_disk_bytes = bytes.disk_bytes;
  design.build_ram_bytes = bytes.build_ram_bytes;
  return design;
}

Design hnsw(const Workload& workload, std::uint32_t threads) {
  Design design = named("HNSW M=16", hnsw_footprint(workload, kLinks));
  const double rows = kFixedShare + (1 - kFixedShare) * 4 * workload.dim / kHnswRowBytes;
  const double depth = std::log(static_cast<double>(workload.count) + 1) / std::log(kHnswCount);
  design.search = in_ram(kHnswSearch_s * rows * depth * recall_factor(workload.recall), workload);
  design.build_s = kHnswBuild_s * rows * depth * static_cast<double>(workload.count) / threads;
  design.update = "in place";
  design.update_why =
      "an insert costs what a vector of the build costs; an erased vector is marked and stays";
  return design;
}

double ivf_build_s(const Workload& workload, std::uint32_t threads) {
  const auto lists = static_cast<double>(ivf_lists(workload.count));
  const double pair_ops = 2.0 * workload.dim;
  const double train =
      std::min(kTrainRowsAList * lists, static_cast<double>(workload.count)) * lists * kTrainRounds;
  return (train + static_cast<double>(workload.count) * lists) * pair_ops / kTrainOps_s / threads;
}

/// Vectors in the lists looked into, and centroids.
struct Scan {
  double vectors, lists;
};
Scan scan_of(const Workload& workload) {
  const auto lists = static_cast<double>(ivf_lists(workload.count));
  const double probes = std::min(lists, kProbes * recall_factor(workload.recall));
  return {static_cast<double>(workload.count) / lists * probes, lists};
}

Design ivf_flat(const Workload& workload, std::uint32_t threads) {
  Design design = named("IVF-Flat", ivf_flat_footprint(workload));
  const Scan scan = scan_of(workload);
  design.search = in_ram((scan.vectors + scan.lists) * 4 * workload.dim / kScanBytes_s, workload);
  design.build_s = ivf_build_s(workload, threads);
  design.update = "append";
  design.update_why = "an insert is appended to its list; the centroids stay as they were trained";
  return design;
}

Design ivf_pq(const Workload& workload, std::uint32_t threads, bool rerank) {
  const std::uint32_t code = ivf_code_bytes(workload.dim);
  Design design = named(rerank ? "IVF-PQ, reranked" : "IVF-PQ, codes only",
                        ivf_pq_footprint(workload, code, rerank));
  const Scan scan = scan_of(workload);
  const double codes = scan.vectors * code / kLookups_s;
  const double centroids = scan.lists * 4 * workload.dim / kScanBytes_s;
  design.search = in_ram(codes + centroids, workload);
  if (!rerank) {
    design.search.recall = {kCodesRecall, kCodesRecallLow, kCodesRecallHigh};
    design.reaches = workload.recall <= kCodesRecallLow;
  }
  design.build_s = ivf_build_s(workload, threads);
  design.update = "append";
  design.update_why =
      "an insert is coded and appended to its list; centroids and codebook stay as trained";
  return design;
}

}  // namespace

std::vector<Design> ram_designs(const Workload& workload, std::uint32_t threads) {
  return {hnsw(workload, threads), ivf_flat(workload, threads), ivf_pq(workload, threads, true),
          ivf_pq(workload, threads, false)};
}

}  // namespace cairn::tools::plan

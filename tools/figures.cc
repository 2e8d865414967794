#include "tools/figures.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

namespace cairn::tools {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::uint64_t kib = 0;
  while (status >> word)
    if (word == key + ":" && status >> kib) return kib * 1024;
  return 0;
}

std::uint64_t resident_bytes() {
  malloc_trim(0);
  return status_bytes("RssAnon");
}

bool counts_as_found(double distance, double kth, Metric metric, DType dtype) {
  const bool whole = metric == Metric::l2 && dtype != DType::f32 && kth < 0x1p24;
  return distance <= (whole ? kth : kth + 1e-5 * std::abs(kth) + 1e-6);
}

Latency latency_of(std::vector<double> samples_us) {
  if (samples_us.empty()) return {};
  std::sort(samples_us.begin(), samples_us.end());
  const auto count = static_cast<double>(samples_us.size());
  const auto percentile = [&](double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * count));
    return samples_us[std::max<std::size_t>(rank, 1) - 1];
  };
  const double sum = std::accumulate(samples_us.begin(), samples_us.end(), 0.0);
  return {sum / count, percentile(.5), percentile(.99), percentile(.999)};
}

}  // namespace cairn::tools

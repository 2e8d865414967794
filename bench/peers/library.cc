#include "bench/peers/library.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <thread>

namespace cairn::peers {

bool chosen(const std::string& name, const std::string& only) {
  return only.empty() || name == only || name.rfind(only + "-", 0) == 0;
}

bool can_hold(const Library& library, const PeerOptions& options) {
  return library.make != make_hnswlib_u8 ||
         (options.dtype == DType::u8 && options.metric == Metric::l2);
}

std::string machine() {
  utsname kernel{};
  uname(&kernel);
  std::ifstream cpus("/proc/cpuinfo");
  std::string line, model = kernel.machine;
  while (std::getline(cpus, line))
    if (line.rfind("model name", 0) == 0) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  return fmt::format("{}, {} cores, Linux {}", model, std::thread::hardware_concurrency(),
                     kernel.release);
}

int run_apart(const std::vector<std::string>& args, std::uint32_t threads, const Line& line) {
  // BLAS and OpenMP read these when they are loaded; an OpenMP thread that spins while it waits
  // would be counted as work.
  setenv("OMP_WAIT_POLICY", "passive", 0);
  setenv("OPENBLAS_NUM_THREADS", std::to_string(threads).c_str(), 0);
  return run_program("/proc/self/exe", args, line);
}

}  // namespace cairn::peers

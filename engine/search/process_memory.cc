#include "engine/search/process_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

namespace cairn::search {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

/// The number in a file; kUnlimited when it is absent or holds a word such as "max".
std::uint64_t number_in(const std::string& path) {
  std::ifstream in(path);
  std::uint64_t value = 0;
  return in >> value ? value : kUnlimited;
}

/// The least `file` from `group` up to `mount`. A container may see the path of its group but only
/// its own part of the tree: what is missing is passed over.
std::uint64_t least_of_ancestors(const std::string& mount, std::string group,
                                 const std::string& file) {
  std::uint64_t least = kUnlimited;
  for (;;) {
    least = std::min(least, number_in(mount + group + "/" + file));
    const auto slash = group.find_last_of('/');
    if (slash == std::string::npos) return least;
    group.resize(slash);
  }
}

/// A line is "id:controllers:path"; v2 has the id 0 and no controllers.
std::uint64_t limit_of_group(const std::string& root, const std::string& line) {
  const auto first = line.find(':');
  const auto second = first == std::string::npos ? first : line.find(':', first + 1);
  if (second == std::string::npos) return kUnlimited;
  const std::string controllers = line.substr(first + 1, second - first - 1);
  const std::string path = line.substr(second + 1);
  if (controllers.empty()) return least_of_ancestors(root + "/sys/fs/cgroup", path, "memory.max");
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');)
    if (name == "memory")
      return least_of_ancestors(root + "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
  return kUnlimited;
}

std::uint64_t physical_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0) return kUnlimited;
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
}

std::uint64_t address_space_bytes() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  return limit.rlim_cur;
}

}  // namespace

std::uint64_t process_memory_bytes(const std::string& root) {
  std::uint64_t least = std::min(physical_bytes(), address_space_bytes());
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);)
    least = std::min(least, limit_of_group(root, line));
  return least;
}

}  // namespace cairn::search

// Random damage over all files of a small index: every changed byte is an error or has no effect on
// any answer, never a crash or a silently wrong answer.
//   flips [--count N] [--seed S]
#include <fcntl.h>

#include <cstring>
#include <iterator>
#include <map>

#include "tests/reliability/small_index.h"

namespace cairn::reliability {
namespace {

constexpr std::uint32_t kQueries = 4;

struct Answers {
  bool failed = false;
  std::vector<std::vector<Neighbor>> neighbors;
};

constexpr IoBackend kBackends[] = {IoBackend::automatic, IoBackend::pread, IoBackend::sync};

/// By another way of reading each round, buffered and direct.
Answers ask(const SmallIndex& data, std::uint64_t round) {
  Answers answers;
  OpenOptions options;
  options.io = kBackends[round % std::size(kBackends)];
  options.direct = round / std::size(kBackends) % 2 != 0;
  const auto index = Index::open(data.folder(), options);
  if (!index) return {.failed = true, .neighbors = {}};
  for (std::uint32_t q = 0; q < kQueries; ++q) {
    SearchRequest request{.query = data.row(q * data.count() / kQueries)};
    request.list_size = 30;
    auto result = (*index)->search(request);
    if (!result) return {.failed = true, .neighbors = {}};
    answers.neighbors.push_back(std::move(result->neighbors));
  }
  const auto row = (*index)->get(data.count() / 2);
  const VectorView expected = data.row(data.count() / 2);
  if (!row) return {.failed = true, .neighbors = {}};
  if (std::memcmp(row->data(), expected.data, expected.bytes()) != 0) answers.neighbors.clear();
  return answers;
}

bool same(const Answers& a, const Answers& b) {
  if (a.neighbors.size() != b.neighbors.size()) return false;
  for (std::size_t q = 0; q < a.neighbors.size(); ++q) {
    if (a.neighbors[q].size() != b.neighbors[q].size()) return false;
    for (std::size_t i = 0; i < a.neighbors[q].size(); ++i)
      if (a.neighbors[q][i].label != b.neighbors[q][i].label ||
          a.neighbors[q][i].distance != b.neighbors[q][i].distance)
        return false;
  }
  return true;
}

/// A file held open for changing single bytes in place.
struct Target {
  std::string name;
  int fd = -1;
  std::uint64_t bytes = 0;
};

std::vector<Target> targets_of(const std::string& folder) {
  std::map<std::string, Target> sorted;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.file_size() == 0) continue;
    const std::string path = entry.path().string();
    sorted[path] = {entry.path().filename().string(), open(path.c_str(), O_RDWR | O_CLOEXEC),
                    entry.file_size()};
  }
  std::vector<Target> targets;
  for (auto& [path, target] : sorted) targets.push_back(target);
  return targets;
}

int run(std::uint64_t count, std::uint64_t seed) {
  const SmallIndex data(1500, 24, seed);
  const Answers whole = ask(data, 0);
  if (whole.failed || whole.neighbors.size() != kQueries) return std::puts("no baseline"), 1;
  const std::vector<Target> targets = targets_of(data.folder());
  std::uint64_t total = 0, errors = 0, harmless = 0, wrong = 0;
  for (const Target& target : targets) total += target.bytes;
  math::Rng rng(seed);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t at = rng.below(total);
    std::size_t t = 0;
    while (at >= targets[t].bytes) at -= targets[t++].bytes;
    const auto offset = static_cast<off_t>(at);
    std::uint8_t byte = 0;
    if (pread(targets[t].fd, &byte, 1, offset) != 1) return std::puts("cannot read"), 1;
    const auto damaged = static_cast<std::uint8_t>(byte ^ (1 + rng.below(255)));
    if (pwrite(targets[t].fd, &damaged, 1, offset) != 1) return std::puts("cannot write"), 1;
    const Answers answers = ask(data, i);
    errors += answers.failed;
    harmless += !answers.failed && same(answers, whole);
    if (!answers.failed && !same(answers, whole)) {
      ++wrong;
      std::printf("WRONG: byte %llu of %s\n", static_cast<unsigned long long>(at),
                  targets[t].name.c_str());
    }
    if (pwrite(targets[t].fd, &byte, 1, offset) != 1) return std::puts("cannot restore"), 1;
  }
  std::printf(
      "seed %llu: %llu flips over %llu bytes of %zu files: %llu errors, %llu without effect, "
      "%llu wrong\n",
      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(count),
      static_cast<unsigned long long>(total), targets.size(),
      static_cast<unsigned long long>(errors), static_cast<unsigned long long>(harmless),
      static_cast<unsigned long long>(wrong));
  return wrong == 0 && errors != 0 && same(ask(data, 0), whole) ? 0 : 1;
}

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  std::uint64_t count = 1000, seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--count") == 0) count = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seed") == 0) seed = std::strtoull(argv[i + 1], nullptr, 10);
  }
  return cairn::reliability::run(count, seed);
}

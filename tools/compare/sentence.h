// What a comparison comes to, in one sentence for whoever decides.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::tools {

struct Verdict {
  std::uint64_t queries = 0;
  std::uint32_t k = 10;
  std::string old_name;  // "hnswlib at ef 100"
  double old_recall = 0, own_recall = 0;
  bool reached = true;  // whether some effort of ours finds as much; else own_recall is the most
  std::uint64_t old_bytes = 0, own_bytes = 0;
  double old_us = 0, own_us = 0;  // of one query, median
};

/// Says what is worse as plainly as what is better; no line break.
std::string sentence(const Verdict& verdict);

}  // namespace cairn::tools

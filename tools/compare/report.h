// What `cairn compare` prints.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/compare/comparison.h"
#include "tools/compare/same_vectors.h"

namespace cairn::tools {

struct OldSide {
  std::string library;  // "hnswlib"
  std::string build, effort_name;
  formats::IndexFacts facts;
  std::uint64_t resident_bytes = 0;  // growth by loading and a first search
  std::uint64_t layout_bytes = 0;
  std::vector<SideRow> rows;  // ascending
  std::size_t usual = 0;      // of `rows`: what is compared with
};

struct OwnSide {
  IndexStats stats;
  std::uint64_t resident_bytes = 0;  // growth by opening and a first search
  std::uint64_t context_bytes = 0;   // of the searching thread, beside the index
  std::vector<const SideRow*> rows;  // by recall asked for, then by list size, each ascending
  const SideRow* match = nullptr;    // the least effort as good as the usual row of the other
  const SideRow* shown = nullptr;    // that, or without it the best there is

  /// What is counted, or where more grew, that.
  std::uint64_t memory_bytes() const;
};

struct Comparison {
  Questions questions;
  OldSide old;
  OwnSide own;
  SameVectors same;
  PairReport queries;  // of the usual row and ours beside it
};

/// Tables, notes and, as the last line, the sentence.
std::string report_text(const Comparison& comparison);
nlohmann::ordered_json report_json(const Comparison& comparison);

}  // namespace cairn::tools

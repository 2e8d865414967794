// What a schedule saw, as one number; and in words, for whoever wants to follow it.
#pragma once

#include <cairn/index.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>

#include "io/slot_table.h"
#include "tests/sim/sim_fs.h"

namespace cairn::reliability {

class ScheduleLog {
 public:
  explicit ScheduleLog(bool trace) : trace_(trace) {}

  std::uint64_t digest() const { return digest_; }

  void add(std::uint64_t value) { digest_ = io::mix64(digest_ ^ value) + 1; }
  void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
  void add(const std::string& text) {
    add(std::uint64_t{text.size()});
    for (const char c : text) add(std::uint64_t{static_cast<unsigned char>(c)});
  }
  void add(const SearchCounters& counters) {
    for (const std::uint32_t value :
         {counters.reads, counters.cache_hits, counters.shared, counters.rounds,
          counters.code_distances, counters.refined_distances, counters.exact_distances,
          counters.expanded})
      add(std::uint64_t{value});
  }
  void add(const SearchResult& result) {
    for (const Neighbor& neighbor : result.neighbors) {
      add(neighbor.label);
      add(static_cast<double>(neighbor.distance));
    }
    add(static_cast<std::uint64_t>(result.stop));
    add(result.counters);
  }
  void add(const Explanation& explained) {
    add(explained.result);
    for (const ExplainedRead& read : explained.reads) {
      add(read.file);
      add(read.block);
      add(std::uint64_t{read.round});
      add(static_cast<double>(read.kth_distance));
    }
  }
  void add(const VerifyReport& report) {
    add(report.problem_count);
    for (const Error& problem : report.problems) add(problem.to_string());
  }
  void add(const SearchEffort& effort) {
    add(std::uint64_t{effort.list_size});
    add(static_cast<double>(effort.slack));
    add(effort.recall);
    add(effort.reads);
  }
  void add(const sim::SimFs& fs) {
    for (const sim::OpRecord& operation : fs.operations()) {
      add(static_cast<std::uint64_t>(operation.op));
      add(operation.path);
      add(std::uint64_t{operation.direct});
    }
    add(fs.reads());
  }
  /// What a call gave, or its error in full.
  template <class T>
  void add(const Result<T>& result) {
    add(std::uint64_t{result.has_value()});
    if (result)
      add(*result);
    else
      add(result.error().to_string());
  }

  void say(const std::string& line) {
    add(line);
    if (trace_)
      std::printf("  %016llx %s\n", static_cast<unsigned long long>(digest_), line.c_str());
  }

 private:
  std::uint64_t digest_ = 0;
  bool trace_;
};

}  // namespace cairn::reliability

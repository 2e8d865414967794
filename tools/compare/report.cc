#include "tools/compare/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/compare/sentence.h"
#include "tools/recall/report.h"
#include "tools/table.h"
#include "tools/units.h"

namespace cairn::tools {
namespace {

using nlohmann::ordered_json;

std::string shown(double us) { return fmt::format("{:.{}f}", us, us < 100 ? 1 : 0); }

std::string old_name(const OldSide& old, const SideRow& row) {
  if (old.effort_name.empty()) return old.library;
  return fmt::format("{}, {} {}", old.library, old.effort_name, row.effort);
}

std::string own_name(const SideRow& side) {
  if (!side.row.asked) return fmt::format("Cairn, list {}", side.effort);
  return fmt::format("Cairn, recall {:g} asked", *side.row.asked);
}

/// Ours beside a row of theirs, of what was measured.
const SideRow& own_beside(const OwnSide& own, const SideRow& old) {
  const SideRow* enough = first_of(own.rows, old.row.recall);
  return enough != nullptr ? *enough : *best_of(own.rows);
}

std::vector<std::string> cells(std::string name, const SideRow& side, double overlap,
                               std::string reads, std::uint64_t bytes) {
  const RecallRow& row = side.row;
  return {std::move(name),
          fmt::format("{:.4f}", row.recall),
          fmt::format("{:.4f}", overlap),
          shown(row.mean_us),
          shown(row.p50_us),
          shown(row.p99_us),
          shown(row.cpu_us),
          std::move(reads),
          show_bytes(bytes)};
}

std::string rows_text(const Comparison& all) {
  Table table({"", fmt::format("recall@{}", all.questions.k), "overlap", "mean us", "p50", "p99",
               "core us", "reads", "resident"});
  for (const SideRow& row : all.old.rows)
    table.add(cells(old_name(all.old, row), row, overlap(row, own_beside(all.own, row)), "0",
                    all.old.resident_bytes));
  for (const SideRow* row : all.own.rows)
    table.add(cells(own_name(*row), *row, overlap(*row, all.old.rows[all.old.usual]),
                    fmt::format("{:.1f}", row->row.reads), all.own.memory_bytes()));
  return table.text();
}

std::string notes_text(const Comparison& all) {
  const OldSide& old = all.old;
  const OwnSide& own = all.own;
  std::string text = fmt::format(
      "One query after the other on one thread. {}.\n"
      "Cairn reads by {}, from an empty block cache at the start of each row.\n"
      "overlap: of the answers. A row of {} with ours of as much recall; ours with {}.\n",
      old.build, own.stats.io_backend, old.library, old_name(old, old.rows[old.usual]));
  text += fmt::format(
      "resident: what loading and one search added to the process; {} by the layout of {}.\n"
      "Of Cairn {} counted for the index and {} for a thread that searches; {} were added.\n",
      show_bytes(old.layout_bytes), old.library, show_bytes(own.stats.index_ram_bytes),
      show_bytes(own.context_bytes), show_bytes(own.resident_bytes));
  const SameVectors& same = all.same;
  text += fmt::format("Of {} elements looked at, {} are in the index, {} with the very vector.\n",
                      same.looked_at, same.found, same.equal);
  const std::uint64_t live = old.facts.elements - old.facts.deleted;
  if (live != own.stats.vector_count)
    text += fmt::format("The file has {} elements that are not deleted, the index {}.\n",
                        show_count(live), show_count(own.stats.vector_count));
  if (!old.facts.decoded_from.empty())
    text += fmt::format("Recall is of vectors decoded from {}, as both hold them.\n",
                        old.facts.decoded_from);
  return text;
}

std::string worst_text(const Comparison& all) {
  const PairReport& queries = all.queries;
  std::string text =
      fmt::format("{} beside {}: {} of {} queries find less, {} more. Those that lose most:\n",
                  own_name(*all.own.shown), old_name(all.old, all.old.rows[all.old.usual]),
                  show_count(queries.worse), show_count(all.questions.queries.count),
                  show_count(queries.better));
  Table table({"query", all.old.library, "Cairn", "overlap"});
  for (const QueryPair& pair : queries.worst)
    table.add({std::to_string(pair.query), fmt::format("{:.2f}", pair.old_recall),
               fmt::format("{:.2f}", pair.own_recall), fmt::format("{:.2f}", pair.overlap)});
  return text + table.text();
}

std::string sentence_of(const Comparison& all) {
  const SideRow& old = all.old.rows[all.old.usual];
  const SideRow& own = *all.own.shown;
  return sentence({.queries = all.questions.queries.count,
                   .k = all.questions.k,
                   .old_name = all.old.effort_name.empty()
                                   ? all.old.library
                                   : fmt::format("{} at {} {}", all.old.library,
                                                 all.old.effort_name, old.effort),
                   .old_recall = old.row.recall,
                   .own_recall = own.row.recall,
                   .reached = all.own.match != nullptr,
                   .old_bytes = all.old.resident_bytes,
                   .own_bytes = all.own.memory_bytes(),
                   .old_us = old.row.p50_us,
                   .own_us = own.row.p50_us});
}

ordered_json old_json(const Comparison& all, const SideRow& side) {
  const SideRow& own = own_beside(all.own, side);
  ordered_json json = {{"recall", side.row.recall},   {"overlap", overlap(side, own)},
                       {"mean_us", side.row.mean_us}, {"p50_us", side.row.p50_us},
                       {"p99_us", side.row.p99_us},   {"cpu_us", side.row.cpu_us}};
  if (!all.old.effort_name.empty()) json[all.old.effort_name] = side.effort;
  return json;
}

ordered_json own_json(const Comparison& all, const SideRow& side) {
  ordered_json json = recall_json(side.row);
  json["overlap"] = overlap(side, all.old.rows[all.old.usual]);
  return json;
}

}  // namespace

std::uint64_t OwnSide::memory_bytes() const {
  return std::max(stats.index_ram_bytes + context_bytes, resident_bytes);
}

std::string report_text(const Comparison& comparison) {
  return rows_text(comparison) + "\n" + notes_text(comparison) + "\n" + worst_text(comparison) +
         "\n" + sentence_of(comparison) + "\n";
}

ordered_json report_json(const Comparison& comparison) {
  const OldSide& old = comparison.old;
  const OwnSide& own = comparison.own;
  ordered_json json = {{"k", comparison.questions.k},
                       {"queries", comparison.questions.queries.count},
                       {"old",
                        {{"library", old.library},
                         {"build", old.build},
                         {"kind", old.facts.kind},
                         {"elements", old.facts.elements},
                         {"deleted", old.facts.deleted},
                         {"effort_name", old.effort_name},
                         {"resident_bytes", old.resident_bytes},
                         {"layout_bytes", old.layout_bytes}}},
                       {"own",
                        {{"vectors", own.stats.vector_count},
                         {"calibrated", own.stats.calibrated},
                         {"index_ram_bytes", own.stats.index_ram_bytes},
                         {"context_bytes", own.context_bytes},
                         {"opened_bytes", own.resident_bytes},
                         {"resident_bytes", own.memory_bytes()}}},
                       {"same_vectors",
                        {{"looked_at", comparison.same.looked_at},
                         {"found", comparison.same.found},
                         {"equal", comparison.same.equal}}}};
  for (const SideRow& row : old.rows) json["old"]["rows"].push_back(old_json(comparison, row));
  for (const SideRow* row : own.rows) json["own"]["rows"].push_back(own_json(comparison, *row));
  json["matched"] = {{"reached", own.match != nullptr},
                     {"old", old_json(comparison, old.rows[old.usual])},
                     {"own", own_json(comparison, *own.shown)},
                     {"worse", comparison.queries.worse},
                     {"better", comparison.queries.better}};
  json["worst"] = ordered_json::array();
  for (const QueryPair& pair : comparison.queries.worst)
    json["worst"].push_back({{"query", pair.query},
                             {"old_recall", pair.old_recall},
                             {"recall", pair.own_recall},
                             {"overlap", pair.overlap}});
  json["sentence"] = sentence_of(comparison);
  return json;
}

}  // namespace cairn::tools

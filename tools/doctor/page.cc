#include "tools/doctor/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/figures.h"
#include "tools/table.h"
#include "tools/units.h"

namespace cairn::tools {
namespace {

constexpr std::size_t kColumns = 100;

/// Words in lines of kColumns, those after the first behind `indent`. "3 %" is one word.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(' ', at), text.size());
    if (text.compare(end, 2, " %") == 0) end = std::min(text.find(' ', end + 1), text.size());
    if (at != 0 && column + 1 + end - at > kColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (at != 0) {
      out += ' ';
      ++column;
    }
    out += text.substr(at, end - at);
    column += end - at;
    at = end + 1;
  }
  return out + "\n";
}

std::string line(std::string_view name, const std::string& text) {
  constexpr std::size_t kNameColumns = 13;
  return wrapped(std::string(name) + std::string(kNameColumns - name.size(), ' ') + text,
                 kNameColumns);
}

class Page {
 public:
  Page(const Examination& examination, const Asked& asked, const std::vector<Finding>& findings)
      : seen_(examination), asked_(asked), findings_(findings) {}

  std::string text() {
    head();
    findings();
    figures();
    misses();
    about();
    return std::move(text_);
  }

 private:
  const SearchedSet& main_set() const { return seen_.queries ? *seen_.queries : seen_.rows; }

  void head() {
    const std::string_view verdict = verdict_of(findings_);
    const SearchedSet& set = main_set();
    std::string first =
        verdict == "healthy"
            ? fmt::format("HEALTHY: recall@{} {:.3f}", set.k, set.recall)
            : fmt::format("{}: {}", verdict == "ill" ? "ILL" : "WARNING", findings_.front().title);
    text_ += wrapped(first, 2);
    const std::string how =
        seen_.queries ? fmt::format("{} queries of {}", show_count(set.queries), asked_.queries)
                      : fmt::format(
                            "{} rows of the index in place of queries, each hidden from its own "
                            "search (--queries FILE for yours)",
                            show_count(set.queries));
    const std::string slack = seen_.slack ? fmt::format(", slack {:.3f}", *seen_.slack) : "";
    text_ += wrapped(
        fmt::format("{}; k = {}, a list of {}{}, {}; wanted: recall {:g}{}\n", how, asked_.k,
                    seen_.list_size, slack, seen_.edges ? "edges in RAM walked" : "blocks lead",
                    asked_.recall, asked_.by_recall ? ", asked for by name" : ""),
        0);
  }

  void findings() {
    std::size_t number = 0;
    for (const Finding& finding : findings_) {
      text_ += wrapped(fmt::format("{}. {}: {}", ++number, finding.title, finding.text), 3);
      if (!finding.next.empty()) text_ += wrapped("   -> " + finding.next, 6);
    }
    if (number != 0) text_ += "\n";
  }

  /// A column for each set there is.
  std::vector<const SearchedSet*> sets() const {
    std::vector<const SearchedSet*> sets;
    if (seen_.queries) sets.push_back(&*seen_.queries);
    if (seen_.rows.queries != 0) sets.push_back(&seen_.rows);
    return sets;
  }
  std::vector<std::string> titles(std::string first) const {
    std::vector<std::string> titles{std::move(first)};
    if (seen_.queries) titles.push_back("queries");
    if (seen_.rows.queries != 0) titles.push_back("rows");
    return titles;
  }

  void figures() {
    auto header = titles("");
    if (seen_.effort) header.push_back("at calibration");
    Table table(header);
    const auto row = [&](std::string name, auto figure, const std::string& calibrated) {
      std::vector<std::string> cells{std::move(name)};
      for (const SearchedSet* set : sets()) cells.push_back(figure(*set));
      if (seen_.effort) cells.push_back(calibrated);
      table.add(std::move(cells));
    };
    const SearchEffort effort = seen_.effort.value_or(SearchEffort{});
    row(
        "searches", [](const SearchedSet& s) { return show_count(s.queries); },
        seen_.calibration.from_rows ? "of rows" : "of queries");
    row(
        fmt::format("recall@{}", asked_.k),
        [](const SearchedSet& s) { return fmt::format("{:.4f}", s.recall); },
        fmt::format("{:.4f}", effort.recall));
    row(
        "+- (standard error)",
        [](const SearchedSet& s) { return fmt::format("{:.4f}", s.recall_error); }, "");
    row(
        "reads of 4 KiB", [](const SearchedSet& s) { return fmt::format("{:.1f}", s.reads); },
        fmt::format("{:.1f}", effort.reads));
    row(
        "k-th distance, median",
        [](const SearchedSet& s) { return fmt::format("{:.6g}", s.kth_distance); }, "");
    text_ += table.text() + "\n";
  }

  void misses() {
    Table table(titles("neighbours missed"));
    std::vector<std::string> all{"all"};
    for (const SearchedSet* set : sets())
      all.push_back(
          fmt::format("{} of {}", show_count(set->missed), show_count(set->queries * set->k)));
    table.add(all);
    for (std::size_t r = 0; r < kMissReasons; ++r) {
      std::vector<std::string> cells{"  " + std::string(reason_words(static_cast<MissReason>(r)))};
      for (const SearchedSet* set : sets())
        cells.push_back(set->missed == 0 ? "-"
                                         : fmt::format("{:.1f} %", 100 * share(set->missed_for[r],
                                                                               set->missed)));
      table.add(cells);
    }
    text_ += table.text() + "\n";
  }

  void about() {
    if (seen_.drift)
      text_ +=
          line("drift", fmt::format("to the nearest entry point queries have {:.4g}, rows {:.4g} "
                                    "(medians: {:.2f} times); {:.1f} % lie beyond 99 % of rows",
                                    seen_.queries->entry_distance, seen_.rows.entry_distance,
                                    seen_.drift->median_ratio, 100 * seen_.drift->beyond_rows));
    text_ += line("partitions", partitions());
    text_ += line("graph", graph());
    const IndexStats& stats = seen_.stats;
    text_ += line("in RAM", fmt::format("{}: codes of {} + {} of {} bytes, {} edges a vector",
                                        show_bytes(stats.index_ram_bytes), stats.code_bytes,
                                        stats.refine_bytes_loaded, stats.refine_bytes,
                                        stats.nav_edges_loaded));
    text_ += line("calibration", calibration());
    for (const PoorQuery& poor : seen_.worst) text_ += line("worst", worst(poor));
  }

  std::string partitions() const {
    std::uint64_t least = ~std::uint64_t{0}, most = 0, vectors = 0, neighbors = 0;
    const PartitionLoad* busiest = nullptr;
    for (const PartitionLoad& load : seen_.partitions) {
      least = std::min(least, load.vectors);
      most = std::max(most, load.vectors);
      vectors += load.vectors;
      neighbors += load.neighbors;
      if (busiest == nullptr || load.neighbors > busiest->neighbors) busiest = &load;
    }
    if (seen_.partitions.size() < 2 || busiest == nullptr)
      return fmt::format("1 of {} vectors", show_count(vectors));
    const double mean = share(vectors, seen_.partitions.size());
    return fmt::format(
        "{} of {} to {} vectors, the largest {:.2f} times the mean; the busiest has "
        "{:.1f} % of the true neighbours and {:.1f} % of the vectors",
        seen_.partitions.size(), show_count(least), show_count(most),
        static_cast<double>(most) / mean, 100 * share(busiest->neighbors, neighbors),
        100 * share(busiest->vectors, vectors));
  }

  std::string graph() const {
    const StructureReport& structure = seen_.structure;
    const auto& histogram = structure.degree_histogram;
    return fmt::format(
        "{} of {} vectors out of reach; {:.1f} edges each, {} at most, {} without; "
        "{} blocks, {:.1f} % filled",
        show_count(seen_.unreachable), show_count(structure.vectors),
        share(structure.edges, structure.vectors), histogram.empty() ? 0 : histogram.size() - 1,
        show_count(histogram.empty() ? 0 : histogram[0]), show_count(structure.blocks),
        100 * share(structure.vectors, structure.places));
  }

  std::string calibration() const {
    using State = CalibrationHealth::State;
    const CalibrationHealth& health = seen_.calibration;
    const std::string of = health.from_rows ? "with rows of the index" : "with queries";
    switch (health.state) {
      case State::none:
        return "none";
      case State::unreadable:
        return "cannot be read";
      case State::too_much:
        return of + ", for more in RAM than there is";
      case State::less:
        return fmt::format("{}, for {} bytes of refinement and {} edges", of, health.refine_bytes,
                           health.nav_edges);
      case State::fits:
        return of + ", for what is in RAM";
    }
    return "";
  }

  std::string worst(const PoorQuery& poor) const {
    std::string text = poor.label ? fmt::format("row of label {}", *poor.label)
                                  : fmt::format("query {}", poor.query);
    text += fmt::format(": {} of {} missed", poor.missed, main_set().k);
    std::string_view before = ": ";
    for (std::size_t r = 0; r < kMissReasons; ++r) {
      if (poor.missed_for[r] == 0) continue;
      text += fmt::format("{}{} {}", before, poor.missed_for[r],
                          reason_words(static_cast<MissReason>(r)));
      before = ", ";
    }
    return text;
  }

  const Examination& seen_;
  const Asked& asked_;
  const std::vector<Finding>& findings_;
  std::string text_;
};

}  // namespace

std::string_view verdict_of(const std::vector<Finding>& findings) {
  if (findings.empty() || findings.front().severity == Severity::note) return "healthy";
  return findings.front().severity == Severity::serious ? "ill" : "warning";
}

std::string doctor_page(const Examination& examination, const Asked& asked,
                        const std::vector<Finding>& findings) {
  return Page(examination, asked, findings).text();
}

}  // namespace cairn::tools

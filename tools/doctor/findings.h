// What to make of an examination: findings, the worst first.
#pragma once

#include <cairn/examine.h>

#include <string>
#include <vector>

namespace cairn::tools {

enum class Severity : std::uint8_t { note, warning, serious };

struct Finding {
  std::string name;  // one word, stable
  Severity severity = Severity::note;
  double weight = 0;  // points of recall lost, or what it weighs among those as severe
  std::string title;  // what is the matter, in a few words
  std::string text;   // with its figures
  std::string next;   // what to do
};

/// How the examined searches were asked for, and what for.
struct Asked {
  std::string index, queries;  // as on the command line; queries may be empty
  std::uint32_t k = 10;
  double recall = kUsualRecall;  // wanted: what `by_recall` searches asked for, or else a yardstick
  bool by_recall = false;
};

/// What recall is wanted, less what sampling and the promise of `--recall` leave open: a mean below
/// it is too low.
double least_recall(const SearchedSet& set, const Asked& asked);

/// By severity, then by weight. Recall that is below least_recall() and two points wanting is
/// serious, and so is a vector out of reach. A loss is divided among the reasons of the missed
/// neighbours; where queries drift, only the loss of the index's own rows is, and what the queries
/// lose beyond it is the drift's.
std::vector<Finding> findings_of(const Examination& examination, const Asked& asked);

/// "codes misrank", as the page has it.
std::string_view reason_words(MissReason reason);

}  // namespace cairn::tools

#include "tests/reliability/damage.h"

#include <algorithm>
#include <cstdio>

#include "engine/search/open_index.h"
#include "tests/reliability/campaign.h"

namespace cairn::reliability {
namespace {

constexpr std::uint64_t kWrongShown = 20;

/// Whether an error is of the harm.
bool blames(const Error& error, const Harm& harm) {
  return error.code == harm.code && std::ranges::any_of(harm.places, [&](const Place& place) {
           if (error.file != place.file) return false;
           return place.blocks.empty() ||
                  (error.block &&
                   std::ranges::find(place.blocks, *error.block) != place.blocks.end());
         });
}

}  // namespace

void Tally::add(const Verdict& verdict, const std::string& damage) {
  refused += verdict.kind == Verdict::Kind::refused;
  harmless += verdict.kind == Verdict::Kind::harmless;
  if (verdict.kind != Verdict::Kind::wrong) return;
  if (++wrong <= kWrongShown) std::printf("WRONG: %s: %s\n", damage.c_str(), verdict.why.c_str());
}

/// The questions to one open index.
class Asker::Round {
 public:
  Round(const KnownIndex& known, std::string folder, Held held, const Harm& harm)
      : known_(known), folder_(std::move(folder)), held_(held), harm_(harm) {}

  void run(io::Fs& fs, OpenOptions options, bool thorough) {
    options.log = [this](const std::string& line) { logged_ += line; };
    auto opened = search::open_index(fs, folder_, options);
    if (!opened) return refuse(opened.error());
    index_ = std::move(*opened);
    for (std::size_t q = 0; q < known_.oracle().spec().queries; ++q) near(q);
    check_efforts();
    for (std::size_t i = 0; i < std::size(kKnownWishes); ++i) wish(kKnownWishes[i]);
    fetch(known_.oracle().labels()[known_.oracle().count() / 2]);
    if (!thorough) return;
    Question all{.request = {.query = known_.oracle().query(0)}};
    all.request.list_size = static_cast<std::uint32_t>(known_.oracle().count());
    judge(all, index_->search(all.request));
    scan();
  }

  Verdict verdict() && {
    if (!why_.empty()) return {.kind = Verdict::Kind::wrong, .why = std::move(why_)};
    if (!error_) return {};
    return {.kind = Verdict::Kind::refused, .error = std::move(error_)};
  }

 private:
  void near(std::size_t q) {
    const Question question = known_.plain(q, 0, held_);
    judge(question, index_->search(question.request));
  }

  /// Without its calibration an index says so, in the log and to whoever asks for recall.
  void check_efforts() {
    const bool calibrated = index_->stats().calibrated;
    if (calibrated && !known_.which(*index_, held_)) blame("other efforts for a recall");
    if (!calibrated && known_.calibrated() && logged_.find(".calibration") == std::string::npos)
      blame("a calibration that is lost without a word");
  }

  void wish(const Wish& wish) {
    const bool calibrated = index_->stats().calibrated;
    const auto effort = index_->effort(wish.k, wish.recall);
    if (effort.has_value() != calibrated) blame("effort without calibration, or none with it");
    if (!effort) refuse_wish(effort.error());
    Question question{.request = {.query = known_.oracle().query(0), .k = wish.k}};
    question.request.recall = wish.recall;
    const auto result = index_->search(question.request);
    if (result && !calibrated) blame("a search by recall without calibration");
    if (!result) return refuse_wish(result.error());
    judge(question, result);
  }

  void fetch(Label label) {
    const auto vector = index_->get(label);
    if (!vector) return refuse(vector.error());
    if (!known_.oracle().is_vector(label, *vector)) blame("another vector of a label");
  }

  void scan() {
    if (const auto order = known_.oracle().check_scan(*index_); !order) refuse(order.error());
  }

  void judge(const Question& question, const Result<SearchResult>& result) {
    if (!result) return refuse(result.error());
    if (const std::string wrong = known_.wrong(question, *result); !wrong.empty())
      blame(wrong + " (" + question.words() + ")");
  }

  /// An index that opened without its calibration does not know how to search by recall, and says
  /// so of the calibration whatever is wrong with it.
  void refuse_wish(Error error) {
    if (error.code == ErrorCode::unsupported && !index_->stats().calibrated)
      error.code = harm_.code;
    refuse(error);
  }

  void refuse(const Error& error) {
    if (!blames(error, harm_)) blame("it blames " + error.to_string());
    if (!error_) error_ = error;
  }

  void blame(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

  const KnownIndex& known_;
  std::string folder_;
  Held held_;
  const Harm& harm_;
  std::unique_ptr<Index> index_;
  std::string logged_, why_;
  std::optional<Error> error_;
};

Asker::Asker(const KnownIndex& known) : known_(known) {
  for (const Held held : {Held::lean, Held::whole}) {
    const Verdict verdict = ask(known.index().fs(), kSimFolder, held, true, {});
    if (verdict.kind == Verdict::Kind::harmless) continue;
    std::printf("WRONG: the whole index: %s%s\n", verdict.why.c_str(),
                verdict.error ? verdict.error->to_string().c_str() : "");
    std::exit(1);
  }
}

Verdict Asker::ask(io::Fs& fs, const std::string& folder, Held held, bool thorough,
                   const Harm& harm, OpenOptions options) const {
  if (held == Held::lean) options.memory_limit_bytes = known_.lean_bytes();
  Round round(known_, folder, held, harm);
  round.run(fs, options, thorough);
  return std::move(round).verdict();
}

void check_healed(const Asker& asker, io::Fs& fs, const std::string& folder, Tally& tally) {
  const Verdict healed = asker.ask(fs, folder, Held::whole, true, {});
  if (healed.kind == Verdict::Kind::wrong) tally.add(healed, "no damage");
}

std::string check_blame(io::Fs& fs, const std::string& folder, const Harm& harm, bool& opened) {
  const auto index = search::open_index(fs, folder, {});
  opened = index.has_value();
  if (!index) return blames(index.error(), harm) ? "" : "open blames " + index.error().to_string();
  const auto report = (*index)->verify();
  if (!report) return "verify gave up: " + report.error().to_string();
  if (report->ok() || report->problems.empty()) return "verify finds nothing";
  if (blames(report->problems.front(), harm)) return {};
  return "verify blames " + report->problems.front().to_string();
}

}  // namespace cairn::reliability

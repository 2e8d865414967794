#include "tests/reliability/known_index.h"

#include <algorithm>

#include "engine/build/replace_calibration.h"
#include "engine/search/open_index.h"
#include "tests/reliability/campaign.h"

namespace cairn::reliability {
namespace {

std::unique_ptr<Index> must_open(io::Fs& fs, const OpenOptions& options) {
  auto opened = search::open_index(fs, kSimFolder, options);
  if (!opened) give_up(opened.error());
  return std::move(*opened);
}

/// As if searches had found less: another calibration that a reader takes.
layout::Calibration lowered(layout::Calibration calibration) {
  for (layout::Curve& curve : calibration.curves)
    for (layout::CurvePoint& point : curve.points) point.recall *= 0.9F;
  return calibration;
}

}  // namespace

KnownIndex::KnownIndex(std::string name, const SimIndexSpec& spec)
    : name_(std::move(name)),
      index_(std::make_unique<SimIndex>(spec)),
      lean_bytes_(smallest_limit(index_->fs(), kSimFolder)) {
  const auto whole = must_open(index_->fs(), {});
  whole_bytes_ = whole->stats().index_ram_bytes;
  for (std::size_t q = 0; q < oracle().spec().queries; ++q)
    for (std::size_t list = 0; list < std::size(kKnownLists); ++list) {
      auto result = whole->search(plain(q, list, Held::whole).request);
      if (!result) give_up(result.error());
      learned_.push_back(std::move(result->neighbors));
    }
  if (!whole->stats().calibrated) return;
  calibrations_.push_back(calibration_of(index_->fs()));
  calibrations_.push_back(lowered(calibrations_[0]));
  for (const layout::Calibration& calibration : calibrations_) {
    const auto fs = index_->fs().copy(1);
    if (auto published = build::replace_calibration(*fs, kSimFolder, calibration); !published)
      give_up(published.error());
    const auto efforts = [&](const OpenOptions& options) {
      auto known = efforts_of(*must_open(*fs, options));
      if (!known) give_up({.code = ErrorCode::unsupported, .what = "no efforts of " + name_});
      return std::move(*known);
    };
    efforts_[static_cast<std::size_t>(Held::whole)].push_back(efforts({}));
    efforts_[static_cast<std::size_t>(Held::lean)].push_back(
        efforts({.memory_limit_bytes = lean_bytes_}));
  }
}

std::optional<KnownIndex::Efforts> KnownIndex::efforts_of(const Index& index) {
  Efforts efforts;
  for (const Wish& wish : kKnownWishes) {
    const auto effort = index.effort(wish.k, wish.recall);
    if (!effort) return std::nullopt;
    efforts.push_back(*effort);
  }
  return efforts;
}

std::optional<std::size_t> KnownIndex::which(const Index& index, Held held) const {
  const auto found = efforts_of(index);
  if (!found) return std::nullopt;
  const std::vector<Efforts>& known = efforts_[static_cast<std::size_t>(held)];
  for (std::size_t i = 0; i < known.size(); ++i)
    if (std::ranges::equal(known[i], *found, same_effort)) return i;
  return std::nullopt;
}

std::string Question::words() const {
  return "query " + std::to_string(query) + ", k " + std::to_string(request.k) + ", list " +
         std::to_string(request.list_size) + ", reads " + std::to_string(request.reads_max) +
         (request.slack ? ", slack" : "") + (request.recall ? ", recall" : "") +
         (request.allow ? ", filter" : "") + (request.edges ? "" : ", no edges") +
         (request.deadline ? ", deadline" : "");
}

Question KnownIndex::plain(std::size_t query, std::size_t list, Held held) const {
  Question question{.request = {}, .query = query, .list = list};
  question.request = {.query = oracle().query(query), .k = kKnownK, .list_size = kKnownLists[list]};
  question.certain = held == Held::whole;
  return question;
}

Question KnownIndex::draw(Held held, bool calibrated, math::Rng& rng) const {
  Question question =
      plain(rng.below(oracle().spec().queries), rng.below(std::size(kKnownLists)), held);
  SearchRequest& request = question.request;
  request.k = static_cast<std::uint32_t>(1 + rng.below(kKnownK));
  if (rng.below(3) == 0) return question;
  if (rng.below(12) == 0) request.list_size = static_cast<std::uint32_t>(oracle().count());
  if (rng.below(4) == 0) request.reads_max = static_cast<std::uint32_t>(rng.below(20));
  if (rng.below(4) == 0) request.slack = static_cast<float>(rng.below(100)) / 400;
  if (rng.below(5) == 0) request.edges = false;
  if (calibrated && rng.below(5) == 0) {
    request.slack.reset();
    request.list_size = 0;
    request.edges = true;
    request.recall = 0.5 + static_cast<double>(rng.below(50)) / 100;
  }
  if (rng.below(5) == 0)
    request.allow = [modulus = 2 + rng.below(5)](Label label) { return label % modulus == 0; };
  question.certain &= request.list_size == kKnownLists[question.list] && !request.slack &&
                      !request.recall && !request.allow && request.edges;
  return question;
}

std::string KnownIndex::wrong(const Question& question, const SearchResult& result) const {
  std::string why = oracle().wrong(question.query, question.request, result);
  if (!why.empty() || !question.is_certain(result)) return why;
  const auto& expected = learned(question.query, question.list);
  const std::size_t count = std::min<std::size_t>(expected.size(), question.request.k);
  if (same_neighbors(result.neighbors,
                     {expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(count)}))
    return {};
  return "another answer than the whole index gave at first";
}

}  // namespace cairn::reliability

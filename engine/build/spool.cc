#include "engine/build/spool.h"

#include <string>

#include "engine/build/index_files.h"
#include "engine/math/row_check.h"

namespace cairn::build {
namespace {

const std::string& rows_name() {
  static const std::string name = TempFiles::name("spool-rows", 0);
  return name;
}
const std::string& labels_name() {
  static const std::string name = TempFiles::name("spool-labels", 0);
  return name;
}

Error bad_argument(std::string what, std::string found, std::string expected) {
  return {.code = ErrorCode::invalid_argument,
          .what = std::move(what),
          .found = std::move(found),
          .expected = std::move(expected)};
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::open(const TempFiles& temp, Journal& journal, Metric metric,
                                           std::uint32_t dim, DType dtype,
                                           std::uint64_t sync_bytes) {
  std::unique_ptr<Spool> spool(new Spool(temp, journal, metric, dim, dtype, sync_bytes));
  if (const Journal::Words* words = journal.find(Unit::spool)) CAIRN_TRY(spool->go_on(*words));
  return spool;
}

Status Spool::go_on(const Journal::Words& words) {
  if (words[3] != dim_ || words[4] != static_cast<std::uint64_t>(dtype_))
    return fail({.code = ErrorCode::already_exists,
                 .what = "go on adding to an unfinished build",
                 .file = temp_.folder(),
                 .found = "dimension " + std::to_string(dim_) + ", elements of type " +
                          std::string(dtype_name(dtype_)),
                 .expected = "dimension " + std::to_string(words[3]) + " and " +
                             std::string(dtype_name(static_cast<DType>(words[4]))) +
                             " as before, or a fresh build"});
  if (words[0] > kRowsMax)
    return fail({.code = ErrorCode::corrupt,
                 .what = "go on adding to an unfinished build",
                 .file = journal_.path(),
                 .found = std::to_string(words[0]) + " vectors",
                 .expected = "at most " + std::to_string(kRowsMax)});
  count_ = synced_rows_ = words[0];
  labelled_ = words[1] != 0;
  sealed_ = words[2] != 0;
  if (sealed_) return {};
  std::size_t at = this->words(false).size();
  CAIRN_ASSIGN(const auto rows, take_state(words, at, journal_.path()));
  CAIRN_ASSIGN(rows_, temp_.resume(rows_name(), rows));
  if (labelled_) {
    CAIRN_ASSIGN(const auto labels, take_state(words, at, journal_.path()));
    CAIRN_ASSIGN(labels_, temp_.resume(labels_name(), labels));
  }
  return {};
}

Status Spool::check_batch(const VectorBatch& batch, std::span<const Label> labels) const {
  if (sealed_)
    return fail(
        bad_argument("add to a build whose vectors were all added before it was interrupted",
                     std::to_string(batch.count) + " more", "finish()"));
  if (batch.dim != dim_)
    return fail(bad_argument("add", "dimension " + std::to_string(batch.dim),
                             "dimension " + std::to_string(dim_)));
  if (batch.dtype != dtype_)
    return fail(bad_argument("add", "elements of type " + std::string(dtype_name(batch.dtype)),
                             std::string(dtype_name(dtype_))));
  if (batch.count > kRowsMax - count_)
    return fail({.code = ErrorCode::over_limit,
                 .what = "add",
                 .found = std::to_string(count_) + " + " + std::to_string(batch.count) + " vectors",
                 .expected = "at most " + std::to_string(kRowsMax)});
  if (!labels.empty() && labels.size() != batch.count)
    return fail(bad_argument("add", std::to_string(labels.size()) + " labels",
                             std::to_string(batch.count)));
  if (batch.count == 0) return {};
  if (count_ != 0 && labelled_ == labels.empty())
    return fail(bad_argument("add row " + std::to_string(count_),
                             labels.empty() ? "no labels" : "labels",
                             "labels with every batch or with none"));
  if (batch.data == nullptr) return fail(bad_argument("add", "no data", "rows"));
  for (std::uint64_t i = 0; i < batch.count; ++i)
    CAIRN_TRY(math::check_row(metric_, batch.row(i), row_name(count_ + i)));
  return {};
}

Status Spool::add(const VectorBatch& batch, std::span<const Label> labels) {
  CAIRN_TRY(check_batch(batch, labels));
  if (batch.count == 0) return {};
  if (!rows_) {
    CAIRN_ASSIGN(rows_, temp_.create(rows_name()));
  }
  if (!labels.empty() && !labels_) {
    CAIRN_ASSIGN(labels_, temp_.create(labels_name()));
  }
  CAIRN_TRY(rows_->append_stream(
      {static_cast<const std::byte*>(batch.data), batch.count * batch.row_bytes()}));
  if (!labels.empty()) CAIRN_TRY(labels_->append_stream(std::as_bytes(labels)));
  labelled_ = !labels.empty();
  count_ += batch.count;
  if ((count_ - synced_rows_) * row_bytes() >= sync_bytes_) return checkpoint();
  return {};
}

Status Spool::checkpoint() {
  Journal::Words words = this->words(false);
  CAIRN_ASSIGN(const auto rows, rows_->checkpoint());
  append_state(rows, words);
  if (labels_) {
    CAIRN_ASSIGN(const auto labels, labels_->checkpoint());
    append_state(labels, words);
  }
  synced_rows_ = count_;
  return journal_.append(Unit::spool, 0, std::move(words));
}

Status Spool::seal() {
  if (sealed_) return {};
  if (rows_) CAIRN_TRY(rows_->finish());
  if (labels_) CAIRN_TRY(labels_->finish());
  rows_.reset();
  labels_.reset();
  sealed_ = true;
  return journal_.append(Unit::spool, 0, words(true));
}

Status Spool::remove(const TempFiles& temp) {
  CAIRN_TRY(temp.remove(rows_name()));
  return temp.remove(labels_name());
}

Status Spool::read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) {
  if (!rows_in_) {
    CAIRN_ASSIGN(rows_in_, temp_.open(rows_name(), count_ * row_bytes()));
  }
  if (labelled_ && !labels_in_) {
    CAIRN_ASSIGN(labels_in_, temp_.open(labels_name(), count_ * sizeof(Label)));
  }
  CAIRN_TRY(rows_in_->read(first * row_bytes(), rows));
  if (labels.empty()) return {};
  return labels_in_->read(first * sizeof(Label), std::as_writable_bytes(labels));
}

}  // namespace cairn::build

// Vectors that a service hands over batch by batch, kept in the work folder until they are
// partitioned: a source that can be read again. What was synced survives a crash.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>
#include <cairn/vector_source.h>

#include <cstdint>
#include <optional>
#include <span>

#include "engine/build/journal.h"
#include "engine/build/temp_files.h"

namespace cairn::build {

/// Most rows of one segment: slots, rounded up to whole blocks in every partition, stay below
/// kNoSlot.
inline constexpr std::uint64_t kRowsMax = 0xfff0'0000u;

/// What a crash may take of vectors that were added.
inline constexpr std::uint64_t kSpoolSyncBytes = std::uint64_t{256} << 20;

class Spool final : public VectorSource {
 public:
  /// Goes on with what `journal` knows; already_exists when those are vectors of another shape.
  /// What is added is synced whenever it is `sync_bytes`. `temp` and `journal` must outlive it.
  static Result<std::unique_ptr<Spool>> open(const TempFiles& temp, Journal& journal, Metric metric,
                                             std::uint32_t dim, DType dtype,
                                             std::uint64_t sync_bytes = kSpoolSyncBytes);

  /// As Builder::add.
  Status add(const VectorBatch& batch, std::span<const Label> labels);
  /// Nothing is added any more; from here on it can be read.
  Status seal();
  bool sealed() const { return sealed_; }
  static Status remove(const TempFiles& temp);

  std::uint32_t dim() const override { return dim_; }
  DType dtype() const override { return dtype_; }
  std::uint64_t count() const override { return count_; }
  bool labelled() const override { return labelled_; }
  Status read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) override;
  std::uint64_t stamp() const override { return 0; }

 private:
  Spool(const TempFiles& temp, Journal& journal, Metric metric, std::uint32_t dim, DType dtype,
        std::uint64_t sync_bytes)
      : temp_(temp),
        journal_(journal),
        metric_(metric),
        dim_(dim),
        dtype_(dtype),
        sync_bytes_(sync_bytes) {}
  Status go_on(const Journal::Words& words);
  /// What a record begins with.
  Journal::Words words(bool sealed) const {
    return {count_, std::uint64_t{labelled_}, std::uint64_t{sealed}, dim_,
            static_cast<std::uint64_t>(dtype_)};
  }
  Status check_batch(const VectorBatch& batch, std::span<const Label> labels) const;
  Status checkpoint();
  std::size_t row_bytes() const { return dim_ * dtype_bytes(dtype_); }

  const TempFiles& temp_;
  Journal& journal_;
  Metric metric_;
  std::uint32_t dim_;
  DType dtype_;
  std::uint64_t sync_bytes_;
  std::uint64_t count_ = 0, synced_rows_ = 0;
  bool labelled_ = false, sealed_ = false;
  std::optional<io::PageWriter> rows_, labels_;
  std::optional<TempReader> rows_in_, labels_in_;
};

}  // namespace cairn::build

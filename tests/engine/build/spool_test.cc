#include "engine/build/spool.h"

#include <cstring>
#include <limits>

#include "engine/build/pipeline.h"
#include "tests/engine/build/build_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::build {
namespace {

VectorBatch batch_of(const std::vector<float>& values, std::uint32_t dim) {
  return {values.data(), values.size() / dim, dim, DType::f32};
}

Error error_of(const Status& status) { return status ? Error{} : status.error(); }

/// A spool in the folder "work" of a file system.
struct Spooled {
  io::Fs& fs;
  Journal journal;
  TempFiles temp;
  std::unique_ptr<Spool> spool;

  Spooled(io::Fs& in, Metric metric, std::uint32_t dim, DType dtype,
          std::uint64_t sync_bytes = kSpoolSyncBytes)
      : fs(in), journal(open_journal(in)), temp(in, "work", 1) {
    spool = must(Spool::open(temp, journal, metric, dim, dtype, sync_bytes));
  }
  static Journal open_journal(io::Fs& fs) {
    if (!must(fs.exists("work"))) {
      EXPECT_TRUE(ok(fs.make_dir("work")));
      EXPECT_TRUE(ok(fs.sync_dir(".")));
    }
    return must(Journal::open(fs, "work"));
  }
  Spool* operator->() { return spool.get(); }
};

struct FloatSpool {
  sim::SimFs fs;
  Spooled spooled;
  FloatSpool(Metric metric, std::uint32_t dim) : spooled(fs, metric, dim, DType::f32) {}
  Spool* operator->() { return spooled.spool.get(); }
};

TEST(Spool, ReadsWhatWasAdded) {
  FloatSpool spool(Metric::l2, 2);
  ASSERT_TRUE(ok(spool->add(batch_of({1, 2, 3, 4}, 2), {})));
  ASSERT_TRUE(ok(spool->add(batch_of({5, 6}, 2), {})));
  ASSERT_TRUE(ok(spool->add({nullptr, 0, 2, DType::f32}, {})));
  ASSERT_EQ(spool->count(), 3U);
  EXPECT_FALSE(spool->labelled());
  ASSERT_TRUE(ok(spool->seal()));
  float rows[4];
  ASSERT_TRUE(ok(spool->read(1, std::as_writable_bytes(std::span(rows)), {})));
  EXPECT_EQ(std::vector<float>(rows, rows + 4), (std::vector<float>{3, 4, 5, 6}));
  expect_error(error_of(spool->add(batch_of({1, 2}, 2), {})), ErrorCode::invalid_argument,
               {"were all added", "finish()"});
}

TEST(Spool, ReadsLabels) {
  FloatSpool spool(Metric::l2, 1);
  ASSERT_TRUE(ok(spool->add(batch_of({1, 2}, 1), std::vector<Label>{9, ~Label{0}})));
  ASSERT_TRUE(ok(spool->add(batch_of({3}, 1), std::vector<Label>{5})));
  ASSERT_TRUE(ok(spool->seal()));
  EXPECT_TRUE(spool->labelled());
  float rows[2];
  Label labels[2];
  ASSERT_TRUE(ok(spool->read(1, std::as_writable_bytes(std::span(rows)), labels)));
  EXPECT_EQ(labels[0], ~Label{0});
  EXPECT_EQ(labels[1], 5U);
}

TEST(Spool, NamesTheRowThatIsNotFiniteAndTakesNothing) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    FloatSpool spool(Metric::l2, 2);
    ASSERT_TRUE(ok(spool->add(batch_of({1, 2, 3, 4}, 2), {})));
    expect_error(error_of(spool->add(batch_of({5, 6, 7, bad}, 2), {})), ErrorCode::invalid_argument,
                 {"row 3", "NaN or infinity"});
    EXPECT_EQ(spool->count(), 2U);
    EXPECT_TRUE(ok(spool->add(batch_of({5, 6}, 2), {})));
  }
}

TEST(Spool, RefusesMagnitudesWhoseDistancesOverflow) {
  FloatSpool spool(Metric::ip, 4);
  EXPECT_TRUE(ok(spool->add(batch_of({3e18F, -3e18F, 3e18F, 3e18F}, 4), {})));
  expect_error(error_of(spool->add(batch_of({0, 0, 0, -1e19F}, 4), {})),
               ErrorCode::invalid_argument, {"row 1, element 3", "magnitude 1e+19"});
}

TEST(Spool, RefusesNormsWhoseCosineIsLost) {
  FloatSpool spool(Metric::cosine, 2);
  EXPECT_TRUE(ok(spool->add(batch_of({2e-12F, 0}, 2), {})));
  expect_error(error_of(spool->add(batch_of({1, 0, 1e-25F, 0}, 2), {})),
               ErrorCode::invalid_argument, {"row 2", "norm 1e-25"});
  EXPECT_EQ(spool->count(), 1U);
}

TEST(Spool, RefusesAZeroVectorUnderCosineAlone) {
  FloatSpool cosine(Metric::cosine, 2);
  expect_error(error_of(cosine->add(batch_of({1, 0, 0, 0}, 2), {})), ErrorCode::invalid_argument,
               {"row 1", "zero vector"});
  EXPECT_EQ(cosine->count(), 0U);
  for (const Metric metric : {Metric::l2, Metric::ip}) {
    FloatSpool spool(metric, 2);
    EXPECT_TRUE(ok(spool->add(batch_of({1, 0, 0, 0}, 2), {})));
  }
  const std::uint8_t zeros[4] = {1, 2, 0, 0};
  sim::SimFs fs;
  Spooled bytes(fs, Metric::cosine, 2, DType::u8);
  expect_error(error_of(bytes->add({zeros, 2, 2, DType::u8}, {})), ErrorCode::invalid_argument,
               {"row 1", "zero vector"});
}

TEST(Spool, RefusesAnotherShape) {
  FloatSpool spool(Metric::l2, 2);
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  expect_error(error_of(spool->add(batch_of(values, 3), {})), ErrorCode::invalid_argument,
               {"dimension 3", "dimension 2"});
  expect_error(error_of(spool->add({values.data(), 1, 2, DType::u8}, {})),
               ErrorCode::invalid_argument, {"u8", "f32"});
  const std::vector<Label> labels{1, 2};
  expect_error(error_of(spool->add(batch_of(values, 2), labels)), ErrorCode::invalid_argument,
               {"2 labels", "3"});
  expect_error(error_of(spool->add({values.data(), kRowsMax + 1, 2, DType::f32}, {})),
               ErrorCode::over_limit, {std::to_string(kRowsMax)});
  expect_error(error_of(spool->add({nullptr, 1, 2, DType::f32}, {})), ErrorCode::invalid_argument,
               {"no data"});
  EXPECT_EQ(spool->count(), 0U);
}

TEST(Spool, WantsLabelsWithEveryBatchOrWithNone) {
  const std::vector<float> values{1, 2};
  const std::vector<Label> labels{7};
  FloatSpool with(Metric::l2, 2), without(Metric::l2, 2);
  ASSERT_TRUE(ok(with->add(batch_of(values, 2), labels)));
  expect_error(error_of(with->add(batch_of(values, 2), {})), ErrorCode::invalid_argument,
               {"row 1", "no labels"});
  ASSERT_TRUE(ok(without->add(batch_of(values, 2), {})));
  expect_error(error_of(without->add(batch_of(values, 2), labels)), ErrorCode::invalid_argument,
               {"row 1", "found labels"});
}

TEST(Spool, GoesOnWithVectorsOfTheSameShapeAlone) {
  sim::SimFs fs;
  const Rows rows = random_rows(100, 8, DType::u8, 1);
  {
    Spooled spool(fs, Metric::l2, 8, DType::u8, 1);
    ASSERT_TRUE(ok(spool->add(rows.batch(), {})));
  }
  const auto refused = [&](std::uint32_t dim, DType dtype) {
    Journal journal = must(Journal::open(fs, "work"));
    const TempFiles temp(fs, "work", 1);
    const auto spool = Spool::open(temp, journal, Metric::l2, dim, dtype);
    ASSERT_FALSE(spool);
    expect_error(spool.error(), ErrorCode::already_exists, {"work", "fresh"});
  };
  refused(4, DType::u8);
  refused(8, DType::i8);
  refused(2, DType::f32);
  EXPECT_EQ(Spooled(fs, Metric::l2, 8, DType::u8)->count(), 100U);
}

/// Power is lost at any operation while batches come; what is said to be there is there, the rest
/// is added again, and all reads back.
TEST(Spool, GoesOnAfterALossOfPower) {
  const Rows rows = random_rows(3000, 12, DType::u8, 1);
  std::vector<Label> labels(3000);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = i * 3;
  constexpr std::uint64_t kBatch = 100, kSyncBytes = 5000;
  const auto add = [&](Spool& spool, bool labelled) -> Status {
    for (std::uint64_t at = spool.count(); at < 3000;) {
      const std::uint64_t n = std::min(kBatch, 3000 - at);
      CAIRN_TRY(spool.add(
          {rows.batch().row(at).data, n, 12, DType::u8},
          labelled ? std::span<const Label>(labels).subspan(at, n) : std::span<const Label>{}));
      at += n;
    }
    return spool.seal();
  };
  for (const bool labelled : {false, true}) {
    std::uint64_t operations = 0, kept = 0;
    {
      sim::SimFs fs;
      Spooled spool(fs, Metric::l2, 12, DType::u8, kSyncBytes);
      ASSERT_TRUE(ok(add(*spool.spool, labelled)));
      operations = fs.operations().size();
    }
    for (std::uint64_t at = 4; at <= operations; ++at) {
      SCOPED_TRACE("power lost before operation " + std::to_string(at));
      sim::SimFs fs;
      Spooled spool(fs, Metric::l2, 12, DType::u8, kSyncBytes);
      fs.faults().add(
          sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::power_off, .error = 5});
      const bool sealed = static_cast<bool>(add(*spool.spool, labelled));
      const std::uint64_t before = spool->count();
      std::vector<sim::Fate> fates(fs.pending().size());
      for (std::size_t i = 0; i < fates.size(); ++i)
        fates[i] = static_cast<sim::Fate>(at % 5 < 4 ? at % 5 : (at + i) % 4);
      const auto after = fs.after_power_loss(fates, at);
      Spooled again(*after, Metric::l2, 12, DType::u8, kSyncBytes);
      // What was not synced is less than one checkpoint and the batch that brought it.
      EXPECT_GE((again->count() + kBatch) * 12 + kSyncBytes, before * 12);
      kept += again->count() > 0 && again->count() < 3000 ? 1U : 0U;
      if (sealed) {
        EXPECT_TRUE(again->sealed());
      }
      if (!again->sealed()) {
        ASSERT_TRUE(ok(add(*again.spool, labelled)));
      }
      std::vector<std::byte> back(rows.bytes.size());
      std::vector<Label> named(labelled ? 3000 : 0);
      ASSERT_EQ(again->count(), 3000U);
      ASSERT_TRUE(ok(again->read(0, back, named)));
      EXPECT_EQ(back, rows.bytes);
      if (labelled) {
        EXPECT_EQ(named, labels);
      }
    }
    EXPECT_GT(kept, 5U);
  }
}

TEST(Spool, IsASourceOfABuild) {
  const Rows rows = random_rows(300, 6, DType::u8, 2);
  BuildOptions options;
  options.calibration_rows = 0;
  options.degree = 8;
  options.code_bytes = 2;
  options.refine_bytes = 2;
  options.threads = 1;
  options.memory_bytes = std::uint64_t{1} << 30;
  sim::SimFs fs;
  Spooled spool(fs, Metric::l2, 6, DType::u8, 400);
  ASSERT_TRUE(ok(spool->add(rows.batch(), {})));
  ASSERT_TRUE(ok(spool->seal()));
  BuildReport report;
  Phases phases(options, report);
  ASSERT_TRUE(ok(build_in(*spool.spool, options, fs, spool.journal, "work", phases, report)));
  EXPECT_EQ(report.vectors, 300U);
  for (const std::string& name : must(fs.list("work"))) EXPECT_FALSE(name.starts_with("spool"));
}

}  // namespace
}  // namespace cairn::build

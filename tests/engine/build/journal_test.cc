#include "engine/build/journal.h"

#include "tests/engine/build/build_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::build {
namespace {

constexpr char kFolder[] = "work";
constexpr char kFile[] = "work/JOURNAL";

using Words = Journal::Words;

/// Words of any number and value.
Words words_of(std::uint64_t unit) {
  Words words(unit * 7 % 11);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = ~unit * (i + 1);
  return words;
}

void append_many(Journal& journal, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t unit = first; unit < first + count; ++unit)
    ASSERT_TRUE(ok(journal.append(Unit::scatter, unit, words_of(unit))));
}

/// Whether exactly units [0, count) are there.
void expect_units(const Journal& journal, std::uint64_t count) {
  EXPECT_EQ(journal.size(), count);
  EXPECT_EQ(journal.empty(), count == 0);
  for (std::uint64_t unit = 0; unit < count; ++unit) {
    const Words* words = journal.find(Unit::scatter, unit);
    ASSERT_NE(words, nullptr) << "unit " << unit;
    EXPECT_EQ(*words, words_of(unit));
  }
  EXPECT_EQ(journal.find(Unit::scatter, count), nullptr);
  EXPECT_EQ(journal.find(Unit::merge, 0), nullptr);
}

/// A folder with a journal of `count` records; after[i]: its length after i of them.
struct Written {
  sim::SimFs fs;
  std::vector<std::size_t> after{0};

  explicit Written(std::uint64_t count) {
    EXPECT_TRUE(ok(fs.make_dir(kFolder)));
    Journal journal = must(Journal::open(fs, kFolder));
    for (std::uint64_t unit = 0; unit < count; ++unit) {
      append_many(journal, unit, 1);
      after.push_back(fs.bytes(kFile).size());
    }
  }
};

TEST(Journal, IsEmptyAtFirst) {
  Written written(0);
  expect_units(must(Journal::open(written.fs, kFolder)), 0);
}

TEST(Journal, KeepsItsRecords) {
  Written written(12);
  for (std::uint64_t count = 12; count < 15; ++count) {
    Journal journal = must(Journal::open(written.fs, kFolder));
    expect_units(journal, count);
    append_many(journal, count, 1);
    expect_units(journal, count + 1);
  }
}

TEST(Journal, TakesTheLastRecordOfAUnit) {
  Written written(2);
  Journal journal = must(Journal::open(written.fs, kFolder));
  ASSERT_TRUE(ok(journal.append(Unit::scatter, 1, {5, 6})));
  EXPECT_EQ(*journal.find(Unit::scatter, 1), (Words{5, 6}));
  EXPECT_EQ(*must(Journal::open(written.fs, kFolder)).find(Unit::scatter, 1), (Words{5, 6}));
}

TEST(Journal, EndsBeforeARecordThatWasCutOff) {
  const Written whole(6);
  const auto bytes = whole.fs.bytes(kFile);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    SCOPED_TRACE(std::to_string(length) + " bytes");
    const std::uint64_t records = static_cast<std::uint64_t>(
        std::ranges::upper_bound(whole.after, length) - whole.after.begin() - 1);
    Written cut(0);
    cut.fs.set_bytes(kFile, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)});
    {
      Journal journal = must(Journal::open(cut.fs, kFolder));
      expect_units(journal, records);
      append_many(journal, records, 2);
    }
    expect_units(must(Journal::open(cut.fs, kFolder)), records + 2);
  }
}

TEST(Journal, EndsBeforeARecordWithAWrongByte) {
  const Written whole(5);
  const auto bytes = whole.fs.bytes(kFile);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    SCOPED_TRACE("byte " + std::to_string(at));
    const std::uint64_t records = static_cast<std::uint64_t>(
        std::ranges::upper_bound(whole.after, at) - whole.after.begin() - 1);
    Written damaged(0);
    auto flipped = bytes;
    flipped[at] ^= std::byte{0x40};
    damaged.fs.set_bytes(kFile, flipped);
    {
      Journal journal = must(Journal::open(damaged.fs, kFolder));
      expect_units(journal, records);
      append_many(journal, records, 1);
    }
    expect_units(must(Journal::open(damaged.fs, kFolder)), records + 1);
  }
}

// A record that is whole at another place is not one: it may be what an older journal left there.
TEST(Journal, TakesNoRecordFromAnotherPlace) {
  const Written whole(3);
  auto bytes = whole.fs.bytes(kFile);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(whole.after[1]));
  Written moved(0);
  moved.fs.set_bytes(kFile, bytes);
  expect_units(must(Journal::open(moved.fs, kFolder)), 0);
}

// Who reads a record takes the words of its kind as there.
TEST(Journal, EndsBeforeARecordOfTooFewWords) {
  for (const Unit kind : {Unit::head, Unit::sample, Unit::cells, Unit::link, Unit::merge,
                          Unit::repair, Unit::stream, Unit::plan, Unit::done, Unit::spool}) {
    const std::uint32_t least = words_min(kind);
    ASSERT_GT(least, 0U);
    for (std::uint32_t words = 0; words < least + 2; ++words) {
      Written written(1);
      {
        Journal journal = must(Journal::open(written.fs, kFolder));
        ASSERT_TRUE(ok(journal.append(kind, 0, Words(words, 7))));
        append_many(journal, 1, 1);
      }
      const Journal journal = must(Journal::open(written.fs, kFolder));
      EXPECT_EQ(journal.size(), words < least ? 1U : 3U) << words << " words";
      EXPECT_EQ(journal.find(kind) != nullptr, words >= least);
    }
  }
}

/// What was appended before a loss of power is there, and at most one record more.
TEST(Journal, SurvivesALossOfPower) {
  constexpr std::uint64_t kRecords = 6;
  std::uint64_t operations = 0;
  {
    Written whole(kRecords);
    operations = whole.fs.operations().size();
  }
  for (std::uint64_t at = 0; at < operations; ++at)
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      SCOPED_TRACE("power lost before operation " + std::to_string(at) + ", seed " +
                   std::to_string(seed));
      sim::SimFs fs;
      EXPECT_TRUE(ok(fs.make_dir(kFolder)));
      EXPECT_TRUE(ok(fs.sync_dir(".")));
      fs.faults().add(
          sim::FsFault{.when = {.at = at + 1}, .kind = sim::FsFault::Kind::power_off, .error = 5});
      std::uint64_t appended = 0;
      if (auto journal = Journal::open(fs, kFolder))
        while (appended < kRecords && journal->append(Unit::scatter, appended, words_of(appended)))
          ++appended;
      const std::size_t pending = fs.pending().size();
      std::vector<sim::Fate> fates(pending);
      for (std::size_t i = 0; i < pending; ++i)
        fates[i] = static_cast<sim::Fate>(seed < 4 ? seed : (seed * 31 + i * 7) % 4);
      const auto after = fs.after_power_loss(fates, seed);
      Journal journal = must(Journal::open(*after, kFolder));
      EXPECT_GE(journal.size(), appended);
      EXPECT_LE(journal.size(), appended + 1);
      expect_units(journal, journal.size());
      const std::uint64_t count = journal.size();
      append_many(journal, count, 1);
      expect_units(must(Journal::open(*after, kFolder)), count + 1);
    }
}

TEST(Journal, DoesNotHaveWhatItCouldNotSync) {
  Written written(1);
  Journal journal = must(Journal::open(written.fs, kFolder));
  written.fs.faults().add(
      sim::FsFault{.when = {.path_contains = "JOURNAL"}, .op = sim::FsOp::sync, .error = 5});
  const Status failed = journal.append(Unit::merge, 0, {1});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::io);
  EXPECT_EQ(failed.error().file, kFile) << "one that goes on was written under another name";
  EXPECT_EQ(journal.find(Unit::merge, 0), nullptr);
  EXPECT_FALSE(journal.append(Unit::merge, 0, {1})) << "a failed sync is not tried again";
}

}  // namespace
}  // namespace cairn::build

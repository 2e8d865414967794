#include "tests/sim/disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace cairn::sim {
namespace {

std::vector<std::byte> filled(std::size_t bytes, int value) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(value));
}

std::vector<Fate> all(const Disk& disk, Fate fate) {
  return std::vector<Fate>(disk.pending().size(), fate);
}

TEST(Disk, SyncedFileInASyncedFolderSurvives) {
  Disk disk;
  const NodeId file = disk.make(Disk::kRoot, "a", false);
  disk.append(file, filled(1000, 1));
  disk.sync_file(file);
  disk.sync_folder(Disk::kRoot);
  EXPECT_TRUE(disk.pending().empty());
  const Disk after = disk.after_power_loss({}, 1);
  ASSERT_TRUE(after.find("a"));
  EXPECT_EQ(after.bytes(*after.find("a")), filled(1000, 1));
  EXPECT_EQ(after.used_bytes(), 1000u);
}

TEST(Disk, SyncOfAFileDoesNotSaveItsName) {
  Disk disk;
  const NodeId file = disk.make(Disk::kRoot, "a", false);
  disk.append(file, filled(10, 1));
  disk.sync_file(file);
  ASSERT_EQ(disk.pending().size(), 1u);
  EXPECT_EQ(disk.pending()[0].kind, Pending::Kind::folder);
  EXPECT_EQ(disk.pending()[0].path, "a");
  EXPECT_FALSE(disk.after_power_loss(all(disk, Fate::lost), 1).find("a"));
  EXPECT_TRUE(disk.after_power_loss(all(disk, Fate::whole), 1).find("a"));
}

TEST(Disk, SyncOfAFolderDoesNotSaveTheBytes) {
  Disk disk;
  const NodeId file = disk.make(Disk::kRoot, "a", false);
  disk.append(file, filled(2048, 1));
  disk.append(file, filled(100, 2));
  disk.sync_folder(Disk::kRoot);
  ASSERT_EQ(disk.pending().size(), 2u);
  const auto after = [&](std::vector<Fate> fates) {
    const Disk left = disk.after_power_loss(fates, 7);
    return left.bytes(*left.find("a"));
  };
  EXPECT_EQ(after({Fate::lost, Fate::lost}).size(), 0u);
  EXPECT_EQ(after({Fate::whole, Fate::lost}), filled(2048, 1));
  // The second append alone: the first is a hole.
  auto hole = filled(2148, 2);
  std::fill_n(hole.begin(), 2048, std::byte{0});
  EXPECT_EQ(after({Fate::lost, Fate::whole}), hole);
  EXPECT_EQ(after({Fate::zeros, Fate::lost}), filled(2048, 0));
  const auto torn = after({Fate::torn, Fate::lost});
  ASSERT_EQ(torn.size(), 2048u);
  for (std::size_t sector = 0; sector < 4; ++sector)
    EXPECT_EQ(std::set(torn.begin() + static_cast<long>(sector) * 512,
                       torn.begin() + static_cast<long>(sector + 1) * 512)
                  .size(),
              1u);
}

TEST(Disk, BytesOfAFailedSyncStayAtRiskAfterALaterOne) {
  Disk disk;
  const NodeId file = disk.make(Disk::kRoot, "a", false);
  disk.sync_folder(Disk::kRoot);
  disk.append(file, filled(512, 1));
  disk.sync_file_failed(file);
  disk.append(file, filled(512, 2));
  disk.sync_file(file);
  EXPECT_EQ(disk.bytes(file).size(), 1024u) << "reads still show everything";
  ASSERT_EQ(disk.pending().size(), 1u);
  const Disk after = disk.after_power_loss(all(disk, Fate::lost), 1);
  auto expected = filled(1024, 2);
  std::fill_n(expected.begin(), 512, std::byte{0});
  EXPECT_EQ(after.bytes(file), expected);
}

TEST(Disk, RenameIsAtomicAcrossFolders) {
  Disk disk;
  const NodeId from = disk.make(Disk::kRoot, "from", true);
  const NodeId to = disk.make(Disk::kRoot, "to", true);
  disk.sync_folder(Disk::kRoot);
  const NodeId file = disk.make(from, "a", false);
  disk.append(file, filled(5, 1));
  disk.sync_file(file);
  disk.sync_folder(from);
  disk.rename(from, "a", to, "b");
  EXPECT_EQ(disk.used_bytes(), 5u);
  ASSERT_EQ(disk.pending().size(), 1u);
  for (const Fate fate : {Fate::lost, Fate::whole}) {
    const Disk after = disk.after_power_loss(all(disk, fate), 1);
    EXPECT_EQ(after.find("from/a").has_value(), fate == Fate::lost);
    EXPECT_EQ(after.find("to/b").has_value(), fate == Fate::whole);
  }
  disk.sync_folder(from);
  EXPECT_TRUE(disk.after_power_loss({}, 1).find("to/b"));
}

TEST(Disk, RenameOverAFileShowsOneOrTheOther) {
  Disk disk;
  const NodeId old_file = disk.make(Disk::kRoot, "M", false);
  disk.append(old_file, filled(3, 1));
  disk.sync_file(old_file);
  disk.sync_folder(Disk::kRoot);
  const NodeId new_file = disk.make(Disk::kRoot, "M.tmp", false);
  disk.append(new_file, filled(4, 2));
  disk.sync_file(new_file);
  disk.rename(Disk::kRoot, "M.tmp", Disk::kRoot, "M");
  EXPECT_EQ(disk.used_bytes(), 4u);
  for (const auto& fates : fate_sets(disk.pending().size(), 1)) {
    const Disk after = disk.after_power_loss(fates, 1);
    const auto& bytes = after.bytes(after.find("M").value());
    EXPECT_TRUE(bytes == filled(3, 1) || bytes == filled(4, 2));
  }
}

// A synced change behind an unsynced one of the same entry must still win.
TEST(Disk, OrderOfChangesOfOneEntryIsKept) {
  Disk disk;
  const NodeId d1 = disk.make(Disk::kRoot, "d1", true);
  const NodeId d2 = disk.make(Disk::kRoot, "d2", true);
  disk.sync_folder(Disk::kRoot);
  const NodeId first = disk.make(d2, "y", false);   // not synced
  const NodeId second = disk.make(d1, "x", false);  // renamed over it
  disk.rename(d1, "x", d2, "y");
  disk.sync_folder(d1);  // saves the creation of x and the rename
  for (const auto& fates : fate_sets(disk.pending().size(), 1)) {
    const Disk after = disk.after_power_loss(fates, 1);
    EXPECT_EQ(after.find("d2/y"), std::optional(second));
    EXPECT_FALSE(after.find("d1/x"));
  }
  EXPECT_NE(first, second);
}

TEST(Disk, PendingIsInTheOrderOfTheChanges) {
  Disk disk;
  const NodeId a = disk.make(Disk::kRoot, "a", false);
  disk.append(a, filled(1, 1));
  const NodeId b = disk.make(Disk::kRoot, "b", false);
  disk.append(b, filled(2, 1));
  disk.append(a, filled(3, 1));
  std::vector<std::uint64_t> bytes;
  for (const Pending& one : disk.pending()) bytes.push_back(one.bytes);
  EXPECT_EQ(bytes, (std::vector<std::uint64_t>{0, 1, 0, 2, 3}));
}

TEST(Disk, RemovedFilesGiveTheirRoomBack) {
  Disk disk;
  disk.append(disk.make(Disk::kRoot, "a", false), filled(100, 1));
  EXPECT_EQ(disk.used_bytes(), 100u);
  disk.remove(Disk::kRoot, "a");
  EXPECT_EQ(disk.used_bytes(), 0u);
  EXPECT_FALSE(disk.find("a"));
}

TEST(FateSets, AreAllSubsetsWhenFew) {
  const auto sets = fate_sets(3, 1, 12, 0);
  EXPECT_EQ(sets.size(), 8u);
  EXPECT_EQ(std::set(sets.begin(), sets.end()).size(), 8u);
  EXPECT_EQ(fate_sets(0, 1).size(), 1u);
}

TEST(FateSets, ArePrefixesSinglesAndSamplesWhenMany) {
  const auto sets = fate_sets(20, 1, 12, 5);
  EXPECT_EQ(sets.size(), 21u + 40 + 5 + 5);
  for (const auto& set : sets) EXPECT_EQ(set.size(), 20u);
  EXPECT_EQ(sets, fate_sets(20, 1, 12, 5)) << "the same seed, the same sets";
}

}  // namespace
}  // namespace cairn::sim

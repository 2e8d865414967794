// The disk below a simulated file system: files, folders, and for each change whether it would
// survive a loss of power. Pure state, no faults, no locks.
//
// The model, at least as hostile as ext4, XFS and btrfs:
//  - Bytes appended since a file's last successful sync each survive whole, in part (any subset of
//    512-byte sectors, the rest zero), as zeros (the length survives, the data does not), or not
//    at all, each append by itself.
//  - A change of a folder (create, rename, remove, make_dir) survives or not, each by itself, until
//    that folder is synced. Syncing a file does not save its name. A rename is atomic: both of its
//    folders show it or neither does, and syncing either of them makes it last.
//  - After a failed sync the kernel has marked the pages clean (Rebello et al., USENIX ATC 2020):
//    reads still show the bytes, later syncs succeed, and the bytes may be gone after a crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::sim {

/// What a loss of power does to one change that was not synced.
enum class Fate : std::uint8_t { lost, whole, zeros, torn };

/// A change that a loss of power may undo, in the order in which they were made.
struct Pending {
  enum class Kind : std::uint8_t { append, folder };
  Kind kind = Kind::append;
  std::string path;         // of the file; of the entry that a folder change makes or removes
  std::uint64_t bytes = 0;  // appended
};

using NodeId = std::uint32_t;

class Disk {
 public:
  static constexpr NodeId kRoot = 0;

  Disk();

  /// The node at `path`; components separated by '/', empty ones and "." skipped.
  std::optional<NodeId> find(std::string_view path) const;
  /// The folder that `path` lies in, and its last component; nothing if there is no such folder.
  std::optional<std::pair<NodeId, std::string>> place(std::string_view path) const;

  bool is_folder(NodeId node) const { return nodes_[node].is_folder; }
  const std::map<std::string, NodeId>& entries(NodeId folder) const {
    return nodes_[folder].entries;
  }
  const std::vector<std::byte>& bytes(NodeId file) const { return nodes_[file].bytes; }
  std::uint64_t used_bytes() const { return used_bytes_; }

  /// Makes a new entry; the place must be free.
  NodeId make(NodeId folder, const std::string& name, bool is_folder);
  void remove(NodeId folder, const std::string& name);
  /// Replaces what stands at the target.
  void rename(NodeId from, const std::string& from_name, NodeId to, const std::string& to_name);
  void append(NodeId file, std::span<const std::byte> bytes);
  /// Cuts a file, for good at once; what is left of its unsynced appends is still at risk.
  void truncate(NodeId file, std::uint64_t bytes);
  /// Replaces a file's bytes, as synced: what a test plants.
  void set_bytes(NodeId file, std::vector<std::byte> bytes);

  void sync_file(NodeId file);
  void sync_file_failed(NodeId file);
  void sync_folder(NodeId folder);

  std::vector<Pending> pending() const;
  /// The disk after a loss of power: fates[i] befalls pending()[i]; `seed` picks torn sectors.
  /// A folder change knows only lost and whole (anything but lost).
  Disk after_power_loss(std::span<const Fate> fates, std::uint64_t seed) const;

 private:
  struct Append {
    std::uint64_t at = 0;
    std::uint64_t bytes = 0;
    std::uint64_t order = 0;
    bool unsafe = false;  // a sync of it failed: no later sync saves it
  };
  struct Node {
    bool is_folder = false;
    std::string path;  // where it was made or renamed to, for people
    std::vector<std::byte> bytes = {};
    std::vector<Append> unsynced = {};
    std::map<std::string, NodeId> entries = {};
    std::map<std::string, NodeId> synced_entries = {};  // before changes_
  };
  struct Entry {
    NodeId folder = 0;
    std::string name;
    std::optional<NodeId> node;  // none: removed
  };
  struct Change {
    std::vector<Entry> entries;
    std::uint64_t order = 0;
    bool synced = false;
    std::string path;
  };

  void apply(Change change);
  void fold_synced_changes();
  static std::vector<std::byte> survive(const Node& file, std::span<const Fate> fates,
                                        std::uint64_t seed);

  std::vector<Node> nodes_;
  std::vector<Change> changes_;  // of folders, not folded into synced_entries yet
  std::uint64_t next_order_ = 0;
  std::uint64_t used_bytes_ = 0;
};

/// Fates worth trying for `count` pending changes: all subsets lost or whole if there are at most
/// `exhaustive_max`; else every prefix, each alone, all but each, and `sampled` seeded ones. Beside
/// these, `sampled` seeded mixtures of all four fates.
std::vector<std::vector<Fate>> fate_sets(std::size_t count, std::uint64_t seed,
                                         std::size_t exhaustive_max = 12, std::size_t sampled = 16);

}  // namespace cairn::sim

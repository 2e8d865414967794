#include "tests/sim/disk.h"

#include <algorithm>
#include <random>
#include <utility>

namespace cairn::sim {
namespace {

constexpr std::uint64_t kSectorBytes = 512;

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

}  // namespace

Disk::Disk() { nodes_.push_back({.is_folder = true, .path = "/"}); }

std::optional<NodeId> Disk::find(std::string_view path) const {
  NodeId at = kRoot;
  for (const std::string& part : components(path)) {
    const auto entry = nodes_[at].entries.find(part);
    if (entry == nodes_[at].entries.end()) return std::nullopt;
    at = entry->second;
  }
  return at;
}

std::optional<std::pair<NodeId, std::string>> Disk::place(std::string_view path) const {
  const std::vector<std::string> parts = components(path);
  if (parts.empty()) return std::nullopt;
  NodeId at = kRoot;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const auto entry = nodes_[at].entries.find(parts[i]);
    if (entry == nodes_[at].entries.end()) return std::nullopt;
    at = entry->second;
  }
  if (!nodes_[at].is_folder) return std::nullopt;
  return std::pair(at, parts.back());
}

// ---- changes

void Disk::apply(Change change) {
  for (const Entry& entry : change.entries) {
    auto& entries = nodes_[entry.folder].entries;
    const auto old = entries.find(entry.name);
    // A file that loses its only name gives its room back.
    if (old != entries.end() && !entry.node) used_bytes_ -= nodes_[old->second].bytes.size();
    if (entry.node) {
      entries[entry.name] = *entry.node;
    } else if (old != entries.end()) {
      entries.erase(old);
    }
  }
  change.order = next_order_++;
  changes_.push_back(std::move(change));
}

NodeId Disk::make(NodeId folder, const std::string& name, bool is_folder) {
  const auto node = static_cast<NodeId>(nodes_.size());
  const std::string path = (folder == kRoot ? "" : nodes_[folder].path + "/") + name;
  nodes_.push_back({.is_folder = is_folder, .path = path});
  apply({.entries = {{folder, name, node}}, .path = path});
  return node;
}

void Disk::remove(NodeId folder, const std::string& name) {
  apply({.entries = {{folder, name, std::nullopt}},
         .path = nodes_[nodes_[folder].entries.at(name)].path});
}

void Disk::rename(NodeId from, const std::string& from_name, NodeId to,
                  const std::string& to_name) {
  const NodeId node = nodes_[from].entries.at(from_name);
  const auto replaced = nodes_[to].entries.find(to_name);
  if (replaced != nodes_[to].entries.end()) used_bytes_ -= nodes_[replaced->second].bytes.size();
  used_bytes_ += nodes_[node].bytes.size();  // the entry that goes gives it back
  nodes_[node].path = (to == kRoot ? "" : nodes_[to].path + "/") + to_name;
  apply({.entries = {{to, to_name, node}, {from, from_name, std::nullopt}},
         .path = nodes_[node].path});
}

void Disk::append(NodeId file, std::span<const std::byte> bytes) {
  Node& node = nodes_[file];
  node.unsynced.push_back({.at = node.bytes.size(), .bytes = bytes.size(), .order = next_order_++});
  node.bytes.insert(node.bytes.end(), bytes.begin(), bytes.end());
  used_bytes_ += bytes.size();
}

void Disk::truncate(NodeId file, std::uint64_t bytes) {
  Node& node = nodes_[file];
  if (bytes >= node.bytes.size()) return;
  used_bytes_ -= node.bytes.size() - bytes;
  node.bytes.resize(bytes);
  std::erase_if(node.unsynced, [&](const Append& append) { return append.at >= bytes; });
  for (Append& append : node.unsynced) append.bytes = std::min(append.bytes, bytes - append.at);
}

void Disk::set_bytes(NodeId file, std::vector<std::byte> bytes) {
  Node& node = nodes_[file];
  used_bytes_ += bytes.size();
  used_bytes_ -= node.bytes.size();
  node.bytes = std::move(bytes);
  node.unsynced.clear();
}

void Disk::sync_file(NodeId file) {
  std::erase_if(nodes_[file].unsynced, [](const Append& append) { return !append.unsafe; });
}

void Disk::sync_file_failed(NodeId file) {
  for (Append& append : nodes_[file].unsynced) append.unsafe = true;
}

void Disk::sync_folder(NodeId folder) {
  for (Change& change : changes_)
    for (const Entry& entry : change.entries)
      if (entry.folder == folder) change.synced = true;
  fold_synced_changes();
}

// Only from the front: a synced change may come after one that is not and that names the same
// entry, and the order of the two decides what stands there.
void Disk::fold_synced_changes() {
  const auto end = std::find_if(changes_.begin(), changes_.end(),
                                [](const Change& change) { return !change.synced; });
  for (auto change = changes_.begin(); change != end; ++change)
    for (const Entry& entry : change->entries) {
      auto& synced = nodes_[entry.folder].synced_entries;
      if (entry.node) {
        synced[entry.name] = *entry.node;
      } else {
        synced.erase(entry.name);
      }
    }
  changes_.erase(changes_.begin(), end);
}

// ---- loss of power

std::vector<Pending> Disk::pending() const {
  std::vector<std::pair<std::uint64_t, Pending>> ordered;
  for (const Node& node : nodes_)
    for (const Append& append : node.unsynced)
      ordered.push_back({append.order, {Pending::Kind::append, node.path, append.bytes}});
  for (const Change& change : changes_)
    if (!change.synced) ordered.push_back({change.order, {Pending::Kind::folder, change.path, 0}});
  std::sort(ordered.begin(), ordered.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Pending> result;
  for (auto& [order, one] : ordered) result.push_back(std::move(one));
  return result;
}

// `fates`: of the file's unsynced appends, in order. What lies between them is synced.
std::vector<std::byte> Disk::survive(const Node& file, std::span<const Fate> fates,
                                     std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes = file.bytes;
  std::uint64_t length = 0;
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < file.unsynced.size(); ++i) {
    const Append& append = file.unsynced[i];
    const std::uint64_t end = append.at + append.bytes;
    if (append.at > at) length = append.at;
    if (fates[i] != Fate::lost) length = end;
    for (at = append.at; at < end;) {
      const std::uint64_t next = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
      if (fates[i] != Fate::whole && (fates[i] != Fate::torn || random() % 2 == 0))
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                  bytes.begin() + static_cast<std::ptrdiff_t>(next), std::byte{0});
      at = next;
    }
  }
  if (at < bytes.size()) length = bytes.size();
  bytes.resize(length);
  return bytes;
}

Disk Disk::after_power_loss(std::span<const Fate> fates, std::uint64_t seed) const {
  // The fate of each pending change by its place in the order of all.
  std::map<std::uint64_t, Fate> fate_of;
  for (const Node& node : nodes_)
    for (const Append& append : node.unsynced) fate_of[append.order] = Fate::lost;
  for (const Change& change : changes_)
    if (!change.synced) fate_of[change.order] = Fate::lost;
  std::size_t next = 0;
  for (auto& [order, fate] : fate_of) fate = next < fates.size() ? fates[next++] : Fate::lost;

  Disk after;
  after.nodes_.clear();
  for (const Node& node : nodes_) {
    std::vector<Fate> own;
    for (const Append& append : node.unsynced) own.push_back(fate_of.at(append.order));
    Node& kept = after.nodes_.emplace_back();
    kept.is_folder = node.is_folder;
    kept.path = node.path;
    kept.bytes = survive(node, own, seed + after.nodes_.size());
    kept.synced_entries = node.synced_entries;
  }
  for (const Change& change : changes_)
    if (change.synced || fate_of.at(change.order) != Fate::lost) after.changes_.push_back(change);
  for (Change& change : after.changes_) change.synced = true;
  after.fold_synced_changes();
  for (Node& node : after.nodes_) {
    node.entries = node.synced_entries;
    for (const auto& [name, child] : node.entries)
      after.used_bytes_ += after.nodes_[child].bytes.size();
  }
  return after;
}

std::vector<std::vector<Fate>> fate_sets(std::size_t count, std::uint64_t seed,
                                         std::size_t exhaustive_max, std::size_t sampled) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<Fate>> sets;
  const auto add = [&](auto kept) {
    std::vector<Fate>& fates = sets.emplace_back(count);
    for (std::size_t i = 0; i < count; ++i) fates[i] = kept(i) ? Fate::whole : Fate::lost;
  };
  if (count <= exhaustive_max) {
    for (std::uint64_t subset = 0; subset < std::uint64_t{1} << count; ++subset)
      add([&](std::size_t i) { return (subset >> i & 1) != 0; });
  } else {
    for (std::size_t length = 0; length <= count; ++length)
      add([&](std::size_t i) { return i < length; });
    for (std::size_t one = 0; one < count; ++one) {
      add([&](std::size_t i) { return i == one; });
      add([&](std::size_t i) { return i != one; });
    }
    for (std::size_t s = 0; s < sampled; ++s) add([&](std::size_t) { return random() % 2 == 0; });
  }
  for (std::size_t s = 0; s < (count == 0 ? 0 : sampled); ++s)
    for (Fate& fate : sets.emplace_back(count)) fate = static_cast<Fate>(random() % 4);
  return sets;
}

}  // namespace cairn::sim

// One other library under measurement. An adapter holds its index; measure.cc asks all of them the
// same questions. Adapters may throw what the library throws: peers.cc catches.
#pragma once

#include <cairn/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/to_floats.h"

namespace cairn::peers {

struct PeerOptions {
  Metric metric = Metric::l2;
  std::uint64_t count = 0;
  std::uint32_t dim = 0;
  DType dtype = DType::f32;
  std::uint32_t threads = 1;
  std::uint32_t degree = 16;  // HNSW's M: 2M links at the bottom
  std::uint32_t ef_construction = 200;
  std::uint32_t code_bytes = 32;  // upper bound for PQ
};

struct Answer {
  std::uint64_t id = 0;
  double distance = 0;  // as Cairn's: squared l2; 1 - dot; 1 - cosine
};

/// Calls its argument with consecutive batches of the input, from the first row to the last.
using Pass = std::function<void(const std::function<void(const VectorBatch&, std::uint64_t)>&)>;

class Peer {
 public:
  virtual ~Peer() = default;
  /// What it is and how it was compiled, for the head of its table.
  virtual std::string description() const = 0;
  virtual void build(const Pass& pass) = 0;
  /// ef or nprobe of the searches that follow.
  virtual void set_list_size(std::uint32_t list_size) = 0;
  /// The name of that parameter.
  virtual std::string list_name() const = 0;
  /// One query on the calling thread, which alone works on it; ascending.
  virtual std::vector<Answer> search(VectorView query, std::uint32_t k) const = 0;
};

/// hnswlib as Debian packages it: header-only, so compiled with this machine's instructions.
std::unique_ptr<Peer> make_hnswlib(const PeerOptions& options);
/// The same over bytes (L2SpaceI), which has no vector code of its own. dtype u8 and l2 only.
std::unique_ptr<Peer> make_hnswlib_u8(const PeerOptions& options);
/// FAISS as Debian packages it: IVF,PQ,RFlat; list size is nprobe.
std::unique_ptr<Peer> make_faiss_ivfpq(const PeerOptions& options);
/// FAISS's HNSW over f32.
std::unique_ptr<Peer> make_faiss_hnsw(const PeerOptions& options);

using tools::to_floats;

}  // namespace cairn::peers

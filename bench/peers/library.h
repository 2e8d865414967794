// The libraries that there are to compare with, and a process of its own for each, so that its
// memory and its core time are its own.
#pragma once

#include <string>
#include <vector>

#include "bench/peers/peer.h"
#include "bench/peers/process.h"

namespace cairn::peers {

struct Library {
  const char* name;
  std::unique_ptr<Peer> (*make)(const PeerOptions&);
};

inline constexpr Library kLibraries[] = {{"hnswlib", make_hnswlib},
                                         {"hnswlib-u8", make_hnswlib_u8},
                                         {"faiss-ivfpq", make_faiss_ivfpq},
                                         {"faiss-hnsw", make_faiss_hnsw}};

/// "faiss" chooses both of FAISS's; nothing chooses all.
bool chosen(const std::string& name, const std::string& only);

/// Whether the library knows such vectors under such a metric.
bool can_hold(const Library& library, const PeerOptions& options);

/// Processor, cores and kernel, in one line.
std::string machine();

/// run_program() with this program again, args[0] included. `threads`: of BLAS, at most.
int run_apart(const std::vector<std::string>& args, std::uint32_t threads, const Line& line = {});

}  // namespace cairn::peers

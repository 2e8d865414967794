// What a build is: the name under which its work can be gone on with.
#pragma once

#include <cairn/builder.h>
#include <cairn/vector_source.h>

#include <cstdint>

namespace cairn::build {

/// Raised by each change of the builder that makes other bytes of the same input: the index is then
/// another one, and its name says so. Work folders of another version are refused.
inline constexpr std::uint32_t kBuilderVersion = 3;

/// Of all that decides the bytes of the index but the vectors and their edges.
std::uint64_t parameters_hash(const VectorSource& source, const BuildOptions& options);

}  // namespace cairn::build

// The edges of a graph that comes with the vectors, as the rows of one partition: what the carving
// and the prune of a build make otherwise.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/build/members.h"
#include "engine/build/pipnn.h"

namespace cairn::build {

/// RAM of one row of LinkedRows(count, degree).
std::uint64_t kept_row_bytes(std::uint32_t degree);

/// RAM of keep_rows() for each of the `rows` of the input, wherever they are.
std::uint64_t kept_set_bytes(std::uint64_t rows);

/// Fills `linked`, a row of at most `options.degree` edges for each core member, and appends the
/// rows of other partitions that edges lead to behind members.rows: an edge names the member it
/// leads to or the place of such a row. Targets in the partition stand nearest first, those in
/// others, whose vectors are not here, evenly among them. Where they are more than the degree each
/// kind has its share of the places: the first of those in others, and of those in the partition
/// what robust_prune() leaves. An edge to a duplicate leads to the first of its value.
/// False when cancelled. The same for any number of threads. O(edges * dim).
/// `rows`: of the input. Takes members.links apart, but for their first words.
bool keep_rows(const GraphOptions& options, const Workers& workers, std::uint64_t rows,
               const Tick& tick, Members& members, LinkedRows& linked);

/// `wanted` core members, ascending, to begin searches from: of those that the graph names as many
/// as it takes, drawn by seed, and of others what is missing. All when there are no more.
std::vector<std::uint32_t> kept_starts(const Members& members, std::uint64_t wanted,
                                       std::uint64_t seed);

}  // namespace cairn::build

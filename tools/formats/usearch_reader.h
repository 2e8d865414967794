// An index that USearch 2 saved with its vectors.
//   matrix, head, graph   see usearch_head.h
//   elements x            i16 level
//   elements x            a node: key, i16 level, for each level from 0 on u32 count and slots[M0
//   at
//                         level 0, M above] of which the first `count` count
// and nothing behind that. A slot is an element's number; vectors and nodes stand in their order.
// What was removed keeps its vector and its links, and has the free key until it is used anew;
// links to it stay as well.
//
// Scalars of i8 and u8 are given as they are. The numbers are those that were added, if bytes were;
// floats became v / |v| * 127 (255 for u8, without negatives), cut to whole numbers: directions are
// left and lengths are lost, whatever the metric. The file does not say which of the two happened.
#pragma once

#include <cairn/result.h>

#include <memory>
#include <string>

#include "tools/formats/index_reader.h"

namespace cairn::formats {

/// Reads links and keys once: every link must lead to an element, and the file end where its last
/// node does. f16 and bf16 become f32 exactly; f64 is rounded, and `decoded_from` set when that
/// changed a value. A link to the element itself, as threads that insert at once may leave, is left
/// out. With several vectors a key, labels repeat. Errors name the file and the element: corrupt;
/// unsupported (another major version, metric or kind, or an index without its vectors);
/// over_limit; io. Memory: two bits an element, 8 bytes for 4,096, and 3 MiB.
Result<std::unique_ptr<IndexReader>> open_usearch(const OpenSource& open, const std::string& name);

}  // namespace cairn::formats

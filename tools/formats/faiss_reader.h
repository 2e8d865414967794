// Index files of FAISS (write_index), as 1.7.3 writes them and as later versions write the same
// kinds: IndexFlat, IndexHNSW over flat vectors, scalar or product codes, IndexIVF of the three,
// IndexScalarQuantizer and IndexPQ, each also inside IndexIDMap, IndexIDMap2 and IndexPreTransform.
#pragma once

#include <cairn/result.h>

#include <memory>
#include <string>

#include "tools/formats/index_reader.h"

namespace cairn::formats {

/// `name` stands in errors. Vectors are always f32; those of codes are what FAISS's reconstruct()
/// gives, those behind transforms what reverse_transform() does. Elements stand in the order of the
/// file, an IVF's list after list, under the ids of its lists unless an id map is around it. The
/// metric is unset where a file's own is none of vectors: inner products behind a transform that
/// adds something.
///
/// Opening looks at every label, level, offset and link, so that what is wrong with them is found
/// here; at no vector. Memory: a bit an element with a graph, 16 bytes a list, codebooks and
/// matrices as in the file, some windows of 1 MiB, and 12 MiB where an id map is around lists:
/// their labels want to be read in order. Lists far apart cost a seek each. Errors: unsupported
/// (another kind of index, other metrics, lists in another file, transforms without a reverse, a
/// source of unknown size), corrupt, over_limit, io.
Result<std::unique_ptr<IndexReader>> open_faiss(const OpenSource& open, const std::string& name);

}  // namespace cairn::formats

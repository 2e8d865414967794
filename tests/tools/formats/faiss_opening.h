// How tests open indexes of FAISS.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/io/io_test_util.h"
#include "tests/tools/formats/faiss_samples.h"
#include "tests/tools/formats/index_samples.h"
#include "tools/formats/faiss_reader.h"

namespace cairn::formats {

inline const OpenIndex kOpen = [](const OpenSource& open) { return open_faiss(open, "x"); };

inline std::unique_ptr<IndexReader> open_sample(const FaissSample& sample) {
  return io::must(kOpen(source_of_bytes(sample.bytes())));
}

/// Opening ends in an error of that code with both words.
inline void refused(const FaissSample& sample, ErrorCode code, const std::string& found,
                    const std::string& expected) {
  SCOPED_TRACE(found);
  expect_refused(kOpen, sample.bytes(), code, found, expected);
}

}  // namespace cairn::formats

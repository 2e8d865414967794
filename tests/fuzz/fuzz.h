// What every fuzz target shares: the entry point, a check, and a way to draw values from the input.
//
// A target is <name>.cc with the entry point; its seeds stand in corpus/<name>/. It is built twice:
//   normal build      <name>.cc + replay.cc: a unit test that runs each seed and mutations of it
//   -Dfuzz=true       with libFuzzer (clang only); see README.md and tests/run-fuzz
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// Stops the process, so that the fuzzer keeps the input.
#define FUZZ_REQUIRE(condition)                                                    \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

namespace cairn::fuzz {

/// Takes values from the front of an input; zero once it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const std::byte*>(data), size) {}

  template <class T>
  T take() {
    static_assert(std::is_integral_v<T>);
    T value = 0;
    const std::size_t bytes = rest_.size() < sizeof value ? rest_.size() : sizeof value;
    if (bytes != 0) std::memcpy(&value, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
    return value;
  }

  /// As many of the next bytes as there are, at most `count`.
  std::span<const std::byte> take_bytes(std::size_t count) {
    const auto bytes = rest_.first(count < rest_.size() ? count : rest_.size());
    rest_ = rest_.subspan(bytes.size());
    return bytes;
  }

  std::span<const std::byte> rest() const { return rest_; }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(rest_.data()), rest_.size()};
  }

 private:
  std::span<const std::byte> rest_;
};

/// Changes `bytes` in place as the rest of the input says: again and again an offset of three
/// bytes, taken modulo the length, a count, and so many bytes. A small input reaches every place of
/// a large file.
inline void apply_edits(Input& input, std::vector<std::byte>& bytes) {
  while (!bytes.empty() && !input.rest().empty()) {
    const std::size_t low = input.take<std::uint16_t>(), high = input.take<std::uint8_t>();
    std::size_t at = (high << 16 | low) % bytes.size();
    const std::size_t count = 1 + input.take<std::uint8_t>() % 16;
    for (const std::byte byte : input.take_bytes(count)) {
      bytes[at] = byte;
      at = (at + 1) % bytes.size();
    }
  }
}

}  // namespace cairn::fuzz

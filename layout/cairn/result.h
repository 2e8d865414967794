// Errors as values. Every fallible call of Cairn returns Result<T> or Status; nothing throws across
// the library's surface. An Error carries what a person needs to act: the file, the block when one
// is concerned, what was found and what was expected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace cairn {

/// The closed list of causes. Values are part of the interface and never reused.
enum class ErrorCode : std::uint8_t {
  invalid_argument = 1,  // the caller's input is wrong: dimension, dtype, k = 0, NaN, ...
  not_found = 2,         // a file, folder or label does not exist
  already_exists = 3,    // the target exists and would be overwritten
  corrupt = 4,           // bytes on disk are not what was written (checksum, length, invariant)
  unsupported = 5,       // a newer format, or a feature this build does not know
  io = 6,                // the operating system refused a read, write, sync or rename
  no_space = 7,          // the device or quota is full
  busy = 8,              // a lock is held by another process, or a queue is full
  over_limit = 9,        // a memory limit that cannot be met, or a size above a documented bound
  cancelled = 10,        // the caller cancelled the operation
  out_of_memory = 11,    // an allocation failed
};

/// A stable one-word name, e.g. "corrupt".
std::string_view error_name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::io;
  std::string what;                         // what was being done or what is wrong
  std::string file = {};                    // path concerned, empty when none
  std::optional<std::uint64_t> block = {};  // block number in `file`, when one is concerned
  std::string found = {};                   // the offending value, empty when it says nothing more
  std::string expected = {};                // what would have been right

  /// One line: "corrupt: read block 81 of 'x/000001.blocks': found checksum 9f.., expected 3c..".
  std::string to_string() const;

  /// Adds the file name once, at the first layer that knows it.
  Error&& in_file(std::string_view path) && {
    if (file.empty()) file = path;
    return std::move(*this);
  }
};

/// tl::expected with a class-level nodiscard: an ignored error does not compile under -Werror.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

/// `return fail({.code = ..., .what = ...});`
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> fail(ErrorCode code, std::string what) {
  return fail(Error{.code = code, .what = std::move(what)});
}

}  // namespace cairn

#define CAIRN_CONCAT_(a, b) a##b
#define CAIRN_CONCAT(a, b) CAIRN_CONCAT_(a, b)
#define CAIRN_TRY_(tmp, expr)                                                  \
  do {                                                                         \
    if (auto tmp = (expr); !tmp) return ::cairn::fail(std::move(tmp).error()); \
  } while (false)

/// Returns the error of `expr` from the enclosing function. A counter names what it holds: `expr`
/// may be a call with a lambda that says CAIRN_TRY itself.
#define CAIRN_TRY(expr) CAIRN_TRY_(CAIRN_CONCAT(cairn_status_, __COUNTER__), expr)

#define CAIRN_ASSIGN_(tmp, decl, expr)                    \
  auto tmp = (expr);                                      \
  if (!tmp) return ::cairn::fail(std::move(tmp).error()); \
  decl = std::move(*tmp)

/// `CAIRN_ASSIGN(auto x, f());`: binds the value of f() or returns its error.
#define CAIRN_ASSIGN(decl, expr) CAIRN_ASSIGN_(CAIRN_CONCAT(cairn_result_, __LINE__), decl, expr)

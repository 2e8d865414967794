// Where the library's surface meets the standard library's exceptions: nothing is thrown across.
#pragma once

#include <cairn/result.h>

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

namespace cairn {

/// For where not even a message can be had: short enough to need no allocation.
inline tl::unexpected<Error> no_memory() noexcept {
  return fail(ErrorCode::out_of_memory, "no memory");
}

/// Runs `work`, which returns a Result or Status; what it throws becomes an error that begins with
/// `what`, or no_memory() where there is none for the message. Never throws.
template <class Work>
auto guarded(const char* what, const Work& work) noexcept -> decltype(work()) {
  const auto failed = [what](ErrorCode code, const char* why,
                             const char* detail = "") -> tl::unexpected<Error> {
    try {
      return fail(code, std::string(what) + ": " + why + detail);
    } catch (...) {
      return no_memory();
    }
  };
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return failed(ErrorCode::out_of_memory, "an allocation failed");
  } catch (const std::length_error&) {
    return failed(ErrorCode::out_of_memory, "an allocation beyond the address space");
  } catch (const std::system_error& error) {
    return failed(ErrorCode::io, error.what());
  } catch (const std::exception& error) {
    return failed(ErrorCode::cancelled, "a callback threw: ", error.what());
  } catch (...) {
    return failed(ErrorCode::cancelled, "a callback threw");
  }
}

}  // namespace cairn

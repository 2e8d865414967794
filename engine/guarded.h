// Where the library's surface meets the standard library's exceptions: nothing is thrown across.
#pragma once

#include <cairn/result.h>

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

namespace cairn {

/// Runs `work`, which returns a Result or Status; what it throws becomes an error that begins with
/// `what`.
template <class Work>
auto guarded(const char* what, const Work& work) -> decltype(work()) {
  const auto failed = [what](ErrorCode code, const std::string& why) {
    return fail(code, std::string(what) + ": " + why);
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
    return failed(ErrorCode::cancelled, std::string("a callback threw: ") + error.what());
  } catch (...) {
    return failed(ErrorCode::cancelled, "a callback threw");
  }
}

}  // namespace cairn

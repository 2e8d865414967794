#include "tests/reliability/fault_errors.h"

#include <algorithm>
#include <vector>

namespace cairn::reliability {
namespace {

using os_faults::Call;
using os_faults::Kind;
using os_faults::Strike;

using Codes = std::vector<ErrorCode>;

bool is_read(Call call) { return call == Call::read_file || call == Call::read_request; }

/// The codes that a call which went wrong may come to; none: nobody may see it. As measured, and
/// as whoever gets the error needs it: room is wanted, bytes are damaged, or the system refuses.
Codes codes_of(const Strike& strike) {
  switch (strike.kind) {
    case Kind::eio:
    case Kind::einval:
    case Kind::lost:
      return {ErrorCode::io};
    case Kind::enospc:
      return {ErrorCode::no_space};
    case Kind::enomem:
      return {ErrorCode::out_of_memory};
    case Kind::eagain:
      // So says a lock that somebody else has.
      if (strike.call == Call::file_control) return {ErrorCode::busy, ErrorCode::io};
      if (is_read(strike.call) && !strike.lasting) return {};  // asked again
      return {ErrorCode::io};
    case Kind::eintr:
      // A sync is never asked again: its pages may have been marked clean. An open could be, and
      // is not: only network file systems are interrupted in one.
      if (strike.call == Call::open_file || strike.call == Call::sync_file) return {ErrorCode::io};
      return strike.lasting ? Codes{ErrorCode::io} : Codes{};
    case Kind::short_count:
      // What is left is asked for again, until nothing more comes: to a file that is the end before
      // its time, to a device an error of the read.
      return strike.lasting && strike.call != Call::write_file
                 ? Codes{ErrorCode::corrupt, ErrorCode::io}
                 : Codes{};
    case Kind::wrong_block:
      // Behind the end of a file there is nothing, which a device has no other error for.
      return {ErrorCode::corrupt, ErrorCode::io};
    case Kind::late:
      return {};
  }
  return {};
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool names_what_was_struck(const Error& error, const Strike& strike) {
  // Of a ring, memory or a thread: there is no file, or the one for which it was.
  if (strike.path.empty()) return true;
  for (const std::string& path : {strike.path, strike.to})
    if (!path.empty() && (error.file == path || error.file == folder_of(path))) return true;
  return false;
}

bool explains(const Strike& strike, const Error& error) {
  if (!names_what_was_struck(error, strike)) return false;
  return std::ranges::count(codes_of(strike), error.code) != 0;
}

}  // namespace

std::string StrikeJudge::wrong(const Error& error) const {
  if (short_of_time_ && is_time_out(error)) return {};
  const std::vector<Strike> strikes = os_faults::strikes();
  for (const Strike& strike : strikes)
    if (explains(strike, error)) return {};
  std::string text = "not of the fault: " + error.to_string();
  for (const Strike& strike : strikes)
    text += "; struck: " + std::string(os_faults::kind_name(strike.kind)) + " of " +
            std::string(os_faults::call_name(strike.call)) + " '" + strike.path + "'" +
            (strike.to.empty() ? "" : " to '" + strike.to + "'") +
            (strike.lasting ? ", lasting" : "");
  return text;
}

bool StrikeJudge::misread(const std::string& path) const {
  return std::ranges::any_of(os_faults::strikes(), [&](const Strike& strike) {
    return strike.kind == Kind::wrong_block && strike.path == path;
  });
}

}  // namespace cairn::reliability

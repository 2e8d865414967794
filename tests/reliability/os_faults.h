// Faults between Cairn and the operating system: every call that io/ makes is bound to a double of
// it at link time (-Wl,--wrap, see meson.build), which counts calls by the place they are made from
// and makes a chosen one go wrong. Everything above is the program itself: file system, devices,
// io_uring.
//
// A short or misdirected read of io_uring is made by the kernel, from a request that was changed on
// its way; errors, lost and late completions are made of what the kernel answered.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::os_faults {

/// What is called. `read_request` is one read of a ring, counted when it is handed over.
enum class Call : std::uint8_t {
  open_file,
  close_file,
  file_control,
  file_status,
  file_system_status,
  read_file,
  read_stream,
  write_file,
  sync_file,
  cut_file,
  make_folder,
  rename_entry,
  rename_new_entry,  // one that keeps what has the name
  remove_entry,
  list_folder,
  ring_setup,
  ring_register,
  ring_submit,
  ring_wait,
  read_request,
  open_packed,  // of zlib
  map_memory,
  start_thread,
};
std::string_view call_name(Call call);

enum class Kind : std::uint8_t {
  eio,          // fails with the errno value, without effect
  enospc,       //
  eagain,       //
  einval,       // as of a kernel or a file system that lacks what is asked of it
  eintr,        // a signal came first
  enomem,       // of memory alone
  short_count,  // half of it, or fewer requests handed over than there were
  wrong_block,  // bytes of another place of the file, and no error
  lost,         // the read never comes back: until release()
  late,         // it comes back after others, or a few milliseconds later
};
std::string_view kind_name(Kind kind);
inline constexpr Kind kKinds[] = {Kind::eio,   Kind::enospc, Kind::eagain,      Kind::einval,
                                  Kind::eintr, Kind::enomem, Kind::short_count, Kind::wrong_block,
                                  Kind::lost,  Kind::late};

struct Made {
  Call call = Call::open_file;
  std::uintptr_t site = 0;    // where the call returns to, from the start of the program
  bool on_own_thread = true;  // the thread that called watch() or arm()
};

/// Whether a fault of this kind can befall this call.
bool befalls(Kind kind, const Made& made);

struct Fault {
  std::uint64_t at = 0;  // number of the call since arm()
  Kind kind = Kind::eio;
  bool sticky = false;  // then every later call of its Call too, else it alone
  /// Once it has struck, calls from this place go wrong too: those of a way that only an error
  /// takes. 0: none.
  std::uintptr_t then_site = 0;
  Kind then_kind = Kind::eio;
};

/// From here on calls are recorded.
void watch();
std::vector<Made> stop_watching();
/// From here on `fault` strikes. A Call that the fault does not befall is left alone.
void arm(const Fault& fault);
/// No more faults; what is held back or hangs comes back.
void disarm();
/// Calls since arm() that went wrong.
std::uint64_t struck();
/// What a call that went wrong was made on; both empty for one of a ring or of memory.
struct Strike {
  Call call = Call::open_file;
  Kind kind = Kind::eio;
  bool lasting = false;  // not this call alone
  std::string path, to;  // `to`: of a rename
  friend bool operator==(const Strike&, const Strike&) = default;
};
/// Of all calls since arm() that went wrong, each once.
std::vector<Strike> strikes();
/// Calls from each site since the program began, and those that went wrong.
struct Count {
  Call call = Call::open_file;
  std::uint64_t made = 0, struck = 0;
};
std::map<std::uintptr_t, Count> sites();

}  // namespace cairn::os_faults

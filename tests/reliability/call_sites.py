#!/usr/bin/env python3
"""Which places of a program call the operating system, by its machine code, and which of them a run
of the campaign of faults came to.

  tests/reliability/call_sites.py PROGRAM OUTPUT...

PROGRAM was linked with doubles of the calls (-Wl,--wrap, see os_faults.h); each OUTPUT is what a
run of it printed: lines `site ADDRESS CALL MADE STRUCK`, which are added up. Prints a line for each
place, those that were never reached or where no fault struck first; exit code 1 when there is one
of them without an excuse, or when the program calls something of the system that has no double and
is not among those below. Standard library and objdump only.
"""
import collections
import pathlib
import re
import subprocess
import sys

# Places that no run comes to, one of each, and why: (call, caller begins with) -> reason.
UNREACHABLE = {
    ("close", "cairn::formats::(anonymous namespace)::FileSource::~FileSource()"):
        "one of two copies that the compiler makes; sources are deleted through their base",
    ("lstat64", "cairn::io::(anonymous namespace)::rename_where_flags_are_refused("):
        "the third of three: a file that appears between a look and a rename",
}
# What the program calls of the system, or of a library that calls it, and is not failed, and why.
NOT_FAILED = {
    "__io_uring_get_cqe": "in UringRing::take, which has a double",
    "closedir": "nothing is left to do when it fails",
    "getrlimit64": "fails for wrong arguments alone",
    "getrusage": "fails for wrong arguments alone",
    "gzbuffer": "a wish",
    "gzclose_r": "nothing is left to do when it fails",
    "gzdirect": "as gzread",
    "gzread": "zlib reads by itself, where no double comes between",
    "gzseek64": "as gzread",
    "io_uring_queue_exit": "tells nothing",
    "madvise": "advice, but for populate(), which hardly anybody asks for",
    "malloc_trim": "a wish",
    "munmap": "fails for wrong arguments alone",
    "nanosleep": "a shorter one is one look more",
    "posix_fadvise64": "advice",
    "realloc": "see allocations.cc",
    "sigaction": "fails for wrong arguments alone; no workload asks for it",
    "std::basic_filebuf::open": "of /proc and of control groups, without which there are defaults",
    "std::basic_filebuf::close": "as its open",
    "std::basic_filebuf::basic_filebuf": "opens nothing",
    "std::basic_filebuf::~basic_filebuf": "as close",
    "std::thread::detach": "fails for wrong arguments alone",
    "std::thread::hardware_concurrency": "has an answer for when it fails",
    "std::thread::join": "fails for wrong arguments alone",
    "syscall": "the futex of std::atomic, which waits in a loop",
    "sysconf": "asks for what there always is",
}
# Memory, numbers, text and locks; names of compilers and of XXH3.
HARMLESS = re.compile(
    r"(?:XXH|__cxa_|_Unwind_|_ITM_|pthread_(?:mutex|cond|once|self)|mem|str|exp|log|f?min|pow|"
    r"gz(?:error|offset64|tell64)$|stdout$|__libc_|__errno_location$|__once_proxy$|__popcount|"
    r"__gxx_personality|(?:clock_gettime|free|getpid|ldexp|sched_yield|v?snprintf)$)")
# Of the C++ library, what is more than that.
SYSTEM_OF_CXX = re.compile(r"(std::)(filesystem::(?!__cxx11::path)|(?:__cxx11::)?basic_\w*file\w*|"
                           r"random_device|thread::[a-z]|system|this_thread)[^(]*?(::\w+)?\(")
EXTERNAL = re.compile(r"<(.+)@(?:plt|[A-Z]+_[0-9.]+)>$")
# What is of the campaign itself.
CAMPAIGN = re.compile(r"(?:__wrap_|main$|(?:\w+ )?cairn::(?:reliability|os_faults)::|_start$|"
                      r"(?:de)?register_tm_clones$)")
THREAD = "_ZNSt6thread15_M_start_thread"
FUNCTION = re.compile(r"^([0-9a-f]+) <(.*)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s*(\S+)\s*(.*)$")
TARGET = re.compile(r"<__wrap_([^+>]+)>")


def listing_of(program):
    """(function's address, its name, instruction's address, name of the instruction, the rest)."""
    listing = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", program], check=True,
                             capture_output=True, text=True).stdout
    start, caller = 0, ""
    for line in listing.splitlines():
        function = FUNCTION.match(line)
        if function:
            start, caller = int(function.group(1), 16), function.group(2)
            continue
        instruction = INSTRUCTION.match(line)
        if instruction and not caller.endswith("@plt"):
            address, name, rest = instruction.groups()
            yield start, caller, int(address, 16), name, rest


def sites_of(program):
    """{address that the call returns to: (called, caller)}, and what is called without a double,
    {name: callers}. A jump in the place of a call and a return comes back to where its function was
    called from: those places are given, or where there are none the jump's own."""
    calls, jumps, returns, without, pending = {}, [], {}, collections.defaultdict(set), None
    for start, caller, address, name, rest in listing_of(program):
        if pending:
            where, what = pending
            where.setdefault(what, []).append(address)
            pending = None
        target = TARGET.search(rest)
        if name.startswith("call") and not target:
            pending = returns, rest.split(maxsplit=1)[0]
        external = EXTERNAL.search(rest)
        if external and not CAMPAIGN.match(caller):
            without[external.group(1)].add(caller)
        # A name of Cairn is the program's own.
        if not target or target.group(1).startswith("_ZN5cairn") or caller.startswith("__wrap_"):
            continue
        if name.startswith("call"):
            pending = calls, (target.group(1), caller)
        else:
            jumps.append((target.group(1), caller, start, address))
    sites = {address: key for key, addresses in calls.items() for address in addresses}
    for called, caller, start, address in jumps:
        for site in returns.get(f"{start:x}", [address]):
            sites[site] = (called, caller + ", by a jump")
    return sites, without


def name_without_double(name):
    """The name of what may call the system, or None for what does not."""
    if not re.search(r"[(:]|^(?:vtable|VTT|typeinfo|operator)", name):
        return None if HARMLESS.match(name) else name
    of_cxx = SYSTEM_OF_CXX.match(name)
    if not of_cxx:
        return None
    return name.split("(")[0] if "<" not in name else re.sub(r"<.*>", "", name).split("(")[0]


def missing_doubles(without):
    """Prints what is called without a double; returns how many of them nothing is said of."""
    unsaid = 0
    for name, callers in sorted(without.items()):
        plain = name_without_double(name)
        if plain is None:
            continue
        reason = NOT_FAILED.get(plain)
        unsaid += reason is None
        print(f"  not failed: {plain}: {reason or 'NO REASON, in ' + sorted(callers)[0]}")
    return unsaid


def reached_in(outputs):
    reached = {}
    for line in (line for output in outputs
                 for line in pathlib.Path(output).read_text(encoding="utf-8").splitlines()):
        words = line.split()
        if len(words) == 5 and words[0] == "site":
            address = int(words[1], 16)
            _, made, struck = reached.get(address, ("", 0, 0))
            reached[address] = (words[2], made + int(words[3]), struck + int(words[4]))
    return reached


def take_excuse(left, called, caller):
    """The reason for a place that was not struck, if there is one left: each excuses one."""
    key = next((key for key in left if key[0] == called and caller.startswith(key[1])), None)
    return left.pop(key, None)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sites, without = sites_of(sys.argv[1])
    reached = reached_in(sys.argv[2:])
    # One line of source starts threads for all loops of a build: its copies count as one place.
    threads = [address for address, (called, _) in sites.items() if called.startswith(THREAD)]
    rows = [(reached.get(address, ("", 0, 0)), called, caller)
            for address, (called, caller) in sites.items() if address not in threads]
    rows.append((("", *(sum(reached.get(one, ("", 0, 0))[at] for one in threads) for at in (1, 2))),
                 "std::thread", f"{len(threads)} places"))
    unknown = sum(address not in sites for address in reached)
    rows.sort(key=lambda row: (row[0][1] != 0, row[0][2] != 0, row[2]))
    excuses, missed = dict(UNREACHABLE), 0
    for (_, made, struck), called, caller in rows:
        print(f"{made:>10} calls {struck:>8} struck  {called} in {caller}")
        if struck == 0:
            reason = take_excuse(excuses, called, caller)
            missed += reason is None
            print(f"           {reason or 'MISSED'}")
    unsaid = missing_doubles(without)
    excused = len(UNREACHABLE) - len(excuses)
    print(f"call sites: {len(rows)}, struck: {len(rows) - missed - excused}, excused: {excused}, "
          f"missed: {missed}, called from elsewhere: {unknown}, without double or reason: {unsaid}")
    return 1 if missed or unknown or unsaid else 0


if __name__ == "__main__":
    sys.exit(main())

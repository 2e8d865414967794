#!/usr/bin/env python3
"""Which places of a program call the operating system, by its machine code, and which of them a run
of the campaign of faults came to.

  tests/reliability/call_sites.py PROGRAM OUTPUT...

PROGRAM was linked with doubles of the calls (-Wl,--wrap, see os_faults.h); each OUTPUT is what a
run of it printed: lines `site ADDRESS CALL MADE STRUCK`, which are added up. Prints a line for each
place, those that were never reached or where no fault struck first; exit code 1 when there is one
of them without an excuse. Standard library and objdump only.
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
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s*(\S+)\s*(.*)$")
TARGET = re.compile(r"<__wrap_([^+>]+)>")


def sites_of(program):
    """{address that the call returns to: (called, caller)}; a jump in the place of a call and a
    return has no address of its own, and is given by caller in the second part."""
    listing = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", program], check=True,
                             capture_output=True, text=True).stdout
    calls, jumps, caller, pending = {}, [], "", None
    for line in listing.splitlines():
        function = FUNCTION.match(line)
        if function:
            caller, pending = function.group(1), None
            continue
        instruction = INSTRUCTION.match(line)
        if not instruction:
            continue
        address, name, rest = instruction.groups()
        if pending:
            calls[int(address, 16)] = (pending, caller)
            pending = None
        target = TARGET.search(rest)
        # A name of C++ is the program's own.
        if not target or target.group(1).startswith("_Z") or caller.startswith("__wrap_"):
            continue
        if name.startswith("call"):
            pending = target.group(1)
        else:
            jumps.append((target.group(1), caller))
    return calls, jumps


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
    calls, jumps = sites_of(sys.argv[1])
    reached = reached_in(sys.argv[2:])
    rows = [(reached.get(address, ("", 0, 0)), called, caller)
            for address, (called, caller) in calls.items()]
    # What a jump was made from is known by its call alone: a place that no call explains.
    left = collections.Counter(call for address, (call, _, _) in reached.items()
                               if address not in calls)
    rows.sort(key=lambda row: (row[0][1] != 0, row[0][2] != 0, row[2]))
    excuses, missed = dict(UNREACHABLE), 0
    for (_, made, struck), called, caller in rows:
        print(f"{made:>10} calls {struck:>8} struck  {called} in {caller}")
        if struck == 0:
            reason = take_excuse(excuses, called, caller)
            missed += reason is None
            print(f"           {reason or 'MISSED'}")
    for called, caller in jumps:
        print(f"  by a jump                  {called} in {caller}")
    excused = len(UNREACHABLE) - len(excuses)
    print(f"call sites: {len(rows)}, struck: {len(rows) - missed - excused}, excused: {excused}, "
          f"missed: {missed}, by a jump: {len(jumps)}, seen without a call: {sum(left.values())}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

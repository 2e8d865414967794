#!/usr/bin/env python3
"""Builds on file systems that are too small: the build must say that there is no room, leave no
index, and go on with the same command once there is more, to the bytes of an ordinary build.

  tests/reliability/full_disk.py --cairn build/tools/cairn --generate 500000 --scratch DIR \\
      --sizes 50 -- --memory 256M --threads 2

Each file system is an ext4 image in --scratch, mounted through a loop device, with room for 10 % to
100 % of what the build needs, in even steps; the input lies outside. After the first run the image
grows and the same command runs again. Every second size starts with room enough, which is taken
away once the build has begun: a build that looks at the free room beforehand meets a full disk too.
The table goes to standard error, one JSON object to standard output. Exit code 1 when a size fails,
as by a crash or a run that does not end, 77 without root or loop devices. Standard library only.
"""
import argparse
import dataclasses
import json
import signal
import sys

import build_runs
import loop_disk
from loop_disk import MIB

EXTRA_BYTES = 64 * MIB  # more than a build needs, its file system's own tables included


@dataclasses.dataclass
class Outcome:
    room_bytes: int
    taken_away: bool
    first: str = ""  # what the first run did: full, refused, done
    message: str = ""
    problem: str = ""


def first_run(disk, builder, index, outcome):
    def take():
        if not (disk.mount / "ballast").exists():
            disk.take_all_but(outcome.room_bytes)

    if outcome.taken_away:
        run = builder.run(index, on_line=take)
    else:
        run = builder.run(index)
    outcome.message = run.error.splitlines()[-1] if run.error else ""
    if run.code == 0:
        outcome.first = "done"  # it fitted after all
        return
    outcome.first = build_runs.is_about_room(run.error) or "failed"
    if run.code != 1 or outcome.first == "failed":
        outcome.problem = f"not of room: {run.problem}"
    elif index.exists():
        outcome.problem = "an index stands there after a failed build"


def try_size(builder, scratch, room_bytes, need_bytes, taken_away, expected):
    outcome = Outcome(room_bytes, taken_away)
    grown_bytes = 2 * need_bytes + EXTRA_BYTES
    with loop_disk.LoopDisk(scratch) as disk:
        disk.make(grown_bytes if taken_away else room_bytes)
        if not taken_away:
            outcome.room_bytes = disk.free_bytes()
        index = disk.mount / "index"
        first_run(disk, builder, index, outcome)
        if outcome.problem:
            return outcome
        disk.give_back()
        if outcome.first != "done":
            if not taken_away:
                disk.grow(grown_bytes)
            again = builder.run(index)
            if again.problem:
                outcome.problem = f"with room: {again.problem}"
                return outcome
        outcome.problem = builder.verify(index) or build_runs.difference(expected, index)
    return outcome


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    build_runs.add_arguments(parser)
    parser.add_argument("--sizes", type=int, default=50, help="file systems; default 50")
    args = parser.parse_args()
    if args.sizes < 1:
        parser.error("--sizes is at least 1")
    return parser, args


def main():
    parser, args = parse_arguments()
    # So that a campaign that is stopped leaves nothing mounted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args.scratch = args.scratch.resolve()
    args.scratch.mkdir(parents=True, exist_ok=True)
    why_not = loop_disk.why_not(args.scratch)
    if why_not:
        print(f"skipped: needs root and loop devices: {why_not}", file=sys.stderr)
        return 77
    builder = build_runs.builder_of(parser, args)
    try:
        base, expected = build_runs.ordinary_build(builder, args.scratch / "ordinary")
    except build_runs.Failed as error:
        sys.exit(str(error))
    build_runs.drop(args.scratch / "ordinary")
    need_bytes = build_runs.needed_bytes(base)
    print(f"ordinary: {base.wall_s:.2f} s, needs {need_bytes / MIB:.1f} MiB", file=sys.stderr)

    outcomes = []
    for number in range(args.sizes):
        share = 0.1 + 0.9 * number / max(1, args.sizes - 1)
        outcome = try_size(builder, args.scratch, int(share * need_bytes), need_bytes,
                           number % 2 == 1, expected)
        outcomes.append(outcome)
        print(f"{outcome.room_bytes / MIB:.1f} MiB: {outcome.first}, "
              f"{outcome.problem or 'identical'}", file=sys.stderr)
    build_runs.print_table(
        ["room MiB", "room", "first run", "in the end", "message"],
        [[f"{o.room_bytes / MIB:.1f}", "taken away" if o.taken_away else "small", o.first,
          o.problem or "identical", o.message[:100]] for o in outcomes])
    good = sum(not o.problem for o in outcomes)
    print(json.dumps({
        "sizes": len(outcomes), "good": good, "need_bytes": need_bytes,
        **{kind: sum(o.first == kind for o in outcomes) for kind in ("full", "refused", "done")},
        "build": args.build,
        "problems": {str(o.room_bytes): o.problem for o in outcomes if o.problem}}))
    return 0 if good == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())

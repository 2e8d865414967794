#!/usr/bin/env python3
"""Kills a build at random times or at every border of its phases, runs the same command again until
it is done, and compares every byte with a build that nobody disturbed.

  tests/reliability/kill_build.py --cairn build/tools/cairn --generate 500000 --scratch DIR \\
      --rounds 100 --seed 1 -- --memory 256M --partitions 64 --threads 2
  tests/reliability/kill_build.py ... --at-phases -- --memory 256M --partitions 64

Repeated share: core time of all runs of a round over that of the undisturbed build, minus 1; on a
machine whose speed changes it says little. Lost share: the time from the last unit on record to the
kill, over the wall time of the undisturbed build. The table goes to standard error, one JSON object
to standard output. Exit code 1 when any round ends with other bytes, with an error, by a signal
that was not sent here or not within its time, or does again what is on record. Standard library
only.
"""
import argparse
import json
import pathlib
import random
import statistics
import sys
import time

import build_runs


class Round:
    """One build that is killed and goes on until it is done."""

    def __init__(self, name, builder, index):
        self.name, self.builder, self.index = name, builder, index
        self.runs, self.problem = [], ""
        self.lost_s = 0.0  # of wall time: what was done since the last unit on record
        self.read = False  # so that it is on record and need not be done again

    def step(self, **how):
        """One run; false when there is nothing to go on with."""
        run = self.builder.run(self.index, **how)
        self.runs.append(run)
        if run.killed:
            journal = pathlib.Path(f"{self.index}.building") / "JOURNAL"
            if journal.exists():
                self.lost_s += max(0.0, time.time() - journal.stat().st_mtime)
        self.problem = run.problem or self.lost_work(run)
        # Killed after the rename: the index is published, and whole or wrong.
        return run.killed and not self.problem and not self.index.exists()

    def lost_work(self, run):
        """A run says that it goes on before its first phase, which is to read."""
        if self.read and run.phases and run.units_done == 0:
            return "began anew where an earlier run had read all vectors"
        self.read = self.read or "train" in run.phases
        return ""

    def conclude(self, expected):
        if not self.problem:
            self.problem = build_runs.difference(expected, self.index)
        if not self.problem:
            build_runs.drop(self.index)  # otherwise kept, to be looked at

    @property
    def kills(self):
        return sum(run.killed for run in self.runs)

    @property
    def runs_that_went_on(self):
        return sum(run.units_done > 0 for run in self.runs)

    @property
    def core_s(self):
        return sum(run.core_s for run in self.runs)


def random_round(number, builder, args, wall_s, chance):
    within_s = args.within or wall_s
    current = Round(f"random {number}", builder, args.scratch / f"killed-{number}")
    build_runs.drop(current.index)
    going = current.step(kill_after_s=chance.uniform(0, within_s))
    while going:
        again = chance.random() < args.again
        going = current.step(kill_after_s=chance.uniform(0, within_s) if again else None)
    return current


def phase_round(name, phases, builder, args):
    """Killed once at the first line of each of `phases`."""
    current = Round(f"at {name}", builder, args.scratch / f"killed-at-{name.replace(' ', '-')}")
    build_runs.drop(current.index)
    left = set(phases)

    def at(phase):
        if phase not in left:
            return None
        left.remove(phase)
        return 0

    while current.step(on_phase=at):
        pass
    return current


def all_rounds(builder, args, base):
    chance = random.Random(args.seed)
    for number in range(args.rounds):
        yield random_round(number, builder, args, base.wall_s, chance)
    if args.at_phases:
        phases = list(dict.fromkeys(base.phases))
        for phase in phases:
            yield phase_round(phase, [phase], builder, args)
        yield phase_round("every phase", phases, builder, args)


def summary_of(rounds, base_wall_s, base_core_s, args):
    repeated = [r.core_s / base_core_s - 1 for r in rounds]
    return {
        "rounds": len(rounds),
        "identical": sum(not r.problem for r in rounds),
        "rounds_killed": sum(r.kills > 0 for r in rounds),
        "kills": sum(r.kills for r in rounds),
        "went_on": sum(r.runs_that_went_on for r in rounds),
        "repeated_mean": statistics.fmean(repeated) if repeated else None,
        "repeated_per_kill": sum(repeated) / max(1, sum(r.kills for r in rounds)),
        "lost_per_kill": sum(r.lost_s for r in rounds) / base_wall_s /
                         max(1, sum(r.kills for r in rounds)),
        "repeated_max": max(repeated, default=None),
        "base_wall_s": base_wall_s,
        "base_core_s": base_core_s,
        "peak_rss_bytes": max((run.peak_rss_bytes for r in rounds for run in r.runs), default=0),
        "seed": args.seed,
        "build": args.build,
        "problems": {r.name: r.problem for r in rounds if r.problem},
    }


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    build_runs.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=0, help="builds killed at a random time")
    parser.add_argument("--again", type=float, default=0, metavar="P",
                        help="kill a run that goes on with this probability too, below 1")
    parser.add_argument("--within", type=float, default=0, metavar="S",
                        help="kill a run within S seconds of its start; default: those of a build")
    parser.add_argument("--at-phases", action="store_true",
                        help="one build killed at the border of each phase, and one at all of them")
    parser.add_argument("--base-runs", type=int, default=1, metavar="N",
                        help="undisturbed builds, whose mean core time is the base; default 1")
    args = parser.parse_args()
    if not 0 <= args.again < 1 or args.rounds < 0 or args.base_runs < 1:
        parser.error("--again is 0 to below 1, --rounds at least 0, --base-runs at least 1")
    return parser, args


def undisturbed_builds(builder, args):
    """Runs, and the bytes that all of them give."""
    bases, expected = [], None
    for _ in range(args.base_runs):
        base, hashes = build_runs.ordinary_build(builder, args.scratch / "undisturbed")
        if expected not in (None, hashes):
            raise build_runs.Failed("two undisturbed builds gave other bytes")
        expected = hashes
        bases.append(base)
    build_runs.drop(args.scratch / "undisturbed")
    return bases, expected


def main():
    parser, args = parse_arguments()
    builder = build_runs.builder_of(parser, args)
    try:
        bases, expected = undisturbed_builds(builder, args)
    except build_runs.Failed as error:
        sys.exit(str(error))
    base_core_s = statistics.fmean(run.core_s for run in bases)
    base_wall_s = statistics.fmean(run.wall_s for run in bases)
    print(f"undisturbed: {base_wall_s:.2f} s, core {base_core_s:.2f} s, {len(expected)} files",
          file=sys.stderr)

    rounds = []
    for current in all_rounds(builder, args, bases[-1]):
        current.conclude(expected)
        rounds.append(current)
        result = f"FAILED: {current.problem}; seed {args.seed}" if current.problem else "identical"
        print(f"{current.name}: {current.kills} kills, {current.runs_that_went_on} runs went on, "
              f"{result}", file=sys.stderr)
    build_runs.print_table(
        ["round", "kills", "after s", "core s", "repeated", "lost s", "bytes"],
        [[r.name, r.kills, " ".join(f"{run.wall_s:.2f}" for run in r.runs if run.killed) or "-",
          f"{r.core_s:.2f}", f"{100 * (r.core_s / base_core_s - 1):.1f} %", f"{r.lost_s:.2f}",
          r.problem or "identical"] for r in rounds])
    summary = summary_of(rounds, base_wall_s, base_core_s, args)
    print(json.dumps(summary))
    return 1 if summary["identical"] != summary["rounds"] else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Kills builds, imports and calibrations of random parameters at random moments, again and again,
and runs the same command until it is done: what comes out must be, byte for byte, what an
undisturbed run gives, and `cairn verify` must accept it.

  tests/run-kills                       # builds, then 2,000 kills, see there
  tests/reliability/kills.py --cairn build/tools/cairn --scratch DIR --kills 100 --seed 1

Rounds take turns with the recipes (kill_recipes.py) and with the file systems: that of --scratch,
and, as root with loop devices, a small ext4 and a small XFS, where every second round meets a full
disk on its way as well: the run must say so, leave what was there readable, and go on once there is
room. Half of the kills come at a time drawn evenly from that of the undisturbed run, half right
after a random phase began (of a calibration: while it publishes). A calibration that was killed
leaves an index that is whole and answers as before.

A kill is a SIGKILL that was sent from here: a run that ends by another signal, or not within its
time (20 of an undisturbed run, two minutes at least), has failed, and so has one that begins anew
where all vectors had been read.

The table of phases goes to standard error, one line that begins with "kills:" to standard output.
Exit code 1 when anything was lost. Standard library only.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import threading
import time

import build_runs
import kill_build
import loop_disk
from kill_recipes import LIMIT_S, Prepared, random_recipe
from loop_disk import MIB

DISK_BYTES = 64 * MIB
RUNS_MAX = 60  # of a round; more go without kills
BEFORE, PUBLISHED = "before any phase", "published"
CALIBRATE = "calibrate"  # which names no phases: what it left says how far it was


class Place:
    """A folder to build in, and the small disk that it lies on, if any."""

    def __init__(self, name, folder, disk=None):
        self.name, self.folder, self.disk = name, folder, disk


class Tally:
    """What all rounds together met."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kills_at = collections.Counter()  # by (kind of recipe, phase)
        self.count = collections.Counter()
        self.places = collections.Counter()
        self.problems = []

    def add_kill(self, place, kind, phase, run):
        with self.lock:
            self.kills_at[kind, phase] += 1
            self.places[place.name] += 1
            self.count["kills of a run that went on"] += run.units_done > 0

    def add(self, name, number=1):
        with self.lock:
            self.count[name] += number

    @property
    def kills(self):
        return self.kills_at.total()

    def summary(self):
        """Where the kills landed: each is in one of these numbers."""
        where, phases = collections.Counter(), set()
        for (kind, phase), count in self.kills_at.items():
            if phase in (BEFORE, PUBLISHED):
                where[phase] += count
            elif kind == CALIBRATE:
                where[CALIBRATE] += count
            else:
                where["phases"] += count
                phases.add(phase)
        return (f"{where['phases']:,} in {len(phases)} phases of a build or import, "
                f"{where[BEFORE]:,} before its first phase, {where[CALIBRATE]:,} of a calibration, "
                f"{where[PUBLISHED]:,} after publication; "
                f"{self.count['kills of a run that went on']:,} of a run that said that it went "
                f"on, as {self.count['runs that went on']:,} runs did")


class FullDisk:
    """Room that is taken from a place, at the start or once a run has begun, and given back."""

    def __init__(self, place, chance, need_bytes):
        self.place = place
        self.planned = place.disk is not None and chance.random() < 0.5
        self.later = chance.random() < 0.5
        self.room_bytes = round(need_bytes * chance.uniform(0.0, 1.05))
        if self.planned and not self.later:
            self.take()

    def take(self):
        self.place.disk.give_back()
        self.place.disk.take_all_but(self.room_bytes)

    def on_line(self):
        """Takes it at the first line of progress."""
        if self.planned and self.later:
            self.later = False
            self.take()

    def is_met_by(self, run):
        """Whether it ended this run, as it should."""
        return self.planned and run.code == 1 and build_runs.is_about_room(run.error)

    def met(self, run):
        """Gives the room back then."""
        if not self.is_met_by(run):
            return False
        self.give_back()
        return True

    def give_back(self):
        if self.place.disk is not None:
            self.planned = False
            self.place.disk.give_back()


def random_moment(chance, base):
    """When to kill a run like `base`: arguments of Builder.run, without its callbacks' others."""
    if chance.random() < 0.5 or not base.phases:
        return {"kill_after_s": chance.uniform(0, base.wall_s)}
    phases = list(dict.fromkeys(base.phases))
    at, after_s = chance.choice(phases), chance.uniform(0, 0.2 * base.wall_s / len(phases))
    return {"on_phase": lambda phase: after_s if phase == at else None}


def other_threads(chance, words):
    """The same command, one time in four with another number of threads: the same bytes."""
    at = words.index("--threads") + 1
    if chance.random() < 0.75:
        return words
    return [*words[:at], str(chance.choice((1, 2, 3))), *words[at + 1:]]


def build_round(name, prepared, place, chance, tally):
    """Nothing when a build or an import comes to its bytes in the end, else what is wrong."""
    current = kill_build.Round(name, prepared.builder, place.folder / name)
    build_runs.drop(current.index)
    full = FullDisk(place, chance, prepared.need_bytes)
    again, more = chance.uniform(0.2, 0.9), True
    builder = build_runs.Builder(prepared.cairn, [], prepared.builder.arguments,
                                 prepared.builder.source, prepared.builder.limit_s)
    current.builder = builder
    while more:
        kill = not current.runs or (chance.random() < again and len(current.runs) < RUNS_MAX)
        moment = random_moment(chance, prepared.base) if kill else {}
        builder.arguments = other_threads(chance, prepared.builder.arguments)
        more = current.step(on_line=full.on_line, **moment)
        run = current.runs[-1]
        tally.add("runs that went on", run.units_done > 0)
        if run.killed:
            tally.add_kill(place, prepared.recipe.kind, PUBLISHED if current.index.exists() else
                           run.phases[-1] if run.phases else BEFORE, run)
        elif full.met(run):
            tally.add("full disks")
            if current.index.exists():
                return "an index stands there after a failed build"
            current.problem, more = "", True
    full.give_back()
    problem = current.problem or builder.verify(current.index)
    current.problem = problem
    current.conclude(prepared.expected)
    return current.problem


class Calibrations:
    """One index, calibrated again and again by runs that are killed."""

    WORDS = ("--rows", "30", "--seed", "5", "--memory", "64M", "--quiet", "--json")

    def __init__(self, prepared, index):
        self.prepared, self.index = prepared, index
        self.chain = [prepared.expected]  # hashes after so many undisturbed calibrations
        self.answers = None
        self.stage = 0  # how many were published

    def command(self, index):
        return [self.prepared.cairn, "calibrate", "--index", str(index), *self.WORDS]

    def prepare(self):
        """Hashes after up to two, and what a search of rows of the index answers."""
        there = pathlib.Path(f"{self.index}-undisturbed")
        self.prepared.copy_index(there)
        self.answers = self.answers_of(there)
        self.base = self.extend(there)
        self.extend(there)
        build_runs.drop(there)

    def extend(self, there):
        run = build_runs.run_command(self.command(there), limit_s=LIMIT_S)
        if run.problem:
            raise build_runs.Failed(f"an undisturbed calibration: {run.problem}")
        self.chain.append(build_runs.hashes_of(there))
        return run

    def answers_of(self, index):
        """Labels and distances; what was read hangs on what the cache happens to hold."""
        lines = self.prepared.call("search", "--index", index, "--queries",
                                   queries_of(self.prepared), "--list-size", "20", "--json",
                                   "--quiet").splitlines()
        return [(answer["labels"], answer["distances"]) for answer in map(json.loads, lines)]

    def look(self):
        """After a kill or a full disk: what is wrong, and what had happened, in words."""
        found = build_runs.hashes_of(self.index)
        for stage in range(self.stage, len(self.chain)):
            if found.get("MANIFEST") == self.chain[stage]["MANIFEST"]:
                break
        else:
            return "a manifest of no calibration", ""
        named = self.chain[stage]
        stray = sorted(set(found) - set(named))
        if any(found.get(name) != digest for name, digest in named.items()):
            return build_runs.difference(named, self.index), ""
        published, self.stage = stage > self.stage, stage
        problem = self.prepared.builder.verify(self.index)
        if not problem and self.answers_of(self.index) != self.answers:
            problem = "other answers"
        return problem, PUBLISHED if published else "file left" if stray else "measuring"


def queries_of(prepared):
    """Rows of the index itself."""
    suffix = {"u8": "u8bin", "i8": "i8bin"}.get(prepared.recipe.dtype, "fbin")
    path = prepared.folder / f"queries.{suffix}"
    with prepared.lock:
        if not path.exists():
            all_rows = prepared.folder / f"all.{suffix}"
            prepared.call("export", "--index", prepared.index, all_rows, "--quiet", "--labels",
                          prepared.folder / "all.u64bin")
            prepared.call("convert", all_rows, path, "--take", "40", "--quiet")
    return path


def calibrate_round(name, prepared, place, chance, tally):
    """Nothing when every state in between is whole and the last run gives its bytes."""
    current = Calibrations(prepared, place.folder / name)
    current.prepare()
    prepared.copy_index(current.index)
    full = FullDisk(place, chance, 40960)  # what a calibration writes, some KiB
    kills, limit_s = chance.randrange(1, 6), build_runs.limit_after(current.base)
    while True:
        if current.stage + 2 > len(current.chain):
            kills = 0  # another published calibration would leave the chain
        run = build_runs.run_command(current.command(current.index), limit_s=limit_s,
                                     **calibration_moment(chance, current) if kills else {})
        kills = max(0, kills - 1)
        if run.code == 0:
            break
        if run.problem and not full.is_met_by(run):
            return run.problem
        problem, happened = current.look()
        if problem:
            return problem
        if run.killed:
            tally.add_kill(place, CALIBRATE, happened, run)
        elif full.met(run):
            tally.add("full disks")
    full.give_back()
    if current.stage + 1 < len(current.chain):
        problem = build_runs.difference(current.chain[current.stage + 1], current.index)
        if problem:
            return problem
    problem = prepared.builder.verify(current.index)
    if not problem:
        build_runs.drop(current.index)
    return problem


def calibration_moment(chance, current):
    """At any time, or soon after a file has appeared: publishing takes milliseconds."""
    if chance.random() < 0.5:
        return {"kill_after_s": chance.uniform(0, current.base.wall_s)}
    before, after_s = set(os.listdir(current.index)), chance.uniform(0, 0.02)
    return {"on_tick": lambda: after_s if set(os.listdir(current.index)) - before - {"WRITER"}
                       else None}


def places_of(args, job, open_disks):
    """The places of one job; what cannot be mounted is left out, once said."""
    folder = args.scratch / f"job-{job}"
    folder.mkdir(parents=True, exist_ok=True)
    places = [Place("default", folder)] if "default" in args.places else []
    for kind in ("ext4", "xfs"):
        if kind not in args.places:
            continue
        disk = loop_disk.LoopDisk(folder, kind)
        open_disks.append(disk)
        try:
            if os.geteuid() != 0:
                raise OSError("not root")
            disk.make(DISK_BYTES)
        except OSError as error:
            if job == 0:
                print(f"skipped: rounds on {kind}: {error}", file=sys.stderr)
            continue
        places.append(Place(kind, disk.mount, disk))
    return places


class Campaign:
    def __init__(self, args):
        self.args, self.tally, self.ending = args, Tally(), False
        self.next_round, self.lock = args.first, threading.Lock()
        self.prepared = [Prepared(args.cairn, args.scratch / f"recipe-{number}",
                                  random_recipe(args.seed, number, args.scale))
                         for number in range(args.recipes)]

    def take_round(self):
        with self.lock:
            done = self.tally.kills >= self.args.kills or self.tally.problems
            if done or self.ending:
                return None
            self.next_round += 1
            return self.next_round - 1

    def run_job(self, job, disks):
        places = places_of(self.args, job, disks)
        while (number := self.take_round()) is not None:
            prepared = self.prepared[number % len(self.prepared)]
            chance = random.Random(f"round {self.args.seed} {number}")
            self.run_round(number, prepared, chance.choice(places), chance)

    def run_round(self, number, prepared, place, chance):
        one = calibrate_round if prepared.recipe.kind == CALIBRATE else build_round
        try:
            prepared.make()
            problem = one(f"round-{number}", prepared, place, chance, self.tally)
        except (OSError, build_runs.Failed) as error:
            problem = str(error)
        self.tally.add("rounds")
        if problem:
            with self.lock:
                self.tally.problems.append(problem)
            kept = self.args.scratch / f"failed-{number}"
            shutil.copytree(place.folder, kept, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("ballast", "small-*"))
            print(f"FAILED: round {number} on {place.name}, {prepared.recipe}: {problem}\n"
                  f"  again: --seed {self.args.seed} --first {number} --kills 1 --jobs 1 --recipes "
                  f"{self.args.recipes} --scale {self.args.scale}; what it left is in {kept}",
                  file=sys.stderr)
        elif self.args.verbose:
            print(f"round {number} on {place.name}: {prepared.recipe}: identical",
                  file=sys.stderr)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cairn", required=True, help="the command under test")
    parser.add_argument("--scratch", type=pathlib.Path, required=True,
                        help="folder for everything, which no one else uses")
    parser.add_argument("--kills", type=int, default=2000, help="how many; default 2000")
    parser.add_argument("--recipes", type=int, default=42, help="sets of parameters; default 42")
    parser.add_argument("--scale", type=float, default=1,
                        help="of the number of vectors; default 1")
    parser.add_argument("--places", default="default,ext4,xfs", help="of default,ext4,xfs")
    parser.add_argument("--jobs", type=int, default=2, help="rounds at once; default 2")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="round to begin with")
    parser.add_argument("--verbose", action="store_true", help="a line for every round")
    args = parser.parse_args()
    args.places = args.places.split(",")
    if set(args.places) - {"default", "ext4", "xfs"} or "default" not in args.places:
        parser.error("--places is default and perhaps ext4 and xfs")
    if min(args.kills, args.recipes, args.jobs) < 1 or args.scale <= 0:
        parser.error("--kills, --recipes, --jobs and --scale are above 0")
    args.scratch = args.scratch.resolve()
    return args


def run_all(campaign):
    args, disks = campaign.args, []
    try:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            jobs = [pool.submit(campaign.run_job, job, disks) for job in range(args.jobs)]
            try:
                for job in jobs:
                    job.result()
            finally:
                campaign.ending = True  # the pool waits for rounds that have begun
    finally:
        for disk in disks:
            disk.__exit__()


def main():
    args = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    with build_runs.fresh_scratch(args.scratch):
        # A copy, so that the build folder may be built in meanwhile.
        args.cairn = str(shutil.copy2(args.cairn, args.scratch / "cairn"))
        campaign = Campaign(args)
        run_all(campaign)
    tally = campaign.tally
    build_runs.print_table(["killed", "phase", "kills"],
                           [[*at, count] for at, count in sorted(tally.kills_at.items())])
    where = ", ".join(f"{name} {count}" for name, count in sorted(tally.places.items()))
    print(f"kills: {tally.kills:,} kills in {tally.count['rounds']:,} rounds of {args.recipes} "
          f"recipes: {tally.summary()}; {tally.count['full disks']:,} full disks on the way "
          f"({where}); lost {len(tally.problems)}; seed {args.seed}, "
          f"{time.monotonic() - start:.0f} s")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs every operation of `cairn` in every environment at every place and compares what it gives
with what it gives without any limit on an ordinary disk: the same bytes, in every cell. (Answers
are compared of searches by list size; a search by recall must find what was asked for.)

  tests/run-limits                      # builds what it needs, then all cells
  tests/reliability/limits.py --cairn build/tools/cairn --helpers build/tests/io --scratch DIR

Environments: io_uring refused (EPERM) and missing (ENOSYS), as few open files as work, a memlock of
0 without the right to exceed it, a signal each millisecond. Places: the disk of --scratch, tmpfs,
overlayfs, ext4 and XFS on loop devices, the same with sectors of 4096 bytes, a read-only mount, and
names that are odd, long or relative. What an operation writes lies at the place under test, and was
not there before; that of the read-only mount lies on the ordinary disk. With one open file less
than works an operation must say so in one line, and so must what cannot work, such as an export to
the read-only mount. A place that cannot be had (no root, no loop devices) is left out and said.

The tables go to standard error, one line that begins with "limits:" to standard output. Exit code 1
when a cell differs. Standard library only; Linux.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import build_runs
import surroundings
from build_runs import Failed

COUNT, DIM = 600, 24
BUILD = ("--codes", "8", "--degree", "24", "--calibration-rows", "20", "--memory", "96M",
         "--threads", "2", "--quiet")
RECALL_BELOW = 0.05  # of 40 queries
NOFILE_FIRST, NOFILE_LAST = 4, 64  # with fewer the loader finds no libraries
LIMIT_S = 300  # of a command that takes a second on an idle machine
READ_ONLY = "Read-only file system"


class Cell:
    """The operations in one environment at one place. Each gives what is compared."""

    def __init__(self, cairn, environment, place, out):
        self.cairn, self.environment, self.place, self.out = cairn, environment, place, out
        self.nofile = None
        self.refused = 0

    def run(self, verb, *words, last=()):
        """`last`: words that are no options, whatever they begin with."""
        words = [self.cairn, verb, *map(str, words), *(["--", *map(str, last)] if last else [])]
        try:
            done = subprocess.run(self.environment.command(words, self.nofile), cwd=self.place.cwd,
                                  env={**os.environ, **self.environment.variables},
                                  capture_output=True, check=False, timeout=LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{verb} hangs, not done after {LIMIT_S} s") from error
        return done.returncode, done.stdout, done.stderr.decode(errors="replace").strip()

    def must(self, *words, **more):
        code, out, error = self.run(*words, **more)
        if code != 0:
            raise Failed(f"code {code}: {error}")
        return out

    def must_refuse(self, parts, *words):
        """What cannot work says so in one line."""
        code, _, error = self.run(*words)
        if code != 1 or "\n" in error or not all(part in error for part in parts):
            raise Failed(f"{' '.join(map(str, words))[:200]}: expected {parts}, code {code}: "
                         f"{error}")
        self.refused += 1

    def of_index(self, index=None):
        return "--index", self.place.spell_index(index or self.place.index)

    def read(self, verb, *words, **more):
        return self.must(verb, *self.of_index(), *words, **more)

    def write(self, name, *words):
        """Digest of the new file that a command writes, whose last word it is."""
        path, told = self.place.path(name), self.place.spell(name)
        if self.place.read_only:
            self.must_refuse([READ_ONLY], *words, told)
            path = told = self.out / name
        path.unlink(missing_ok=True)
        self.must(*words, told)
        if not path.exists():
            raise Failed(f"{name} was not written")
        return digest(path)

    @property
    def queries(self):
        return self.place.spell("queries.u8bin")

    def build(self):
        build_runs.drop(self.place.path(self.place.index))
        self.must("build", "--input", self.place.spell("base.u8bin"), "--index",
                  self.place.spell_index(self.place.index), *BUILD)
        return build_runs.hashes_of(self.place.path(self.place.index))

    def search(self):
        return self.write("results", "search", *self.of_index(), "--queries", self.queries,
                          "--list-size", "20", "--quiet", "--output")

    def search_by_recall(self):
        """Not its answers: what a search with slack reads hangs on what arrives first."""
        out = self.read("recall", "--queries", self.queries, "--recall", "0.9", "--json", "--quiet")
        found = json.loads(out)["recall"]
        if found < 0.9 - RECALL_BELOW:
            raise Failed(f"recall {found} where 0.9 was asked for")
        return "found as much as was asked for"

    def recall(self):
        out = self.read("recall", "--queries", self.queries, "--list-size", "10,40", "--batch", "8",
                        "--json", "--quiet")
        return [json.loads(line)["recall"] for line in out.splitlines()]

    def verify(self):
        return self.must("verify", "--json", "--quiet",
                         last=[self.place.spell_index(self.place.index)])

    def export(self):
        return [self.write(name, "export", *self.of_index(), "--to", to, "--threads", "1",
                           "--quiet", "--")
                for name, to in (("all.u8bin", "vectors"), ("old.hnsw", "hnswlib"))]

    def calibrate(self):
        copied = self.place.path("again")
        build_runs.drop(copied)
        shutil.copytree(self.place.path(self.place.index), copied)
        self.must("calibrate", *self.of_index("again"), "--rows", "15", "--memory", "96M",
                  "--quiet")
        return build_runs.hashes_of(copied)

    def import_(self):
        build_runs.drop(self.place.path("imported"))
        self.must("import", "--from", "hnswlib", "--dim", DIM, "--dtype", "u8", "--metric", "l2",
                  "--index", self.place.spell_index("imported"), *BUILD,
                  last=[self.place.spell("old.hnsw")])
        return build_runs.hashes_of(self.place.path("imported"))


# In an order in which each finds what it needs.
OPERATIONS = {"build": Cell.build, "search": Cell.search, "by recall": Cell.search_by_recall,
              "recall": Cell.recall, "verify": Cell.verify, "export": Cell.export,
              "calibrate": Cell.calibrate, "import": Cell.import_}
SHORT_ENVIRONMENTS = ("default", "io_uring ENOSYS", "1 kHz signals")
WRITING = ("build", "calibrate", "import")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Campaign:
    def __init__(self, args):
        self.args = args
        self.expected = {}
        self.good, self.bad = collections.Counter(), collections.Counter()
        self.problems, self.skipped = [], []
        self.refused = 0

    def cell(self, environment, place):
        return Cell(self.args.cairn, environment, place, self.args.scratch / "out")

    def fill(self, place):
        """The input, in a place that is about to be used."""
        for name in ("base.u8bin", "queries.u8bin"):
            shutil.copy2(self.args.scratch / name, place.path(name))

    def operate(self, name, cell, environment_name):
        try:
            found = OPERATIONS[name](cell)
        except (Failed, OSError, ValueError) as error:
            problem = str(error)
        else:
            problem = "" if found == self.expected.setdefault(name, found) else "another result"
        self.refused += cell.refused
        cell.refused = 0
        key = (environment_name, name)
        if problem:
            self.bad[key] += 1
            self.problem(f"{environment_name}, {cell.place.name}, {name}: {problem}")
        else:
            self.good[key] += 1

    def problem(self, text):
        self.problems.append(text)
        print(f"FAILED: {text}", file=sys.stderr)

    def run_place(self, place, environments, least):
        """All environments at one place, and a line of how it went."""
        start, before = time.monotonic(), len(self.problems)
        if not place.read_only:
            self.fill(place)
        operations = [name for name in OPERATIONS if not (place.read_only and name in WRITING)]
        for environment in environments:
            if environment.missing:
                continue
            cell = self.cell(environment, place)
            for name in operations:
                self.operate(name, cell, environment.name)
        cell = self.cell(environments[0], place)
        for name in operations:
            cell.nofile = least[name]
            self.operate(name, cell, "least open files")
        print(f"{place.name}: {len(self.problems) - before or 'none'} failed, "
              f"{time.monotonic() - start:.0f} s", file=sys.stderr)

    def least_open_files(self, place, default):
        """For each operation the fewest that work, those below having been refused cleanly."""
        self.fill(place)
        least = {}
        for name in OPERATIONS:
            cell = self.cell(default, place)
            self.operate(name, cell, "before")  # what the later ones need, and what is expected
            if self.problems:
                return {}
            for nofile in range(NOFILE_FIRST, NOFILE_LAST):
                cell.nofile = nofile
                try:
                    OPERATIONS[name](cell)
                    least[name] = nofile
                    break
                except Failed as error:
                    if not re.fullmatch("code 1: .*RLIMIT_NOFILE.*", str(error)):
                        self.problem(f"{name} with {nofile} open files: {error}")
                        break
                    self.refused += 1
            cell.nofile = None
            self.operate(name, cell, "before")
        return least

    def refuse(self, cell, words, parts):
        try:
            cell.must_refuse(parts, *words)
        except Failed as error:
            self.problem(str(error))
        self.refused += cell.refused
        cell.refused = 0


def refusals(campaign, default, place, read_only):
    cell = campaign.cell(default, place)
    base = place.spell("base.u8bin")

    def build(index):
        return ["build", "--input", base, "--index", index, *BUILD]
    long_name = "n" * (surroundings.NAME_MAX - len(surroundings.BUILDING) + 1)
    campaign.refuse(cell, build(place.spell(long_name)), ["File name too long", long_name])
    long_path = place.spell("d/" * 2048)
    campaign.refuse(cell, build(long_path), ["File name too long"])
    for verb in (["verify", long_path], ["search", "--index", long_path, "--queries", base]):
        campaign.refuse(cell, verb, ["File name too long"])
    campaign.refuse(cell, build(base), ["already_exists", base])
    campaign.refuse(cell, build(base + "/index"), ["Not a directory"])
    campaign.refuse(cell, build(place.spell("none") + "/index"), ["No such file"])
    if read_only.missing:
        return
    folder = read_only.folder
    campaign.refuse(cell, build(folder / "new"), [READ_ONLY])
    campaign.refuse(cell, ["calibrate", "--index", folder / "index", "--rows", "9", "--quiet"],
                    [READ_ONLY])


def make_input(args):
    subprocess.run([args.cairn, "generate", "--count", str(COUNT), "--dim", str(DIM), "--dtype",
                    "u8", "--seed", str(args.seed), "--output", args.scratch / "base.u8bin",
                    "--queries", "40", "--query-output", args.scratch / "queries.u8bin", "--quiet"],
                   check=True)
    (args.scratch / "out").mkdir()


def run_all(campaign, stack):
    args = campaign.args
    make_input(args)
    environments = surroundings.environments(args.helpers / "without_io_uring",
                                             args.helpers / "every_millisecond.so")
    every = list(surroundings.places(args.scratch, stack, args.short))
    default = environments[0]
    if args.short:
        environments = [one for one in environments if one.name in SHORT_ENVIRONMENTS]
    least = campaign.least_open_files(every[0], default)
    read_only = surroundings.read_only_place(args.scratch, stack, every[0].folder)
    every.append(read_only)
    for environment in environments:
        if environment.missing:
            campaign.skipped.append(f"{environment.name}: {environment.missing}")
    for place in every:
        if place.missing:
            campaign.skipped.append(f"{place.name}: {place.missing}")
            continue
        if least.keys() == OPERATIONS.keys() and not (args.short and place is every[0]):
            campaign.run_place(place, environments, least)
    refusals(campaign, default, every[0], read_only)
    names = [one.name for one in environments if not one.missing] + ["least open files"]
    return names, [place.name for place in every if not place.missing], least


def print_tables(campaign, names, least):
    def shown(environment, name):
        good, bad = campaign.good[environment, name], campaign.bad[environment, name]
        return f"{good} of {good + bad}"
    build_runs.print_table(["environment: places alike", *OPERATIONS],
                           [[environment, *[shown(environment, name) for name in OPERATIONS]]
                            for environment in names])
    build_runs.print_table(
        ["", *OPERATIONS],
        [["least RLIMIT_NOFILE", *[least.get(name, "-") for name in OPERATIONS]]])
    for text in campaign.skipped:
        print(f"skipped: {text}", file=sys.stderr)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cairn", required=True, help="the command under test")
    parser.add_argument("--helpers", type=pathlib.Path, required=True,
                        help="folder of without_io_uring and every_millisecond.so")
    parser.add_argument("--scratch", type=pathlib.Path, required=True,
                        help="folder for everything, which no one else uses")
    parser.add_argument("--seed", type=int, default=1, help="of the vectors; default 1")
    parser.add_argument("--short", action="store_true",
                        help="three environments, one odd name and a read-only mount alone")
    args = parser.parse_args()
    args.cairn = str(pathlib.Path(args.cairn).resolve())
    args.helpers, args.scratch = args.helpers.resolve(), args.scratch.resolve()
    return args


def main():
    args = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    campaign = Campaign(args)
    with build_runs.fresh_scratch(args.scratch) as stack:
        names, places, least = run_all(campaign, stack)
    print_tables(campaign, names, least)
    cells = sum(count for (name, _), count in campaign.good.items() if name != "before")
    print(f"limits: {cells:,} cells alike ({len(names)} environments, {len(places)} places, "
          f"{len(OPERATIONS)} operations), {campaign.refused} refused in one line, "
          f"{len(campaign.problems)} failed, {len(campaign.skipped)} skipped; seed {args.seed}, "
          f"{time.monotonic() - start:.0f} s")
    return 1 if campaign.problems else 0


if __name__ == "__main__":
    sys.exit(main())

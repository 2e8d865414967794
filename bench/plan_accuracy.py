#!/usr/bin/env python3
"""How far `cairn plan --sample` is off: its figures from a part of a set against what the index of
the whole set takes and needs, in the same memory limits, for several seeds of the sample.

  plan_accuracy.py --cairn build/tools/cairn --input base.u8bin --queries q.u8bin \\
      --groundtruth truth.bin --sample-rows 50000 [--index whole.cairn] [--metric l2] [--seeds 10]

Without --index the whole is built in --work first, and the build's time and memory are compared
too. Prints a table of errors: memory limits down, the worst and mean of the seeds across."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

WANTED = {"recall": 0.02, "memory": 0.05, "disk": 0.05, "build": 0.25, "reads": 0.20}


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def header(path):
    with open(path, "rb") as file:
        return [int.from_bytes(file.read(4), "little") for _ in range(2)]


def folder_bytes(path):
    return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())


class Truth:
    """What the index of the whole set needs, measured once for each memory limit."""

    def __init__(self, options):
        self.options = options
        self.rows = {}

    def row(self, limit):
        if limit not in self.rows:
            options = self.options
            self.rows[limit] = run([
                options.cairn, "recall", "--index", options.index, "--queries", options.queries,
                "--groundtruth", options.groundtruth, "-k", str(options.k), "--recall",
                str(options.recall), "--memory", str(limit), "--batch", "32", "--threads", "1",
                "--json", "--quiet"])[0]
        return self.rows[limit]


def planned(options, seed):
    count, dim = header(options.input)
    dtype = {".fbin": "f32", ".u8bin": "u8", ".i8bin": "i8"}[os.path.splitext(options.input)[1]]
    return run([options.cairn, "plan", "--count", str(count), "--dim", str(dim), "--dtype", dtype,
                "--metric", options.metric, "-k", str(options.k), "--recall", str(options.recall),
                "--sample", options.input, "--sample-rows", str(options.sample_rows), "--seed",
                str(seed), "--work", options.work, "--json", "--quiet"])[0]


def compare(design, truth, disk_bytes, build):
    row = truth.row(design["memory"]["limit_bytes"])
    reads = design["reads"]
    errors = {
        "recall": design["recall"]["value"] - row["recall"],
        "memory": design["ram_bytes"] / row["index_ram_bytes"] - 1,
        "disk": design["disk_bytes"] / disk_bytes - 1,
        "reads": reads["value"] / row["reads"] - 1,
        "held": reads["low"] <= row["reads"] <= reads["high"],
        "width": (reads["high"] - reads["low"]) / 2 / reads["value"],
        "planned": reads["value"],
        "measured": row["reads"],
    }
    if build is not None:
        errors["build"] = design["build"]["seconds"] / build["wall_s"] - 1
        errors["build memory"] = design["build"]["ram_bytes"] / build["memory_peak_bytes"] - 1
    return errors


def worst(errors, name):
    return max((error[name] for error in errors), key=abs)


def report(by_limit, options):
    print(f"{options.input}: {options.sample_rows} rows drawn, {options.seeds} seeds")
    print(f"{'limit B/v':>10} {'layers+edges':>13} {'reads':>7} {'planned':>8} {'mean err':>9} "
          f"{'worst':>7} {'held':>6} {'+-':>6} {'recall':>7} {'memory':>7} {'disk':>7} "
          f"{'build':>7}")
    missed = 0
    for (limit, state), errors in sorted(by_limit.items()):
        held = sum(error["held"] for error in errors)
        width = max(error["width"] for error in errors)
        bad = held < 0.9 * len(errors) or width > WANTED["reads"] + 1e-9
        for name in ("recall", "memory", "disk"):
            bad = bad or abs(worst(errors, name)) > WANTED[name]
        build = "-"
        if "build" in errors[0]:
            build = f"{100 * worst(errors, 'build'):+.1f}%"
            bad = bad or abs(worst(errors, "build")) > WANTED["build"]
        missed += bad
        print(f"{limit:>10.1f} {state:>13} {errors[0]['measured']:>7.2f} "
              f"{statistics.mean(e['planned'] for e in errors):>8.2f} "
              f"{100 * statistics.mean(e['reads'] for e in errors):>+8.1f}% "
              f"{100 * worst(errors, 'reads'):>+6.1f}% {held:>3}/{len(errors):<2} "
              f"{100 * width:>5.1f}% {100 * worst(errors, 'recall'):>+6.2f}p "
              f"{100 * worst(errors, 'memory'):>+6.1f}% {100 * worst(errors, 'disk'):>+6.1f}% "
              f"{build:>7}{'  missed' if bad else ''}", flush=True)
    print(f"{missed} of {len(by_limit)} limits miss something wanted")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cairn", default="cairn")
    for name in ("--input", "--queries", "--groundtruth"):
        parser.add_argument(name, required=True)
    parser.add_argument("--index")
    parser.add_argument("--metric", default="l2")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--sample-rows", type=int, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--work", help="folder for what is built; default: of temporary files")
    parser.add_argument("--plans", help="file to keep every plan in, a JSON object a line")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="plan-accuracy-", dir=options.work)
    options.work = work
    try:
        build = None
        if options.index is None:
            options.index = os.path.join(work, "whole")
            build = run([options.cairn, "build", "--input", options.input, "--index",
                         options.index, "--metric", options.metric, "--json", "--quiet"])[0]
        truth = Truth(options)
        count, _ = header(options.input)
        by_limit = {}
        for seed in range(1, options.seeds + 1):
            plan = planned(options, seed)
            if options.plans:
                with open(options.plans, "a", encoding="utf-8") as file:
                    file.write(json.dumps(plan) + "\n")
            for design in plan["designs"]:
                if "memory" not in design:
                    continue
                memory = design["memory"]
                key = (memory["limit_bytes"] / count,
                       f"{memory['refine_bytes']}B+{memory['nav_edges']}")
                by_limit.setdefault(key, []).append(
                    compare(design, truth, folder_bytes(options.index), build))
            print(f"seed {seed} done", file=sys.stderr, flush=True)
        return 1 if report(by_limit, options) else 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

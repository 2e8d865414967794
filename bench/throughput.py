#!/usr/bin/env python3
"""What fraction of a device's random reads a batch of searches reaches.

  bench/throughput.py --cairn build/tools/cairn --index DIR --queries q.u8bin --groundtruth truth \\
      --config 40B/v:64:0.1 --config 120B/v:20:0.02 --depth 32 --threads 2 --rounds 5

Takes in turns, on the same blocks file and the same cores: fio, one job a thread, each with --depth
random reads of a block in flight (O_DIRECT, io_uring), and `cairn recall --batch DEPTH` of each
--config, which is memory:list size:slack (no slack: leave it out). The ratio is reads a second of
the searches over those of fio, which is QPS / (fio's reads a second / reads a query), of the same
round; medians over the rounds. Cores: user + system time over wall time, 2.00 is two cores all the
time. The table goes to standard output, with --json one object a line instead, of every round. Exit
code 1 when a program fails or the median ratio of a config is below --least. Needs fio. Standard
library only.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys


@dataclasses.dataclass
class Config:
    """One way to search: memory:list size[:slack]."""
    memory: str
    list_size: str
    slack: str = ""

    def __str__(self):
        return ":".join(part for part in (self.memory, self.list_size, self.slack) if part)


@dataclasses.dataclass
class Rate:
    """What one program reached in one round."""
    reads_s: float
    cores: float
    qps: float = 0
    reads: float = 0  # a query
    recall: float = 0


def run(command):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def run_fio(args, blocks, block_bytes):
    job = json.loads(run([
        "fio", "--name=reads", f"--filename={blocks}", "--readonly", "--direct=1",
        "--ioengine=io_uring", "--registerfiles=1", "--fixedbufs=1", "--rw=randread",
        f"--bs={block_bytes}", f"--iodepth={args.depth}", f"--numjobs={args.threads}", "--thread",
        "--norandommap", "--randrepeat=0", "--group_reporting", "--time_based",
        f"--runtime={args.fio_seconds}", "--output-format=json"]))["jobs"][0]
    # A group's shares are of the time of all its jobs.
    cores = (job["usr_cpu"] + job["sys_cpu"]) / 100 * args.threads
    return Rate(job["read"]["iops"] * block_bytes / 4096, cores)


def run_cairn(args, config):
    """Several rows of all queries, each with an empty block cache at its start, as one."""
    slack = ["--slack", config.slack] if config.slack else []
    rows = [json.loads(line) for line in run([
        args.cairn, "recall", "--index", args.index, "--queries", args.queries, "--groundtruth",
        args.groundtruth, "-k", "10", "--memory", config.memory, "--list-size",
        ",".join([config.list_size] * args.repeats), *slack, "--batch", args.depth, "--threads",
        args.threads, "--io", "uring", "--json", "--quiet"]).splitlines()]
    qps = len(rows) / sum(1 / row["qps"] for row in rows)
    reads = statistics.fmean(row["reads"] for row in rows)
    cpu_us = statistics.fmean(row["cpu_us"] for row in rows)
    return Rate(qps * reads, qps * cpu_us / 1e6, qps, reads,
                statistics.fmean(row["recall"] for row in rows))


def table_row(cells):
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS)).rstrip()


WIDTHS = (18, 8, 8, 8, 10, 13, 13, 11, 7, 11)
TITLES = ("config", "recall", "reads", "QPS", "reads/s", "fio reads/s", "cairn cores", "fio cores",
          "ratio", "of rounds")


def summary(config, rounds):
    """The row of a config: medians over its rounds."""
    def median(value):
        return statistics.median(value(fio, cairn) for fio, cairn in rounds)
    ratios = [cairn.reads_s / fio.reads_s for fio, cairn in rounds]
    cells = (config, f"{median(lambda f, c: c.recall):.4f}", f"{median(lambda f, c: c.reads):.2f}",
             f"{median(lambda f, c: c.qps):.0f}", f"{median(lambda f, c: c.reads_s):.0f}",
             f"{median(lambda f, c: f.reads_s):.0f}", f"{median(lambda f, c: c.cores):.2f}",
             f"{median(lambda f, c: f.cores):.2f}", f"{statistics.median(ratios):.2f}",
             f"{min(ratios):.2f}-{max(ratios):.2f}")
    return table_row(map(str, cells)), statistics.median(ratios)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cairn", "index", "queries", "groundtruth"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--config", action="append", required=True, metavar="MEMORY:LIST[:SLACK]",
                        type=lambda text: Config(*text.split(":")))
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="times all queries a round")
    parser.add_argument("--fio-seconds", type=int, default=3)
    parser.add_argument("--cores", help="0,1,...: what both may use; default: as many as threads",
                        type=lambda text: {int(core) for core in text.split(",")})
    parser.add_argument("--least", type=float, default=0.0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main():
    args = parse_args()
    os.sched_setaffinity(0, args.cores or range(args.threads))
    blocks = sorted(pathlib.Path(args.index).glob("*.blocks"))
    if len(blocks) != 1:
        sys.exit(f"{args.index}: {len(blocks)} blocks files, expected one")
    block_bytes = json.loads(run([
        args.cairn, "inspect", args.index, "--json", "--quiet"]))["block_bytes"]
    rounds = {str(config): [] for config in args.config}
    for number in range(args.rounds):
        for config in args.config:
            fio = run_fio(args, blocks[0], block_bytes)
            cairn = run_cairn(args, config)
            rounds[str(config)].append((fio, cairn))
            if args.json:
                print(json.dumps({"round": number, "config": str(config),
                                  "load": os.getloadavg()[0],
                                  "fio": dataclasses.asdict(fio),
                                  "cairn": dataclasses.asdict(cairn)}), flush=True)
    ratios = []
    if not args.json:
        print(f"{args.threads} threads, {args.depth} reads in flight each, medians of "
              f"{args.rounds} rounds; load {os.getloadavg()[0]:.1f}")
        print(table_row(TITLES))
    for config, measured in rounds.items():
        row, ratio = summary(config, measured)
        ratios.append(ratio)
        if not args.json:
            print(row)
    return 0 if min(ratios) >= args.least else 1


if __name__ == "__main__":
    sys.exit(main())

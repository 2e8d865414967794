"""What the campaigns over `cairn build` share: runs with their resources, and bytes of a folder.

Standard library only; Linux (pidfd, wait4).
"""
import contextlib
import dataclasses
import hashlib
import json
import math
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import time


# No part of an index: what a builder leaves that was cut off between its last rename and the end,
# and the lock of whoever replaces the manifest, which names its process.
LEFT_BEHIND = ("LOCK", "JOURNAL", "WRITER")

# A run hangs that takes so many times as long as an undisturbed one: the machine may be loaded.
LIMIT_S_MIN, LIMIT_FACTOR = 120, 20


class Failed(Exception):
    """A command that did not do what it has to, in words."""


@dataclasses.dataclass
class Run:
    """One run of a command, ended by itself or by us."""
    code: int  # as of subprocess: -9 when killed
    wall_s: float
    core_s: float  # user and system time, also of a run that was killed
    peak_rss_bytes: int
    error: str  # standard error without its lines of progress, notes and plan
    out: str = ""
    phases: list = dataclasses.field(default_factory=list)  # seen, in order
    killed: bool = False  # by us, at the moment that was asked for: a crash is none
    hung: bool = False  # ended by us at its time limit
    units_done: int = 0  # from which it said that it goes on

    @property
    def problem(self):
        """Nothing when it ended well or by our kill, else how it ended."""
        if self.killed or self.code == 0:
            return ""
        how = f"code {self.code}"
        if self.hung:
            how = f"hangs, not done after {self.wall_s:.0f} s"
        elif self.code < 0:
            how = f"crashed, {signal.strsignal(-self.code)}"
        said = (self.error or self.out).strip()
        return f"{how}: {said}" if said else how


class Builder:
    """`cairn build` of one input with one list of arguments, into any folder; or `cairn import`,
    when `source` is what it is called with before --index. A run beyond `limit_s` hangs."""

    def __init__(self, cairn, inputs, arguments, source=None, limit_s=None):
        self.cairn = str(pathlib.Path(cairn).resolve())
        self.arguments = list(arguments)
        inputs = [str(pathlib.Path(path).resolve()) for path in inputs]
        self.source = source or ["build", *[word for path in inputs for word in ("--input", path)]]
        self.limit_s = limit_s

    def command(self, index, more=()):
        return [self.cairn, *self.source, "--index", str(index), "--json", "--progress", "json",
                *self.arguments, *more]

    def run(self, index, more=(), **how):
        """Runs to its end or as run_command() is told; `more`: arguments of this run alone."""
        return run_command(self.command(index, more), limit_s=self.limit_s, **how)

    def verify(self, index):
        """Nothing when `cairn verify` accepts the index, else what it says."""
        run = run_command([self.cairn, "verify", str(index), "--quiet"], limit_s=self.limit_s)
        return run.problem and f"verify: {run.problem}"


def run_command(command, kill_after_s=None, on_phase=None, on_line=None, on_tick=None,
                limit_s=None):
    """Runs to its end, at most `limit_s`. `kill_after_s`: sends SIGKILL then. Asked for the seconds
    after which to kill, None: not for now: `on_phase(name)` at the first line of every phase,
    `on_line()` at every line of progress, `on_tick()` every millisecond."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            return watch(child, End(kill_after_s, limit_s), Lines(on_phase, on_line), on_tick)
        except BaseException:
            if child.returncode is None:
                child.kill()
            raise


class End:
    """When a run gets its SIGKILL: at the moment that is asked for, or at its limit."""

    def __init__(self, kill_after_s, limit_s):
        self.start = time.monotonic()
        self.moment = self.start + (math.inf if kill_after_s is None else kill_after_s)
        self.limit = self.start + (math.inf if limit_s is None else limit_s)
        self.sent = self.hung = False

    def ask(self, after_s):
        if after_s is not None:
            self.moment = min(self.moment, time.monotonic() + after_s)

    def wait_s(self):
        """Until there is something to send; None: for as long as it takes."""
        due = min(self.moment, self.limit)
        return None if self.sent or due == math.inf else max(0.0, due - time.monotonic())

    def send_when_due(self, pid):
        if self.wait_s() == 0:
            self.hung = self.limit < self.moment
            os.kill(pid, signal.SIGKILL)  # a child not waited for keeps its id
            self.sent = True


class Lines:
    """Progress, notes and errors out of a stream that arrives in pieces."""

    def __init__(self, on_phase, on_line):
        self.on_phase, self.on_line = on_phase, on_line
        self.rest, self.errors, self.phases = b"", [], []
        self.units_done = 0

    def add(self, piece):
        """Seconds after which a callback asks for the end; None: it does not."""
        *lines, self.rest = (self.rest + piece).split(b"\n")
        asked = [after_s for line in lines for after_s in self.add_line(line)]
        return min((after_s for after_s in asked if after_s is not None), default=None)

    def add_line(self, line):
        said = object_of(line)
        if "phase" not in said:
            if not said.keys() & {"note", "plan"}:
                self.errors.append(line.decode(errors="replace"))
            elif goes_on := re.fullmatch(r"goes on: (\d+) units done", str(said.get("note"))):
                self.units_done = int(goes_on[1])
            return
        if not self.phases or self.phases[-1] != said["phase"]:
            self.phases.append(said["phase"])
            if self.on_phase:
                yield self.on_phase(said["phase"])
        if self.on_line:
            yield self.on_line()

    def end(self):
        """A last line that was cut off, as by a crash."""
        if self.rest:
            self.add(b"\n")


def object_of(line):
    """The JSON object of a line; an empty one for another line."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def watch(child, end, lines, on_tick):
    out = b""
    pipes = [child.stdout, child.stderr]
    while pipes:
        wait_s = end.wait_s()
        if on_tick and not end.sent:
            end.ask(on_tick())
            wait_s = 0.001
        for pipe in select.select(pipes, [], [], wait_s)[0]:
            piece = os.read(pipe.fileno(), 65536)
            if not piece:
                pipes.remove(pipe)
            elif pipe is child.stdout:
                out += piece
            else:
                end.ask(lines.add(piece))
        end.send_when_due(child.pid)
    lines.end()
    # wait4 gives the resources of a child that was killed too.
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    ours = end.sent and child.returncode == -signal.SIGKILL
    return Run(child.returncode, time.monotonic() - end.start, used.ru_utime + used.ru_stime,
               used.ru_maxrss * 1024, "\n".join(lines.errors), out.decode(errors="replace"),
               lines.phases, ours and not end.hung, ours and end.hung, lines.units_done)


def hashes_of(folder):
    """SHA-256 of every file of an index by its name."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file() and path.name not in LEFT_BEHIND:
            with open(path, "rb") as file:
                digest = hashlib.sha256()
                while piece := file.read(1 << 20):
                    digest.update(piece)
            found[str(path.relative_to(folder))] = digest.hexdigest()
    return found


def difference(expected, folder):
    """In words, nothing when the folder holds exactly the expected files."""
    found = hashes_of(folder)
    if found == expected:
        return ""
    names = sorted(name for name in found.keys() | expected.keys()
                   if found.get(name) != expected.get(name))
    return "other bytes in " + ", ".join(names)


def drop(index):
    for path in (pathlib.Path(index), pathlib.Path(f"{index}.building")):
        shutil.rmtree(path, ignore_errors=True)


def is_about_room(message):
    """full: the disk was; refused: the plan did not fit; None: another error."""
    if "no_space" in message or "No space left" in message:
        return "full"
    if "over_limit" in message and ("disk" in message or "room" in message):
        return "refused"
    return None


def needed_bytes(run):
    """Peak of work folder and index, by the build's own report."""
    report = json.loads(run.out)
    return max(report["disk_peak_bytes"], report["disk_bytes"])


def print_table(header, rows):
    """A table for people on standard error."""
    cells = [header, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip(),
              file=sys.stderr)


@contextlib.contextmanager
def fresh_scratch(scratch):
    """A folder for a campaign alone: new, or what an earlier one left, which is removed. Gives a
    stack of what is undone when it ends."""
    scratch.mkdir(parents=True, exist_ok=True)
    mark = scratch / "of-a-campaign"
    left = [path for path in scratch.iterdir() if path != mark]
    if left and not mark.exists():
        sys.exit(f"{scratch} holds something else: give --scratch a folder that does not exist yet")
    mark.touch()
    for path in left:
        if not path.is_dir():
            path.unlink()
        elif not os.path.ismount(path):
            shutil.rmtree(path)
    with contextlib.ExitStack() as stack:
        yield stack


def add_arguments(parser):
    """Arguments that the campaigns take alike."""
    parser.add_argument("--cairn", required=True, help="the command under test")
    parser.add_argument("--input", action="append", default=[], help="vectors; may be repeated")
    parser.add_argument("--generate", type=int, metavar="N",
                        help="instead of --input: N generated vectors of 128 bytes")
    parser.add_argument("--scratch", type=pathlib.Path, required=True,
                        help="folder for indexes, made when missing; what is left there is removed")
    parser.add_argument("--seed", type=int, default=1, help="of this campaign; default 1")
    parser.add_argument("build", nargs="*", metavar="-- ARGUMENT",
                        help="arguments for every `cairn build`, such as --memory 512M")


def builder_of(parser, args):
    args.scratch.mkdir(parents=True, exist_ok=True)
    inputs = args.input
    if bool(inputs) == bool(args.generate):
        parser.error("one of --input and --generate is needed")
    if not inputs:
        inputs = [args.scratch / f"generated-{args.generate}.u8bin"]
        if not inputs[0].exists():
            subprocess.run([args.cairn, "generate", "--count", str(args.generate), "--dim", "128",
                            "--dtype", "u8", "--seed", "1", "--output", str(inputs[0]), "--quiet"],
                           check=True)
    return Builder(args.cairn, inputs, args.build)


def ordinary_build(builder, index):
    """A run that nobody disturbs, from which later ones get their limit, and the bytes of its
    index."""
    drop(index)
    run = builder.run(index)
    if run.problem:
        raise Failed(f"the ordinary build: {run.problem}")
    builder.limit_s = limit_after(run)
    return run, hashes_of(index)


def limit_after(undisturbed):
    return max(LIMIT_S_MIN, LIMIT_FACTOR * undisturbed.wall_s)

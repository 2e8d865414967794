"""What the campaigns over `cairn build` share: runs with their resources, and bytes of a folder.

Standard library only; Linux (pidfd, wait4).
"""
import dataclasses
import hashlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time


# What a builder leaves that was cut off between its last rename and the end: no part of an index.
LEFT_BEHIND = ("LOCK", "JOURNAL")


@dataclasses.dataclass
class Run:
    """One run of a command, ended by itself or by us."""
    code: int  # as of subprocess: -9 when killed
    wall_s: float
    core_s: float  # user and system time, also of a run that was killed
    peak_rss_bytes: int
    error: str  # standard error without its lines of progress
    out: str = ""
    phases: list = dataclasses.field(default_factory=list)  # seen, in order

    @property
    def killed(self):
        return self.code < 0


class Builder:
    """`cairn build` of one input with one list of arguments, into any folder."""

    def __init__(self, cairn, inputs, arguments):
        self.cairn = str(pathlib.Path(cairn).resolve())
        self.arguments = list(arguments)
        self.inputs = [str(pathlib.Path(path).resolve()) for path in inputs]

    def command(self, index):
        inputs = [word for path in self.inputs for word in ("--input", path)]
        return [self.cairn, "build", *inputs, "--index", str(index), "--quiet", "--json",
                "--progress", "json", *self.arguments]

    def run(self, index, kill_after_s=None, on_phase=None, on_line=None):
        """Runs to its end. `kill_after_s`: sends SIGKILL then. `on_phase(name)` is asked at the
        first line of every phase, `on_line()` at every line of progress; true kills."""
        with subprocess.Popen(self.command(index), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as child:
            try:
                return watch(child, kill_after_s, on_phase, on_line)
            except BaseException:
                if child.returncode is None:
                    child.kill()
                raise

    def verify(self, index):
        """Nothing when `cairn verify` accepts the index, else what it says."""
        done = subprocess.run([self.cairn, "verify", str(index), "--quiet"], text=True,
                              capture_output=True, check=False)
        return "" if done.returncode == 0 else f"verify: {done.stderr.strip() or done.stdout}"


class Lines:
    """Progress and errors out of a stream that arrives in pieces."""

    def __init__(self, on_phase, on_line):
        self.on_phase, self.on_line = on_phase, on_line
        self.rest, self.errors, self.phases = b"", [], []

    def add(self, piece):
        """Whether a callback asks for the end."""
        *lines, self.rest = (self.rest + piece).split(b"\n")
        kill = False
        for line in lines:
            phase = phase_of(line)
            if phase is None:
                self.errors.append(line.decode(errors="replace"))
                continue
            if not self.phases or self.phases[-1] != phase:
                self.phases.append(phase)
                kill = kill or bool(self.on_phase and self.on_phase(phase))
            kill = kill or bool(self.on_line and self.on_line())
        return kill


def phase_of(line):
    """The phase that a line of progress names; None for another line."""
    try:
        return json.loads(line)["phase"]
    except (ValueError, KeyError, TypeError):
        return None


def watch(child, kill_after_s, on_phase, on_line):
    start = time.monotonic()
    lines, out = Lines(on_phase, on_line), b""
    deadline = None if kill_after_s is None else start + kill_after_s
    pipes = [child.stdout, child.stderr]
    while pipes:
        wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready = select.select(pipes, [], [], wait_s)[0]
        kill = deadline is not None and time.monotonic() >= deadline
        for pipe in ready:
            piece = os.read(pipe.fileno(), 65536)
            if not piece:
                pipes.remove(pipe)
            elif pipe is child.stdout:
                out += piece
            else:
                kill = lines.add(piece) or kill
        if kill:
            os.kill(child.pid, signal.SIGKILL)  # a child not waited for keeps its id
            deadline, lines.on_phase, lines.on_line = None, None, None
    # wait4 gives the resources of a child that was killed too.
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Run(child.returncode, time.monotonic() - start, used.ru_utime + used.ru_stime,
               used.ru_maxrss * 1024, "\n".join(lines.errors), out.decode(errors="replace"),
               lines.phases)


def hashes_of(folder):
    """SHA-256 of every file by its name; the lock's file is no part of an index."""
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


def print_table(header, rows):
    """A table for people on standard error."""
    cells = [header, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip(),
              file=sys.stderr)


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
    """A run that nobody disturbs, and the bytes of its index; ends the campaign when it fails."""
    drop(index)
    run = builder.run(index)
    if run.code != 0:
        sys.exit(f"the ordinary build ended with {run.code}: {run.error}")
    return run, hashes_of(index)

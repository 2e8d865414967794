#!/usr/bin/env python3
"""Plants one mistake after another in a copy of the tree and shows which test catches it.

  tests/reliability/planted.py [--build DIR] [--only NN]... [--list] [--jobs N] [--verbose]

The mistakes are the patches of tests/planted. What stands above the first `---` of a patch says in
a sentence or two what is wrong and what a user would lose, and then

  Tests: NAME...     tests of meson that are built and run until one fails
  Build: tsan        only where the test needs ThreadSanitizer

The tree with its uncommitted changes is copied to DIR/tree and configured in DIR/release and
DIR/tsan; a later run takes over what is there and compiles what changed. Every named test has to
pass before anything is planted. A test that does not come to an end within 20 times of what it took
then, and a minute at least, counts as one that failed. Exit code 1 when a mistake is not caught, or
when a patch does not apply or does not compile. Standard library only.
"""
import argparse
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATCHES = ROOT / "tests" / "planted"
BUILDS = {
    "release": ["--buildtype=release"],
    "tsan": ["--buildtype=debugoptimized", "-Db_ndebug=false", "-Db_sanitize=thread",
             "-Db_lundef=false"],
}
LIMIT_S_MIN, LIMIT_FACTOR = 60, 20


class Broken(Exception):
    """The campaign cannot say anything of a mistake: it is neither caught nor missed."""


@dataclasses.dataclass
class Mistake:
    path: pathlib.Path
    what: str
    tests: list
    build: str

    @property
    def number(self):
        return self.path.name.split("-")[0]

    @property
    def name(self):
        return self.path.stem.split("-", 1)[1]


def parse(path):
    head = path.read_text(encoding="utf-8").split("\n--- ", 1)[0]
    fields = dict(re.findall(r"^(Tests|Build): *(.*\S) *$", head, re.MULTILINE))
    what = " ".join(re.sub(r"^(Tests|Build):.*$", "", head, flags=re.MULTILINE).split())
    mistake = Mistake(path, what, fields.get("Tests", "").split(), fields.get("Build", "release"))
    if not what or not mistake.tests or mistake.build not in BUILDS:
        raise Broken(f"{path.name}: says not what is wrong, names no test or no build")
    return mistake


def mistakes(folder=PATCHES):
    return [parse(path) for path in sorted(folder.glob("*.patch"))]


def outside_of_repositories(tree):
    """Environment in which git takes `tree` for no part of one, whose ignored files it skips."""
    return {**os.environ, "GIT_DIR": str(tree / "no-repository")}


def apply(tree, patch, *options):
    done = subprocess.run(["git", "apply", *options, str(patch)], cwd=tree, text=True,
                          capture_output=True, check=False, env=outside_of_repositories(tree))
    if done.returncode != 0:
        raise Broken(f"{patch.name} does not apply to the tree any more:\n{done.stderr.strip()}")


def tree_files():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


def copy_tree(tree):
    """Writes only what differs, so that no more than that is compiled again."""
    wanted = tree_files()
    for path in sorted(tree.rglob("*")) if tree.exists() else []:
        if path.is_file() and str(path.relative_to(tree)) not in wanted:
            path.unlink()
    for name in sorted(wanted):
        source, target = ROOT / name, tree / name
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


@dataclasses.dataclass
class Verdict:
    failed: bool
    seconds: float
    why: str = ""


def first_failure(output, code):
    """The case and the message of a failed GoogleTest program, or what else there is to say."""
    race = re.search(r"^(?:WARNING|==\d+==ERROR): (\w+Sanitizer: .*?)(?: \(pid.*)?$", output,
                     re.MULTILINE)
    failure = re.search(r"^\S+:\d+: Failure\n((?:.+\n){1,3})", output, re.MULTILINE)
    begin = min([found.start() for found in (race, failure) if found], default=len(output))
    cases = re.findall(r"^\[ +RUN +\] (\S+)", output[:begin], re.MULTILINE)
    words = cases[-1:]
    if race or failure:
        words.append(" ".join((race or failure).group(1).split()))
    if code < 0:
        words.append(signal.Signals(-code).name)
    if not words:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        bad = re.compile(r"(?<!\b0 )(fail|wrong|lost)", re.IGNORECASE)
        words.append(next(filter(bad.search, lines), lines[-1] if lines else f"exit code {code}"))
    return ": ".join(words)[:160]


class Build:
    def __init__(self, folder, tree, kind, args):
        self.folder, self.tree, self.kind, self.args = folder, tree, kind, args
        self.limits_s = {}
        self.tests = None

    def command(self, *words):
        """Output of a build command; a failure is Broken."""
        env = {**os.environ, "CCACHE_BASEDIR": str(self.tree.parent), "CCACHE_NOHASHDIR": "1"}
        if "CXX" not in env and shutil.which("ccache"):
            env["CXX"] = "ccache g++"
        done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, env=env)
        if done.returncode != 0:
            raise Broken(f"{' '.join(words)}:\n{done.stdout[-3000:].strip()}")

    def open(self):
        if not (self.folder / "build.ninja").exists():
            self.command("meson", "setup", str(self.folder), str(self.tree), *BUILDS[self.kind])
        else:
            self.command("ninja", "-C", str(self.folder), "build.ninja")
        info = self.folder / "meson-info"
        self.tests = {one["name"]: one for one in json.loads(
            (info / "intro-tests.json").read_text(encoding="utf-8"))}
        self.outputs = {one["id"]: one["filename"] for one in json.loads(
            (info / "intro-targets.json").read_text(encoding="utf-8"))}

    def make(self, names):
        targets = set()
        for name in names:
            if name not in self.tests:
                raise Broken(f"there is no test {name} in {self.folder}")
            made = [path for target in self.tests[name]["depends"]
                    for path in self.outputs.get(target, [])]
            targets |= {os.path.relpath(path, self.folder)
                        for path in [self.tests[name]["cmd"][0], *made]
                        if pathlib.Path(path).is_relative_to(self.folder)}
        self.command("ninja", "-C", str(self.folder), "-j", str(self.args.jobs), *sorted(targets))

    def run(self, name):
        test = self.tests[name]
        env = {**os.environ, **test["env"], "GTEST_FAIL_FAST": "1",
               "TSAN_OPTIONS": "halt_on_error=1"}
        limit_s = self.limits_s.get(name, float(test["timeout"]))
        start = time.monotonic()
        process = subprocess.Popen(test["cmd"], cwd=test["workdir"] or self.folder, env=env,
                                   text=True, errors="replace", stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            last = re.findall(r"^\[ +RUN +\] (\S+)", output, re.MULTILINE)
            return Verdict(True, time.monotonic() - start,
                           f"hangs{' in ' + last[-1] if last else ''} (over {limit_s:.0f} s)")
        seconds = time.monotonic() - start
        if self.args.verbose:
            print(output, file=sys.stderr)
        if process.returncode == 0:
            return Verdict(False, seconds)
        return Verdict(True, seconds, first_failure(output, process.returncode))

    def check_unchanged(self, name):
        verdict = self.run(name)
        if verdict.failed:
            raise Broken(f"{name} fails before anything is planted: {verdict.why}")
        self.limits_s[name] = max(LIMIT_S_MIN, LIMIT_FACTOR * verdict.seconds)


def plant(mistake, tree, build):
    """The test that catches the mistake with its verdict, or None."""
    apply(tree, mistake.path)
    try:
        for name in mistake.tests:
            build.make([name])
            verdict = build.run(name)
            if verdict.failed:
                return name, verdict
    finally:
        copy_tree(tree)
    return None


def campaign(chosen, args):
    folder = args.build.resolve()
    tree = folder / "tree"
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "LOCK").open("w", encoding="utf-8")  # held until the process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        raise Broken(f"another campaign plants mistakes in {folder}") from held
    print(f"copying the tree to {tree}", file=sys.stderr)
    copy_tree(tree)
    builds = {}
    for kind in sorted({mistake.build for mistake in chosen}):
        builds[kind] = Build(folder / kind, tree, kind, args)
        builds[kind].open()
        names = dict.fromkeys(name for one in chosen if one.build == kind for name in one.tests)
        print(f"building {len(names)} tests ({kind}), which have to pass", file=sys.stderr)
        builds[kind].make(names)
        for name in names:
            builds[kind].check_unchanged(name)
    print(f"{'no':3} {'mistake':32} {'s':>5}  caught by")
    caught = 0
    for mistake in chosen:
        start = time.monotonic()
        try:
            found = plant(mistake, tree, builds[mistake.build])
            said = f"{found[0]}: {found[1].why}" if found else "NOTHING"
            caught += found is not None
        except Broken as problem:
            said = f"BROKEN: {problem}"
        print(f"{mistake.number:3} {mistake.name:32} {time.monotonic() - start:5.0f}  {said}",
              flush=True)
    return caught


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-planted")
    parser.add_argument("--only", action="append", default=[], metavar="NN")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--verbose", action="store_true", help="what the tests print")
    args = parser.parse_args()
    try:
        chosen = [one for one in mistakes() if not args.only or one.number in args.only]
        if not chosen:
            raise Broken("there is no such mistake")
        if args.list:
            for one in chosen:
                print(f"{one.number} {one.name}: {one.what} [{' '.join(one.tests)}]")
            return 0
        caught = campaign(chosen, args)
    except Broken as problem:
        print(f"planted: {problem}", file=sys.stderr)
        return 1
    print(f"planted: {caught} of {len(chosen)} caught")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())

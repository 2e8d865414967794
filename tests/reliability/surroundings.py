"""What the campaign of limits runs `cairn` in: environments, which wrap a command, and places:
where its files lie and how they are named.

Standard library only; Linux.
"""
import dataclasses
import os
import pathlib

import loop_disk
from loop_disk import MIB, call, unmount


@dataclasses.dataclass
class Environment:
    name: str
    wrapper: list = dataclasses.field(default_factory=list)  # words before the command
    variables: dict = dataclasses.field(default_factory=dict)
    missing: str = ""  # why it is not to be had here

    def command(self, words, nofile=None):
        limit = [] if nofile is None else ["prlimit", f"--nofile={nofile}:{nofile}"]
        return [*self.wrapper, *limit, *words]


def environments(without_io_uring, every_millisecond):
    """All but the limit of open files, whose least differs by operation."""
    wanted = [
        Environment("default"),
        Environment("io_uring EPERM", [str(without_io_uring)]),
        Environment("io_uring ENOSYS", [str(without_io_uring), "--missing"]),
        # Root is exempt by CAP_IPC_LOCK, which the command is not to have.
        Environment("memlock 0", ["setpriv", "--inh-caps=-ipc_lock", "--bounding-set=-ipc_lock",
                                  "prlimit", "--memlock=0:0"]),
        Environment("1 kHz signals", variables={"LD_PRELOAD": str(every_millisecond)})]
    for one in wanted:
        words = one.command(["true"])
        try:
            call(*words)
        except OSError as error:
            one.missing = str(error)
    return wanted


@dataclasses.dataclass
class Place:
    """`folder` is where the files of an operation go; spell() and spell_index() say what the
    command is told of them, path() where they are."""
    name: str
    folder: pathlib.Path
    index: str = "index"  # name of the one that is searched
    cwd: pathlib.Path = None  # where the command runs
    prefix: str = None  # of a name, in the command; default: the folder
    first: str = ""  # of every name
    suffix: str = ""  # of an index, in the command
    read_only: bool = False
    missing: str = ""  # why it is not to be had here

    def path(self, name):
        return self.folder / (self.first + name)

    def spell(self, name):
        return (f"{self.folder}/" if self.prefix is None else self.prefix) + self.first + name

    def spell_index(self, name):
        return self.spell(name) + self.suffix


ODD_NAMES = {
    "spaces, quotes": "it's \"a\" folder",
    "newline, tab": "new\nline\tand tab",
    "UTF-8": "Ünïcödé 索引 🪨",
    "no UTF-8": b"bytes \xff\xfe\x80".decode(errors="surrogateescape"),
    "percent, braces": "100%s %n {0} {} $HOME `id` ; #",
    "backslash, star": "back\\slash * ? [a] ~",
}
NAME_MAX, PATH_MAX = 255, 4096
BUILDING = ".building"  # behind the name of an index while it is built


def odd_places(scratch):
    for name, word in ODD_NAMES.items():
        folder = scratch / "odd" / word
        folder.mkdir(parents=True, exist_ok=True)
        yield Place(name, folder, index=word)
    folder = scratch / "odd" / ("f" * NAME_MAX)
    folder.mkdir(exist_ok=True)
    yield Place("255-byte names", folder, index="n" * (NAME_MAX - len(BUILDING)))
    yield deep_place(scratch)
    for name, word, prefix, suffix in (("relative", "relative", "", ""),
                                       ("leading dash", "dash", "", ""),
                                       ("trailing slash", "slash", None, "/"),
                                       ("dots, slashes", "dots", ".//../dots/./", "///")):
        folder = scratch / "odd" / word
        folder.mkdir(exist_ok=True)
        yield Place(name, folder, cwd=folder, prefix=prefix, suffix=suffix,
                    first="-" if word == "dash" else "")
    real, link = scratch / "odd" / "real", scratch / "odd" / "link"
    real.mkdir(exist_ok=True)
    link.symlink_to(real)
    yield Place("symlinked folder", link)


def deep_place(scratch):
    """As deep as a path can be that the system still takes with what Cairn puts behind it."""
    folder = scratch / "odd" / "deep"
    behind = len("/index.building/lists-000000-000000.part")
    room = PATH_MAX - len(os.fsencode(str(folder))) - behind
    while room > 2:
        part = min(200, room - 2)
        folder, room = folder / ("d" * part), room - part - 1
    folder.mkdir(parents=True, exist_ok=True)
    return Place("very deep path", folder)


def try_mount(name, stack, folder, mount):
    """A place behind a mount, or one that says why there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if os.geteuid() != 0:
            raise OSError("not root")
        mount()
        stack.callback(unmount, folder)
        return Place(name, folder)
    except OSError as error:
        return Place(name, folder, missing=str(error))


def overlay_place(scratch, stack):
    """In a tmpfs of its own, since an overlay may not lie on another."""
    base = scratch / "overlay"
    place = try_mount("overlayfs", stack, base,
                      lambda: call("mount", "-t", "tmpfs", "-o", "size=256M", "cairn", base))
    if place.missing:
        return place
    for name in ("lower", "upper", "work"):
        (base / name).mkdir()
    where = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    return try_mount("overlayfs", stack, base / "merged", lambda: call(
        "mount", "-t", "overlay", "cairn", "-o", where, base / "merged"))


def disk_place(name, scratch, stack, kind, sector_bytes):
    try:
        if os.geteuid() != 0:
            raise OSError("not root")
        disk = stack.enter_context(loop_disk.LoopDisk(scratch, kind, sector_bytes))
        disk.make(128 * MIB)
        return Place(name, disk.mount)
    except OSError as error:
        return Place(name, scratch, missing=str(error))


def places(scratch, stack, few):
    """All of them, those that cannot be had here with the reason; `stack` undoes the mounts."""
    default = scratch / "default"
    default.mkdir(parents=True, exist_ok=True)
    yield Place("default", default)
    if few:
        yield from (place for place in odd_places(scratch) if place.name == "newline, tab")
        return
    tmpfs = scratch / "tmpfs"
    yield try_mount("tmpfs", stack, tmpfs,
                    lambda: call("mount", "-t", "tmpfs", "-o", "size=256M", "cairn", tmpfs))
    yield overlay_place(scratch, stack)
    yield disk_place("ext4", scratch, stack, "ext4", 512)
    yield disk_place("XFS", scratch, stack, "xfs", 512)
    yield disk_place("ext4, 4Kn", scratch, stack, "ext4", 4096)
    yield disk_place("XFS, 4Kn", scratch, stack, "xfs", 4096)
    yield from odd_places(scratch)


def read_only_place(scratch, stack, source):
    """A read-only view of a folder in which the index stands."""
    folder = scratch / "read-only"

    def mount():
        call("mount", "--bind", source, folder)
        try:
            call("mount", "-o", "remount,ro,bind", folder)
        except OSError:
            unmount(folder)
            raise
    place = try_mount("read-only mount", stack, folder, mount)
    place.read_only = True
    return place

"""File systems in an image of their own, mounted through a loop device, for campaigns over `cairn`.

Standard library only; Linux, root.
"""
import errno
import os
import subprocess
import sys
import time

MIB = 1 << 20
XFS_LEAST_BYTES = 320 * MIB  # mkfs.xfs makes nothing below 300 MiB


def call(*command):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise OSError(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def unmount(mount):
    """The system lets go of the files of an io_uring a moment after its process has ended."""
    for left in range(50, -1, -1):
        try:
            call("umount", mount)
            return
        except OSError:
            if left == 0:
                raise
            time.sleep(0.2)


def attach(image, sector_bytes):
    """The loop device of an image; another process may take the free one first."""
    for left in range(20, -1, -1):
        try:
            return call("losetup", "--find", "--show", "--sector-size", sector_bytes, image)
        except OSError:
            if left == 0:
                raise
            time.sleep(0.2)
    raise AssertionError("not reached")


class LoopDisk:
    """A mounted image; unmounted, detached and removed at the end of `with`."""

    def __init__(self, folder, kind="ext4", sector_bytes=512):
        """`kind`: ext4 or xfs. `sector_bytes`: least unit of the device, 4096 for a 4Kn one."""
        self.kind, self.sector_bytes = kind, sector_bytes
        self.image = folder / f"small-{sector_bytes}.{kind}"
        self.mount = folder / f"small-{kind}-{sector_bytes}"
        self.device, self.mounted = "", False

    def __enter__(self):
        return self

    def make(self, room_bytes):
        """A new file system with `room_bytes` to spare, more or less; an XFS has more, of which
        take_all_but() leaves so much."""
        self.mount.mkdir(exist_ok=True)
        needed = max(4 * MIB, room_bytes + room_bytes // 50 + MIB)
        if self.kind == "xfs":
            needed = XFS_LEAST_BYTES + room_bytes
        with open(self.image, "wb") as file:
            file.truncate(needed // MIB * MIB)
        self.device = attach(self.image, self.sector_bytes)
        if self.kind == "xfs":
            call("mkfs.xfs", "-q", "-f", self.device)
        else:
            # Without a journal and reserved blocks, which would take most of a small image; with
            # tables that let it grow. 4 KiB blocks also where mkfs would take less for a small one.
            call("mkfs.ext4", "-q", "-F", "-m", "0", "-N", "2048", "-b", "4096", "-O",
                 "^has_journal", self.device)
        call("mount", self.device, self.mount)
        self.mounted = True

    def grow(self, bytes_now):
        with open(self.image, "r+b") as file:
            file.truncate(bytes_now // MIB * MIB)
        # Unmounted: growing it in use wants a privilege that containers lack.
        unmount(self.mount)
        self.mounted = False
        call("losetup", "-c", self.device)
        call("e2fsck", "-f", "-p", self.device)
        call("resize2fs", self.device)
        call("mount", self.device, self.mount)
        self.mounted = True

    def free_bytes(self):
        facts = os.statvfs(self.mount)
        return facts.f_bavail * facts.f_frsize

    def take_all_but(self, room_bytes):
        """Leaves so much room, in all, of what is free now; less where others write meanwhile."""
        ballast = self.free_bytes() - room_bytes
        if ballast <= 0:
            return
        with open(self.mount / "ballast", "wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, ballast)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def give_back(self):
        (self.mount / "ballast").unlink(missing_ok=True)

    def __exit__(self, *_):
        try:
            if self.mounted:
                unmount(self.mount)
            if self.device and self.device in call("losetup", "-a"):
                call("losetup", "-d", self.device)
        except OSError as error:
            print(f"left behind: {error}", file=sys.stderr)
        self.device, self.mounted = "", False
        if not os.path.ismount(self.mount):
            self.image.unlink(missing_ok=True)
            if self.mount.exists():
                self.mount.rmdir()


def why_not(scratch, kind="ext4", sector_bytes=512):
    """Nothing when images can be mounted here, else what is in the way."""
    if os.geteuid() != 0:
        return "not root"
    try:
        with LoopDisk(scratch, kind, sector_bytes) as disk:
            disk.make(8 * MIB)
    except OSError as error:
        return str(error)
    return ""

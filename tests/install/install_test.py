#!/usr/bin/env python3
"""What `meson install` lays down is enough: headers that stand alone, a pkg-config file, the
command, and consumer programs (the README's among them) that compile and run against it.

Wants CAIRN_BUILD_DIR: a finished build without sanitizers (tools/check gives it).
"""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Werror"]


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                          check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} gave {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


@unittest.skipUnless(os.environ.get("CAIRN_BUILD_DIR"), "CAIRN_BUILD_DIR is not set")
class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.work = pathlib.Path(cls.folder.name)
        build = os.environ["CAIRN_BUILD_DIR"]
        run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir",
            cls.work / "tree")
        [pc] = (cls.work / "tree").rglob("cairn.pc")
        # The prefix that cairn.pc names, moved to where the tree lies.
        named = re.search(r"^prefix=(.*)$", pc.read_text(), re.MULTILINE).group(1)
        cls.prefix = cls.work / "tree" / named.lstrip("/")
        cls.pkg_config = ["pkg-config", f"--define-variable=prefix={cls.prefix}"]
        cls.environ = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}

    def flags(self, *what):
        return run(*self.pkg_config, *what, "cairn", env=self.environ).split()

    def compile_and_run(self, source, name):
        program = self.work / name
        run("g++", *FLAGS, source, "-o", program, *self.flags("--cflags", "--libs"))
        return run(program, self.work / f"{name}.index")

    def test_headers_stand_alone(self):
        headers = sorted((self.prefix / "include" / "cairn").glob("*.h"))
        names = {header.name for header in headers}
        self.assertLessEqual({"asio.h", "builder.h", "index.h", "result.h", "types.h"}, names)
        for header in headers:
            with self.subTest(header=header.name):
                source = self.work / "one.cc"
                source.write_text(f"#include <cairn/{header.name}>\n")
                run("g++", *FLAGS, "-fsyntax-only", source, *self.flags("--cflags"))

    def test_only_public_headers_are_installed(self):
        installed = {path.name for path in (self.prefix / "include").rglob("*.h")}
        public = {path.name for layer in ("layout", "engine")
                  for path in (ROOT / layer / "cairn").glob("*.h")}
        self.assertEqual(installed, public)

    def test_readme_program(self):
        blocks = re.findall(r"^```cpp\n(.*?)^```$", (ROOT / "README.md").read_text(),
                            re.MULTILINE | re.DOTALL)
        self.assertEqual(len(blocks), 1, "README.md shows one program")
        source = self.work / "readme.cc"
        source.write_text(blocks[0])
        lines = self.compile_and_run(source, "readme").splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertEqual(lines[0], "0 at 0.0")

    def test_consumers_of_every_call(self):
        for name in ("consumer", "consumer_async"):
            with self.subTest(program=name):
                output = self.compile_and_run(ROOT / "tests" / "install" / f"{name}.cc", name)
                self.assertEqual(output, "ok\n")

    def test_command(self):
        self.assertIn("groundtruth", run(self.prefix / "bin" / "cairn", "--help"))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Every mistake of tests/planted can still be planted, and is given to tests that there are; and
planted.py tells a mistake that is caught from one that is not. See tests/run-planted."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import planted  # noqa: E402  # pylint: disable=wrong-import-position

MISTAKES_MIN = 20


class Patches(unittest.TestCase):
    def test_there_are_enough_and_their_numbers_differ(self):
        numbers = [mistake.number for mistake in planted.mistakes()]
        self.assertGreaterEqual(len(numbers), MISTAKES_MIN)
        self.assertEqual(sorted(set(numbers)), numbers)

    def test_each_applies_to_the_tree(self):
        for mistake in planted.mistakes():
            with self.subTest(mistake.path.name):
                planted.apply(planted.ROOT, mistake.path, "--check")

    def test_each_changes_the_program_and_not_its_tests(self):
        for mistake in planted.mistakes():
            with self.subTest(mistake.path.name):
                changed = subprocess.run(
                    ["git", "apply", "--numstat", str(mistake.path)], cwd=planted.ROOT, text=True,
                    capture_output=True, check=True,
                    env=planted.outside_of_repositories(planted.ROOT)).stdout.split("\n")[:-1]
                self.assertTrue(changed)
                for line in changed:
                    self.assertIn(line.split("\t")[2].split("/")[0],
                                  ("layout", "io", "engine", "tools"))

    def test_one_that_does_not_apply_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            patch = pathlib.Path(folder) / "01-stale.patch"
            patch.write_text("Wrong.\nTests: io_fs\n--- a/README.md\n+++ b/README.md\n"
                             "@@ -1,1 +1,1 @@\n-no line of this file\n+x\n", encoding="utf-8")
            with self.assertRaisesRegex(planted.Broken, "01-stale.patch does not apply"):
                planted.apply(planted.ROOT, patch, "--check")

    def test_one_that_names_no_test_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            patch = pathlib.Path(folder) / "01-mute.patch"
            patch.write_text("Wrong.\n--- a/README.md\n+++ b/README.md\n", encoding="utf-8")
            with self.assertRaisesRegex(planted.Broken, "names no test"):
                planted.parse(patch)

    @unittest.skipUnless(os.environ.get("CAIRN_BUILD_DIR"), "CAIRN_BUILD_DIR is not set")
    def test_each_names_tests_that_there_are(self):
        listed = pathlib.Path(os.environ["CAIRN_BUILD_DIR"]) / "meson-info" / "intro-tests.json"
        tests = {one["name"] for one in json.loads(listed.read_text(encoding="utf-8"))}
        for mistake in planted.mistakes():
            with self.subTest(mistake.path.name):
                self.assertEqual([name for name in mistake.tests if name not in tests], [])


class FirstFailure(unittest.TestCase):
    def test_is_the_case_and_what_it_said(self):
        output = ("[ RUN      ] A.B\na/b_test.cc:12: Failure\nExpected equality of these values:\n"
                  "  1\n  2\n\n[  FAILED  ] A.B (0 ms)\n")
        self.assertEqual(planted.first_failure(output, 1),
                         "A.B: Expected equality of these values: 1 2")

    def test_is_the_signal_of_a_crash(self):
        self.assertEqual(planted.first_failure("[ RUN      ] A.B\n", -6), "A.B: SIGABRT")

    def test_is_the_report_of_a_sanitizer(self):
        output = "[ RUN      ] A.B\nWARNING: ThreadSanitizer: data race (pid=7)\n  Write of 8\n"
        self.assertEqual(planted.first_failure(output, 66), "A.B: ThreadSanitizer: data race")

    def test_is_the_line_that_says_so_elsewhere(self):
        self.assertEqual(planted.first_failure("all fine\nround 3 failed: x\nend\n", 1),
                         "round 3 failed: x")
        self.assertEqual(planted.first_failure("a: 7 cuts, 0 wrong\nWRONG b, cut 3\n", 1),
                         "WRONG b, cut 3")


if __name__ == "__main__":
    unittest.main()

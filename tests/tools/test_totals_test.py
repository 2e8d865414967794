#!/usr/bin/env python3
"""tools/test-totals on logs as meson and GoogleTest write them: nothing that failed is lost."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSED = '<testcase name="a" status="run" result="completed"/>'
FAILED = '<testcase name="b" status="run" result="completed"><failure message="x"/></testcase>'
SKIPPED = '<testcase name="c" status="run" result="skipped"><skipped message="x"/></testcase>'
DISABLED = '<testcase name="d" status="notrun" result="suppressed"/>'


class Totals(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "meson-logs").mkdir()
        (self.root / "xml").mkdir()

    def report(self, name, *cases):
        text = "<testsuites><testsuite>" + "".join(cases) + "</testsuite></testsuites>"
        (self.root / "xml" / f"{name}.xml").write_text(text)

    def log(self, *runs):
        lines = [json.dumps({"name": name, "command": [f"/b/tests/{name}"], "result": result,
                             "stdout": "", "stderr": stderr}) for name, result, stderr in runs]
        (self.root / "meson-logs" / "testlog.json").write_text("\n".join(lines) + "\n")

    def run_tool(self, *args):
        done = subprocess.run([sys.executable, ROOT / "tools" / "test-totals", *args], text=True,
                              capture_output=True, check=True)
        return tuple(int(word) for word in done.stdout.split())

    def totals(self):
        return self.run_tool("--meson", self.root, "--xml", self.root / "xml")

    def test_cases_are_counted_not_programs(self):
        self.report("io_test", PASSED, PASSED, SKIPPED, DISABLED)
        self.report("layout_test", PASSED, FAILED)
        self.log(("io_test", "OK", ""), ("layout_test", "FAIL", ""))
        self.assertEqual(self.totals(), (3, 1, 2))

    def test_crash_without_report_is_a_failure(self):
        self.report("io_test", PASSED)
        self.log(("io_test", "OK", ""), ("layout_test", "FAIL", ""), ("m_test", "TIMEOUT", ""))
        self.assertEqual(self.totals(), (1, 2, 0))

    def test_failure_after_clean_cases_is_a_failure(self):
        self.report("io_test", PASSED)
        self.log(("io_test", "FAIL", "LeakSanitizer"))
        self.assertEqual(self.totals(), (1, 1, 0))

    def test_second_run_of_a_program_that_crashed(self):
        self.report("io_test", PASSED)
        self.report("io_test_1", FAILED)
        self.log(("io_test", "OK", ""), ("io_test", "FAIL", ""), ("io_test", "FAIL", ""))
        self.assertEqual(self.totals(), (1, 2, 0))

    def test_half_written_report(self):
        (self.root / "xml" / "io_test.xml").write_text("<testsuites><testcase name=")
        self.log(("io_test", "FAIL", ""))
        self.assertEqual(self.totals(), (0, 1, 0))

    def test_other_programs_count_by_exit_status(self):
        self.log(("replay", "OK", ""), ("tool", "SKIP", ""), ("script", "ERROR", ""))
        self.assertEqual(self.totals(), (1, 1, 1))

    def test_nothing_ran(self):
        self.assertEqual(self.totals(), (0, 0, 0))

    def test_python_under_meson(self):
        self.log(("a.py", "FAIL", "Ran 5 tests in 0.1s\n\nFAILED (failures=1, skipped=2)\n"),
                 ("b.py", "OK", "Ran 1 test in 0.1s\n\nOK\n"))
        self.assertEqual(self.totals(), (3, 1, 2))

    def test_python_that_failed_outside_its_cases(self):
        self.log(("a.py", "FAIL", "Ran 5 tests in 0.1s\n\nOK\n"))
        self.assertEqual(self.totals(), (0, 1, 0))

    def test_unittest_log(self):
        log = self.root / "log"
        log.write_text("..\n-----\nRan 9 tests in 1s\n\nFAILED (failures=2, errors=1)\n")
        self.assertEqual(self.run_tool("--unittest", log), (6, 3, 0))
        log.write_text("Traceback (most recent call last):\n")
        self.assertEqual(self.run_tool("--unittest", log), (0, 0, 0))


if __name__ == "__main__":
    unittest.main()

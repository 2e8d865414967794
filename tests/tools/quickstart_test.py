#!/usr/bin/env python3
"""tools/quickstart with stand-ins for what takes long: which build folder it accepts, and what it
keeps of a command that it times."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
STAND_INS = {
    "bin/meson": 'echo "$@" >>"$LOG"; mkdir -p build/meson-private; touch build/build.ninja',
    "bin/ninja": "mkdir -p build/tools; cp cairn build/tools/cairn",
    "bin/sha256sum": "echo key",
    "tools/install-deps": "true",
    "cairn": """case $1 in
  build) mkdir -p build/quickstart/index; echo "a table" ;;
  groundtruth) echo "a line"; echo "a note" >&2 ;;
  recall) echo '{"list_size":10,"recall":1,"reads":1,"mean_us":1,"p99_us":1,"cpu_us":1,"qps":1,'\\
'"index_ram_bytes":1}' ;;
esac""",
}


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        for name, body in STAND_INS.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("#!/usr/bin/env bash\n" + body + "\n")
            path.chmod(0o755)
        shutil.copy(SOURCE / "tools/quickstart", self.folder / "tools/quickstart")
        self.log = self.folder / "meson.log"

    def run_it(self):
        env = dict(os.environ, LOG=str(self.log), PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        return subprocess.run([self.folder / "tools/quickstart"], env=env, capture_output=True,
                              text=True, check=False)

    def setups(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def test_sets_up_a_release_once(self):
        for _ in range(2):
            ran = self.run_it()
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertIn("recall@10", ran.stdout)
        self.assertEqual(self.setups(), ["setup build --buildtype=release -Dtests=false"])

    def test_a_build_folder_of_other_options_is_set_up_anew(self):
        (self.folder / "build/meson-private").mkdir(parents=True)
        (self.folder / "build/build.ninja").write_text("a debug build")
        self.assertEqual(self.run_it().returncode, 0)
        self.assertEqual(len(self.setups()), 1)
        self.assertEqual((self.folder / "build/build.ninja").read_text(), "")

    def test_a_folder_that_is_no_build_folder_is_left_alone(self):
        (self.folder / "build").mkdir()
        (self.folder / "build/thesis.txt").write_text("years of work")
        ran = self.run_it()
        self.assertEqual(ran.returncode, 1)
        self.assertIn("not a build folder", ran.stderr)
        self.assertTrue((self.folder / "build/thesis.txt").exists())

    def test_times_hold_nothing_but_times(self):
        ran = self.run_it()
        for name in ("build.time", "groundtruth.time"):
            text = (self.folder / "build/quickstart" / name).read_text()
            self.assertRegex(text, re.compile(r"\A[\d.]+ [\d.]+ [\d.]+\n\Z"))
        for word in ("a table", "a line", "a note"):
            self.assertIn(word, ran.stderr)
            self.assertNotIn(word, ran.stdout)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""What counts as a kill of ours, as a crash and as a hang, and what a run says of itself."""
import sys
import unittest

sys.dont_write_bytecode = True
import build_runs  # noqa: E402  # pylint: disable=wrong-import-position
import kill_build  # noqa: E402  # pylint: disable=wrong-import-position

READ, LINK = '{"phase": "read", "share": 0}', '{"phase": "link", "share": 0}'


def shell(script, **how):
    return build_runs.run_command(["sh", "-c", script], **how)


def at_once(_):
    return 0


class Runs(unittest.TestCase):
    def test_a_kill_is_the_signal_that_was_sent_from_here(self):
        run = shell(f"echo '{READ}' >&2; exec sleep 60", on_phase=at_once)
        self.assertEqual((run.killed, run.hung, run.problem), (True, False, ""))

    def test_a_crash_is_none(self):
        for name in ("ABRT", "SEGV", "KILL"):
            run = shell(f"echo no way on >&2; kill -{name} $$", kill_after_s=60)
            self.assertFalse(run.killed)
            self.assertRegex(run.problem, "crashed, .*: no way on")

    def test_a_crash_before_the_signal_that_was_sent_is_none(self):
        # A process that has ended takes any signal and is none the wiser; its child keeps the pipe.
        run = shell("sleep 0.5 & echo no way on >&2; kill -ABRT $$", kill_after_s=0.2)
        self.assertFalse(run.killed)
        self.assertRegex(run.problem, "crashed, Aborted: no way on")

    def test_a_hang_is_ended_and_said(self):
        run = shell("echo waits >&2; exec sleep 60", limit_s=0.2)
        self.assertEqual((run.killed, run.hung), (False, True))
        self.assertRegex(run.problem, "hangs, .*: waits")

    def test_an_error_is_a_problem_and_a_good_end_is_none(self):
        self.assertEqual(shell("echo full >&2; exit 1", kill_after_s=60).problem, "code 1: full")
        self.assertEqual(shell("exit 0", kill_after_s=60, limit_s=60).problem, "")

    def test_notes_and_plans_are_no_errors_and_one_says_that_it_goes_on(self):
        plan, note = '{"plan": {"units_done": 2}}', '{"note": "goes on: 7 units done"}'
        run = shell(f"printf '%s\\n' '{plan}' '{note}' '{READ}' '{READ}' '{LINK}' '[1]' >&2; "
                    "printf cut >&2; exit 1")
        self.assertEqual(run.phases, ["read", "link"])
        self.assertEqual((run.units_done, run.error), (7, "[1]\ncut"))


class Rounds(unittest.TestCase):
    def test_work_on_record_is_not_done_again(self):
        def run(phases, units_done=0):
            return build_runs.Run(0, 0, 0, 0, "", phases=phases, units_done=units_done)
        current = kill_build.Round("", None, None)
        self.assertEqual(current.lost_work(run(["read"])), "")
        self.assertEqual(current.lost_work(run(["read", "train"])), "")
        self.assertEqual(current.lost_work(run([])), "")
        self.assertEqual(current.lost_work(run(["read", "train"], 5)), "")
        self.assertIn("began anew", current.lost_work(run(["read"])))


if __name__ == "__main__":
    unittest.main()

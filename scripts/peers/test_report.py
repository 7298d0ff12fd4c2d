"""Tests of the tables and verdicts: python3 -m unittest discover scripts/peers"""

import json
import tempfile
import unittest
from pathlib import Path

import report
from rows import IMAGES, MEGABYTES, OURS, REQUIREMENTS, ROWS, Requirement

DALI = Requirement("basic", ("DALI",), 1.5)
HEADER = {"machine": {"cpu": "x"}, "settings": "s", "tasks": ["basic"], "rounds": 3, "quick": False}


def run(row, number, rate, other_cores=0.0, **more):
    figures = {"row": row, "task": "basic", "round": number, "images_per_second": [rate], "other_cores": other_cores}
    return {**figures, "disturbed": other_cores > 0.15, **more}


def results(*runs):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in [HEADER, *runs]))
        return report.read(path)


class Report(unittest.TestCase):
    def test_both_ratios_must_hold(self):
        ours = [run(OURS, number, rate) for number, rate in enumerate([100, 200, 300])]
        steady = results(*ours, *(run("DALI", number, rate) for number, rate in enumerate([50, 100, 150])))
        self.assertEqual(report.ratios(steady, DALI), (2.0, 2.0))
        self.assertTrue(report.held(steady, DALI))
        # The medians stay, but round by round the ratios are 100 / 100, 200 / 150 and 300 / 50.
        mixed = results(*ours, *(run("DALI", number, rate) for number, rate in enumerate([100, 150, 50])))
        self.assertEqual(report.ratios(mixed, DALI), (2.0, 200 / 150))
        self.assertFalse(report.held(mixed, DALI))

    def test_passes_of_a_run_count_by_the_time_they_take(self):
        found = results({**run(OURS, 0, 0), "images_per_second": [100, 300]})
        self.assertEqual(found.middle(OURS, "basic", IMAGES), 150)

    def test_the_best_of_the_rivals_counts(self):
        found = results(run(OURS, 0, 90), run("DALI", 0, 30), run("tf.data", 0, 60))
        self.assertEqual(report.ratios(found, Requirement("basic", ("DALI", "tf.data"), 1.0)), (1.5, 1.5))

    def test_less_memory_is_better(self):
        found = results(run(OURS, 0, 1, peak_rss_mib=50), run("DALI", 0, 1, peak_rss_mib=100))
        for factor, held in [(0.6, True), (0.4, False)]:
            self.assertEqual(report.held(found, Requirement("basic", ("DALI",), factor, "peak_rss_mib")), held)

    def test_what_is_missing_or_failed_does_not_hold(self):
        failed = {"row": "DALI", "task": "basic", "round": 0, "failed": "status 1"}
        self.assertFalse(report.held(results(run(OURS, 0, 100), failed), DALI))
        self.assertIn("(3 failed)", report.tables(results(run(OURS, 0, 100), failed)))

    def test_the_least_disturbed_attempt_counts_and_is_marked(self):
        found = results(run("DALI", 0, 10, 0.9), run("DALI", 0, 30, 0.2), run("DALI", 0, 20, 0.5))
        self.assertEqual(found.middle("DALI", "basic", "images_per_second"), 30)
        self.assertIn("30 [30-30] *", report.tables(found))

    def test_a_requirement_may_be_about_another_row_of_ours(self):
        found = results(run(OURS, 0, 10), run("one batch", 0, 40), run("DALI", 0, 20))
        one = Requirement("basic", ("DALI",), 1.5, ours="one batch")
        self.assertEqual(report.ratios(found, one), (2.0, 2.0))
        self.assertIn("of `one batch`: DALI", report.requirement_cells(found, one)[0])

    def test_sums_are_told_in_megabytes(self):
        sums = {"task": "allreduce_25", "images_per_second": None}
        ours = run(OURS, 0, 0, **sums, megabytes_per_second=900)
        found = results(ours, run("PyTorch, Gloo", 0, 0, **sums, megabytes_per_second=1000))
        one = Requirement("allreduce_25", ("PyTorch, Gloo",), 0.9, figure=MEGABYTES)
        self.assertEqual(report.ratios(found, one), (0.9, 0.9))
        self.assertTrue(report.held(found, one))
        self.assertIn("at least 0.9", report.requirement_cells(found, one))
        self.assertIn("MB/s, median", "".join(report.task_table(found, "allreduce_25")))

    def test_every_requirement_names_measured_rows(self):
        measured = {(row.name, task) for row in ROWS for task in row.work}
        for one in REQUIREMENTS:
            self.assertIn((one.ours, one.task), measured)
            for rival in one.rivals:
                self.assertIn((rival, one.rival_task or one.task), measured)


if __name__ == "__main__":
    unittest.main()

"""Tables of what was measured, and whether millstream is as much faster as it has to be."""

import json
from dataclasses import dataclass
from statistics import harmonic_mean, median

from rows import IMAGES, MEGABYTES, OURS, OURS_UNSCALED, REQUIREMENTS, ROWS, SUMS, TASKS

FIGURES = {IMAGES: "images/s", MEGABYTES: "MB/s", "peak_rss_mib": "peak memory", "first_batch_seconds": "first batch"}


@dataclass
class Results:
    """Machine facts, and the run that counts for each (row, task) and round."""

    header: dict
    runs: dict

    def values(self, row, task, figure):
        """The figure of each round."""
        return list(self.by_round(row, task, figure).values())

    def by_round(self, row, task, figure):
        """By the number of the round; of several passes all their images over all their time."""
        rounds = self.runs.get((row, task), {})
        values = {number: value_of(run, figure) for number, run in rounds.items()}
        return {number: value for number, value in values.items() if value is not None}

    def middle(self, row, task, figure):
        values = self.values(row, task, figure)
        return median(values) if values else None


def rate_of(task):
    """The figure that says how fast a program is in a task."""
    return MEGABYTES if task in SUMS else IMAGES


def value_of(run, figure):
    value = run.get(figure)
    return harmonic_mean(value) if isinstance(value, list) else value


def read(path):
    """Of a run that was repeated because others used the machine, the least disturbed attempt counts."""
    header, runs = {}, {}
    for line in path.read_text().splitlines():
        run = json.loads(line)
        if "machine" in run:
            header = run
        elif "failed" not in run:
            rounds = runs.setdefault((run["row"], run["task"]), {})
            if run["round"] not in rounds or run["other_cores"] < rounds[run["round"]]["other_cores"]:
                rounds[run["round"]] = run
    if not header:
        raise ValueError(f"{path} holds no results")
    return Results(header, runs)


def tables(results):
    """Everything, as Markdown."""
    lines = [f"- {name}: {fact}" for name, fact in results.header["machine"].items()]
    lines += [f"- {results.header['settings']}"]
    for task, title in TASKS.items():
        if task in results.header["tasks"]:
            lines += ["", f"## {title}", "", *task_table(results, task)]
    if not results.header["quick"]:
        lines += ["", "## Required", "", *requirement_table(results)]
    return "\n".join(lines)


def table(columns, rows):
    return [f"| {' | '.join(cells)} |" for cells in [columns, ["---"] * len(columns), *rows]]


def task_table(results, task):
    measured = [row for row in ROWS if task in row.work]
    measured.sort(key=lambda row: -(results.middle(row.name, task, rate_of(task)) or 0))
    columns = ["", f"{FIGURES[rate_of(task)]}, median [min-max]", "peak memory MiB", "first batch s", "cores used", "same work"]
    lines = table(columns, [cells(results, row, task) for row in measured])
    if any("*" in line for line in lines):
        lines += ["", "`*` others used the machine in every attempt of a round: the least disturbed one is shown."]
    return lines


def cells(results, row, task):
    def middle(figure, digits):
        value = results.middle(row.name, task, figure)
        return "" if value is None else f"{value:,.{digits}f}"

    runs = results.runs.get((row.name, task), {}).values()
    rates = [value_of(run, rate_of(task)) for run in runs]
    missing = results.header["rounds"] - len(runs)
    spread = f"{median(rates):,.0f} [{min(rates):,.0f}-{max(rates):,.0f}]" if rates else ""
    marks = (" *" if any(run["disturbed"] for run in runs) else "") + (f" ({missing} failed)" if missing else "")
    figures = [middle("peak_rss_mib", 0), middle("first_batch_seconds", 2), middle("cores_used", 2)]
    return [row.name, (spread + marks).strip(), *figures, row.work[task]]


def requirement_table(results):
    columns = ["", "required", "ratio of medians", "median of the rounds' ratios", "verdict", f"`{OURS_UNSCALED}`"]
    rows = [requirement_cells(results, requirement) for requirement in wanted(results)]
    return table(columns, rows)


def wanted(results):
    return [requirement for requirement in REQUIREMENTS if requirement.task in results.header["tasks"]]


def requirement_cells(results, requirement):
    bound = "at most" if requirement.smaller_is_better else "at least"
    verdict = "held" if held(results, requirement) else "NOT held"
    kind = " (aim)" if requirement.aim else ""
    of = "" if requirement.ours == OURS else f" of `{requirement.ours}`"
    return [
        f"{requirement.task}, {FIGURES[requirement.figure]}{of}: {' or '.join(requirement.rivals)}",
        f"{bound} {requirement.factor}{kind}",
        *(shown(ratio) for ratio in ratios(results, requirement)),
        verdict,
        shown(ratios(results, requirement, OURS_UNSCALED)[0]),
    ]


def shown(ratio):
    return "" if ratio is None else f"{ratio:.2f}"


def ratios(results, requirement, ours=None):
    """Ratio of the medians, and median of the ratios of each round; none where a figure is missing."""
    ours = ours or requirement.ours
    task, figure = requirement.task, requirement.figure
    best = min if requirement.smaller_is_better else max
    rival_task = requirement.rival_task or task
    mine = results.middle(ours, task, figure)
    theirs = [results.middle(rival, rival_task, figure) for rival in requirement.rivals]
    if mine is None or None in theirs:
        return None, None
    rounds = [results.by_round(rival, rival_task, figure) for rival in requirement.rivals]
    each = [
        value / best(rival[number] for rival in rounds)
        for number, value in results.by_round(ours, task, figure).items()
        if all(number in rival for rival in rounds)
    ]
    return mine / best(theirs), median(each) if each else None


def held(results, requirement):
    """Both ratios must be as required. What was not measured does not hold."""
    both = ratios(results, requirement)
    if None in both:
        return False
    if requirement.smaller_is_better:
        return max(both) <= requirement.factor
    return min(both) >= requirement.factor


def all_held(results):
    """Whether all that is required holds. A quick run says nothing about speed: there all rows must have run."""
    if results.header["quick"]:
        rows = [(row.name, task) for row in ROWS for task in row.work if task in results.header["tasks"]]
        return all(len(results.runs.get(row, {})) == results.header["rounds"] for row in rows)
    return all(held(results, one) for one in wanted(results) if not one.aim)

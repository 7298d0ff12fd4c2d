"""What other programs make of files of answers and of exports: a JSON object on standard output.

usage: read_answers.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy
import pandas
import pyarrow.parquet
from cleanlab.filter import find_label_issues
from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.objects import TaskValue


def parquet(path):
    table = pyarrow.parquet.read_table(path)
    table.validate(full=True)
    metadata = pyarrow.parquet.read_metadata(path).metadata
    return {
        "types": {field.name: str(field.type) for field in table.schema},
        "set": json.loads(metadata[b"millstream.answers"]),
        "rows": table.to_pylist(),
    }


def frame(frame):
    return {
        "classes": frame["class"].dropna().astype(str).tolist(),
        "confidences": frame["confidence"].dropna().tolist(),
        "errors": frame["error"].dropna().tolist(),
    }


def label_studio(folder):
    interface = LabelInterface((folder / "config.xml").read_text())
    interface.validate()
    tasks = json.loads((folder / "tasks.json").read_text())
    wrong = []
    for task in tasks:
        TaskValue(**task)
        for prediction in task["predictions"]:
            wrong += interface.validate_prediction(prediction, return_errors=True)
    return {
        "tasks": len(tasks),
        "wrong": wrong,
        "choices": list(interface.get_control("label").labels_attrs),
        "shown": [tag.value_name for tag in interface.objects],
    }


def cleanlab(folder):
    labels = numpy.load(folder / "labels.npy")
    probabilities = numpy.load(folder / "pred_probs.npy")
    issues = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    return {
        "types": [str(labels.dtype), str(probabilities.dtype)],
        "shape": list(probabilities.shape),
        "sums": bool(numpy.allclose(probabilities.sum(axis=1), 1)),
        "issues": pandas.read_csv(folder / "records.csv").loc[issues, "key"].tolist(),
    }


folder = Path(sys.argv[1])
said = {
    "parquet": parquet(folder / "answers.parquet"),
    "frames": [
        frame(pandas.read_parquet(folder / "answers.parquet")),
        frame(pandas.read_csv(folder / "answers.csv")),
        frame(pandas.read_json(folder / "answers.jsonl", lines=True, dtype={"key": str})),
    ],
    "label_studio": label_studio(folder / "label-studio"),
    "cleanlab": cleanlab(folder / "cleanlab"),
}
json.dump(said, sys.stdout)

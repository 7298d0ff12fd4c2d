"""Prints the scalars of a folder of event files as TensorBoard reads them: {tag: [[step, value], ...]}.

Twice: with the reader of its web pages, and with the older one that scripts use. Both must say the same.
"""

import json
import sys

from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.util import tensor_util


def scalars(folder):
    reader = event_accumulator.EventAccumulator(folder, size_guidance={event_accumulator.SCALARS: 0}).Reload()
    return {tag: [[point.step, point.value] for point in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def tensors(folder):
    reader = plugin_event_accumulator.EventAccumulator(folder, tensor_size_guidance={"scalars": 0}).Reload()
    value = lambda point: float(tensor_util.make_ndarray(point.tensor_proto))
    tags = reader.PluginTagToContent("scalars")
    return {tag: [[point.step, value(point)] for point in reader.Tensors(tag)] for tag in tags}


found = scalars(sys.argv[1])
assert found == tensors(sys.argv[1]), "the two readers of TensorBoard differ"
print(json.dumps(found))

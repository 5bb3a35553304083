"""What TensorBoard makes of a folder of event files, as one JSON object: its own readers, as its own views use them.

Ends with 77 where TensorBoard is not there to ask. Reads and judges nothing of Rematch.
"""

import json
import math
import sys

try:
    from tensorboard.backend.event_processing import event_accumulator, plugin_event_multiplexer
    from tensorboard.plugins.hparams import metadata as hparams
    from tensorboard.plugins.hparams import plugin_data_pb2
    from tensorboard.util import tensor_util
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(77)


def number(value):
    value = float(value)
    return value if math.isfinite(value) else str(value)


def setting(value):
    return getattr(value, value.WhichOneof("kind"))


def main(folder):
    # What its views ask, and the older one that scripts use.
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"scalars": 0, "images": 0})
    multiplexer.AddRun(folder, "run")
    multiplexer.Reload()
    reader = multiplexer.GetAccumulator("run")
    older = event_accumulator.EventAccumulator(folder, size_guidance={event_accumulator.SCALARS: 0})
    older.Reload()
    found = {"scalars": {}, "images": {}, "texts": {}, "hparams": {}, "descriptions": {}}
    for tag in reader.Tags()["tensors"]:
        metadata = reader.SummaryMetadata(tag)
        plugin = metadata.plugin_data.plugin_name
        if metadata.summary_description:
            found["descriptions"][tag] = metadata.summary_description
        events = [(e.wall_time, e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in reader.Tensors(tag)]
        if plugin == "scalars":
            seen = [(e.wall_time, e.step) for e in older.Scalars(tag)]
            assert seen == [e[:2] for e in events], (tag, seen, events)
            found["scalars"][tag] = [(wall, step, number(value)) for wall, step, value in events]
        elif plugin == "images":
            found["images"][tag] = [(step, int(value[0]), int(value[1]), value[2][:8].hex()) for _, step, value in events]
        elif plugin == "text":
            found["texts"][tag] = [(step, value[0].decode()) for _, step, value in events]
        elif plugin == hparams.PLUGIN_NAME:
            content = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
            kind = content.WhichOneof("data")
            if kind == "experiment":
                experiment = hparams.parse_experiment_plugin_data(metadata.plugin_data.content)
                found["hparams"]["known"] = {info.name: info.type for info in experiment.hparam_infos}
                found["hparams"]["results"] = [info.name.tag for info in experiment.metric_infos]
            elif kind == "session_start_info":
                start = hparams.parse_session_start_info_plugin_data(metadata.plugin_data.content)
                found["hparams"]["set"] = {name: setting(value) for name, value in start.hparams.items()}
                found["hparams"]["start"] = start.start_time_secs
            else:
                end = hparams.parse_session_end_info_plugin_data(metadata.plugin_data.content)
                found["hparams"]["end"] = [end.status, end.end_time_secs]
    json.dump(found, sys.stdout)


main(sys.argv[1])

"""Records as calls to MLflow: which ones travel together, and how they are spelled."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from src.tracking.journal import Record

#: What MLflow takes in one call.
MAX_METRICS = 1000
MAX_PARAMS = 100
_MAX_BYTES = 400_000  # Of a million, with room for escaped characters.

#: Kinds of records whose values travel together.
BATCHED = ("metrics", "params", "tags")


def next_group(records: Sequence[Record]) -> list[Record]:
    """Returns as many records, from the first on, as fit into one call."""
    group: list[Record] = []
    counts = dict.fromkeys(BATCHED, 0)
    params: dict[str, str] = {}
    size = 0
    for record in records:
        kind = record["kind"]
        if kind not in BATCHED:
            break
        values = record["values"]
        counts[kind] += len(values)
        size += len(json.dumps(values))
        full = sum(counts.values()) > MAX_METRICS or max(counts["params"], counts["tags"]) > MAX_PARAMS
        # MLflow refuses a call as a whole that names a param twice, even with one value.
        repeated = kind == "params" and not params.keys().isdisjoint(values)
        if group and (full or repeated or size > _MAX_BYTES):
            break
        if kind == "params":
            params.update(values)
        group.append(record)
    return group or [records[0]]


def split_record(record: Record) -> list[Record]:
    """Returns one record for each value of a record."""
    if record["kind"] not in BATCHED:
        return [record]
    return [{**record, "values": {key: value}} for key, value in record["values"].items()]


def send_batch(client: MlflowClient, run_id: str, group: Sequence[Record]) -> None:
    """Sends metrics with the time at which they were logged: MLflow keeps equal points of one time only once."""
    metrics: list[Metric] = []
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    for record in group:
        if record["kind"] == "metrics":
            time, step = record["time"], record["step"]
            metrics += [Metric(key, float(value), time, step) for key, value in record["values"].items()]
        else:
            (params if record["kind"] == "params" else tags).update(record["values"])
    client.log_batch(
        run_id,
        metrics=metrics,
        params=[Param(key, value) for key, value in params.items()],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )


def send_dataset(client: MlflowClient, run_id: str, record: Record) -> None:
    """Sends a data set as an input of the run; MLflow keeps equal ones only once."""
    # The source types are those whose links MLflow's pages know how to show.
    remote = record["source"].startswith(("http://", "https://"))
    dataset = Dataset(
        name=record["name"],
        digest=record["digest"],
        source_type="http" if remote else "local",
        source=json.dumps({"url" if remote else "uri": record["source"]}),
        profile=json.dumps(record["profile"]),
    )
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", record["context"])])])

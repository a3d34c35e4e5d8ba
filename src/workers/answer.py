"""How a job ended, on its way from its worker process back to the one that started it."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus

from src.gpus.lease import Lease
from src.workers.errors import JobResultError, JobTraceback, WorkerStartError


@dataclass
class SlotReturn(JobReturn):
    """How a job ended, as Hydra's launchers return it, and what it had of a GPU.

    Attributes:
        lease: Its process's lease; None where it had none.
    """

    lease: Lease | None = None


def pack_answer(result: JobReturn) -> bytes:
    """Returns how a job ended as bytes, a plain mapping; configurations stay behind, they lie in the job's folder."""
    facts = {"overrides": result.overrides, "working_dir": result.working_dir, "task_name": result.task_name}
    if result.status is not JobStatus.COMPLETED:
        return pack_failure(result._return_value, **facts)
    return pack_value(result._return_value, **facts)


def pack_value(value: Any, **facts: Any) -> bytes:
    """Returns what a job or a function returned as bytes."""
    kind = type(value).__name__
    try:
        # On its own, so that what cannot be read again does not take the rest with it.
        packed = cloudpickle.dumps(value)
    except Exception as error:
        return pack_failure(_refuse(kind, error), **facts)
    return bytes(cloudpickle.dumps({**facts, "value": packed, "kind": kind}))


def pack_failure(error: BaseException, **facts: Any) -> bytes:
    """Returns an error that ended a job as bytes, with its text for the case that it cannot be sent itself."""
    try:
        pickled = cloudpickle.dumps(error)
    except Exception:
        pickled = None
    text = "".join(traceback.format_exception(error))
    summary = f"{type(error).__name__}: {error}"
    return bytes(cloudpickle.dumps({**facts, "error": pickled, "summary": summary, "traceback": text}))


def unpack_answer(data: bytes, overrides: Sequence[str]) -> SlotReturn:
    """Returns how a job ended as Hydra's launchers do."""
    answer = cloudpickle.loads(data)
    if "value" not in answer:
        error = _read_error(answer)
        error.__cause__ = JobTraceback(answer["traceback"])
    else:
        try:
            result = SlotReturn(answer.get("overrides"), status=JobStatus.COMPLETED)
            result.return_value = cloudpickle.loads(answer["value"])
            result.working_dir, result.task_name = answer.get("working_dir"), answer.get("task_name")
            return result
        except Exception as problem:
            error = _refuse(answer["kind"], problem)
    result = fail_job(answer.get("overrides") or overrides, error)
    result.working_dir, result.task_name = answer.get("working_dir"), answer.get("task_name")
    return result


def fail_job(overrides: Sequence[str], error: BaseException) -> SlotReturn:
    """Returns the result of a job that an error ended."""
    result = SlotReturn(list(overrides), status=JobStatus.FAILED)
    result.return_value = error
    return result


def _read_error(answer: dict[str, Any]) -> BaseException:
    if answer["error"] is not None:
        try:
            error = cloudpickle.loads(answer["error"])
        except Exception:
            error = None
        if isinstance(error, Exception):
            return error
    return RuntimeError(answer["summary"])


def _refuse(kind: str, problem: Exception) -> JobResultError:
    return JobResultError(
        f"The job is done, but what it returned, a {kind}, cannot be sent out of its process: "
        f"{type(problem).__name__}: {problem}. Return numbers, texts, or lists and mappings of them."
    )


def wants_new_process(result: JobReturn) -> bool:
    """Returns whether a job's process is of no more use.

    The job has said so, by `new_process` in what it returned; or the process could not be made ready for any job.
    """
    value = result._return_value
    if isinstance(value, WorkerStartError):
        return True
    return isinstance(value, dict) and bool(value.get("new_process"))

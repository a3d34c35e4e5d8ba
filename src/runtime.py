"""TensorFlow's start: quiet, with memory growth, seeded, and in the precision that the processor is good at."""

from __future__ import annotations

import gc
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from src.gpus.lease import Lease
from src.gpus.order import count_by_bus
from src.gpus.unseen import check_lease

#: Precisions and the Keras dtype policies that stand for them; variables are float32 in every one.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}

#: Processor features that compute bfloat16 products in hardware.
_BFLOAT16_FEATURES = re.compile(r"\b(avx512_bf16|amx_bf16|bf16)\b")

#: First compute capability of NVIDIA GPUs with bfloat16 (Ampere).
_BFLOAT16_CAPABILITY = (8, 0)

#: What Keras imports where it is installed, for wrappers, input and pictures of kinds that nobody here has.
_SPARED = frozenset({"matplotlib", "pandas", "scipy", "sklearn"})

_num_frozen = 0


def load_tensorflow() -> None:
    """Imports TensorFlow without the lines that it logs at every import, and has it take GPU memory as it is needed.

    A process that shares its GPU takes its share at once instead, and no more later: see `src.gpus.lease`.

    `TF_CPP_MIN_LOG_LEVEL` silences only what is logged after the import; the rest is written to the process's stderr
    by the C++ library, so stderr itself is turned aside for the time of the import, and shown if the import fails.

    What is imported stays for good. That no garbage is looked for meanwhile saves a fifth of the import's time.

    Keras does without pandas, scikit-learn, SciPy and matplotlib where they are not installed, and here it gets to
    believe so: importing them takes as long as importing Keras itself. What it would offer with them, such as its
    wrappers for scikit-learn, says that they are missing; what imports them for itself gets them.

    Raises:
        ConfigError: This process has a lease of a GPU, and TensorFlow does not see it.
    """
    if "tensorflow" not in sys.modules:
        _import_tensorflow()
    if (lease := Lease.current()) is not None:
        import tensorflow as tf

        # Each time: a process that was refused once may be given another job.
        check_lease(lease, tf.config.list_physical_devices("GPU"))


def _import_tensorflow() -> None:
    count_by_bus()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet_stderr(), _without_collector(), _sparing(_SPARED):
        # It imports Keras itself.
        import tensorflow as tf

        lease = Lease.current()
        for gpu in tf.config.list_physical_devices("GPU"):
            if lease is None or lease.limit_bytes is None:
                tf.config.experimental.set_memory_growth(gpu, True)
            else:
                # It counts in 2^20 bytes, and does not allow growth up to a limit: the share is taken whole.
                limit = tf.config.LogicalDeviceConfiguration(memory_limit=lease.limit_bytes // 2**20)
                tf.config.set_logical_device_configuration(gpu, [limit])


def choose_precision(requested: str) -> str:
    """Returns the precision to compute in: `auto` is bfloat16 where all devices have it in hardware, else float32."""
    if requested != "auto":
        return requested
    return "bfloat16" if has_bfloat16() else "float32"


def has_bfloat16() -> bool:
    """Returns whether the GPUs, or without any the CPU, compute bfloat16 in hardware."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(detail.get("compute_capability", (0, 0)) >= _BFLOAT16_CAPABILITY for detail in details)
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and _BFLOAT16_FEATURES.search(cpuinfo.read_text(encoding="utf-8")) is not None


def gpu_name() -> str | None:
    """Returns the first GPU's name, or None on a machine without one."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name))


def count_threads() -> int:
    """Returns on how many threads TensorFlow computes an operation on the CPU.

    A training on another number of threads differs: where a gradient is the sum over a batch, each thread adds up a
    part, and a float's last digits depend on what is added first. It is noise as another seed makes it, if it starts
    smaller; with the same number of threads a training is repeated to the last digit.
    """
    import tensorflow as tf

    configured = int(tf.config.threading.get_intra_op_parallelism_threads())
    if configured > 0:
        return configured
    # TensorFlow reads it itself when it starts, but does not say so.
    wanted = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else len(os.sched_getaffinity(0))


def begin_run(*, seed: int, precision: str, deterministic: bool) -> None:
    """Makes the process ready for one training: forgets the one before, sets precision and seeds.

    With `deterministic` TensorFlow repeats a run to the last digit on the same machine and as many threads; an
    operation that cannot do so raises an error instead. Once switched on it stays on for the process.
    """
    import keras
    import tensorflow as tf

    _forget_gradients()
    keras.backend.clear_session(free_memory=False)
    _collect_garbage()
    keras.config.set_dtype_policy(POLICIES[precision])
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def _forget_gradients() -> None:
    """Drops the custom gradients of earlier trainings, each of which would keep a whole training alive.

    TensorFlow registers one whenever a function that has its own gradient is traced: for the sum over replicas in
    every training step, for each swish of an EfficientNet. It never drops any, and through it neither the traced graph
    nor, with the graph, weights and optimizer on the device.
    """
    from tensorflow.python.framework import ops

    registry: dict[str, object] = getattr(ops.gradient_registry, "_registry", {})
    for name in [name for name in registry if name.startswith("CustomGradient-")]:
        del registry[name]


def _collect_garbage() -> None:
    """Frees what earlier trainings have left in cycles.

    What modules hold, half a million objects, would take half a second to look through before each training. It is set
    aside as soon as it is there: before the first training, and before the second what the first one has imported.
    """
    global _num_frozen
    gc.collect()
    if _num_frozen < 2:
        _num_frozen += 1
        gc.freeze()


class _Refusal(MetaPathFinder):
    """Says in one thread that some libraries are not installed."""

    def __init__(self, libraries: frozenset[str]) -> None:
        self._libraries = libraries
        # Another thread may import one of them at the same time, and is to get it.
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] in self._libraries and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r} during this import", name=name)
        return None


@contextmanager
def _sparing(libraries: frozenset[str]) -> Iterator[None]:
    """Has whatever is imported in the block do without some libraries, as if they were not installed."""
    refusal = _Refusal(libraries)
    sys.meta_path.insert(0, refusal)
    try:
        yield
    finally:
        sys.meta_path.remove(refusal)


def release_frozen() -> None:
    """Lets the next training begin with a look at all garbage, also at what was set aside while it was still in use."""
    global _num_frozen
    gc.unfreeze()
    _num_frozen = 0


@contextmanager
def _without_collector() -> Iterator[None]:
    """Looks for no garbage during the block, nor later among what it has left: for imports, which stay for good."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Turns aside what is written to file descriptor 2, which C++ code uses; shows it if the block raises."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(original, aside.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)

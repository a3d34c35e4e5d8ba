"""TensorFlow's start: what it says, what it computes in, and what it begins from."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from src.config.paths import PROJECT_ROOT
from src.gpus.order import VARIABLE
from src.runtime import POLICIES, begin_run, choose_precision, gpu_name, has_bfloat16, load_tensorflow

load_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

START = "from src.runtime import load_tensorflow; load_tensorflow()"


def run_python(code: str, folder: Path, *more_paths: Path) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter that finds the project, and before it what is in `more_paths`."""
    paths = os.pathsep.join(map(str, (*more_paths, PROJECT_ROOT)))
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**environment, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def pretend_gpus(monkeypatch: pytest.MonkeyPatch, *details: dict[str, object]) -> None:
    """Makes TensorFlow report GPUs with the given details, and no others."""
    gpus = {tf.config.PhysicalDevice(f"/physical_device:GPU:{i}", "GPU"): detail for i, detail in enumerate(details)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(gpus) if kind == "GPU" else [])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", gpus.__getitem__)


def pretend_cpu(monkeypatch: pytest.MonkeyPatch, features: str) -> None:
    """Makes the machine one without a GPU whose processor has the given features."""
    pretend_gpus(monkeypatch)
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == "/proc/cpuinfo")
    monkeypatch.setattr(Path, "read_text", lambda path, encoding: f"processor\t: 0\nflags\t\t: fpu {features} sse\n")


@pytest.fixture
def _float32_afterwards() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


def test_the_start_of_tensorflow_is_quiet(tmp_path: Path) -> None:
    answer = run_python(f"{START}; import tensorflow as tf; print(int(tf.constant(20) + 22))", tmp_path)
    assert answer.stdout == "42\n"
    assert answer.stderr == ""


def test_what_a_failing_import_wrote_to_stderr_is_shown(tmp_path: Path) -> None:
    package = tmp_path / "broken" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import os\nos.write(2, b'libcudart is too old\\n')\nraise ImportError('no TensorFlow here')\n",
        encoding="utf-8",
    )
    answer = run_python(START, tmp_path, package.parent)
    assert answer.returncode == 1
    assert answer.stderr.startswith("libcudart is too old\n")
    assert answer.stderr.endswith("ImportError: no TensorFlow here\n")


def test_stderr_works_again_after_the_start(tmp_path: Path) -> None:
    package = tmp_path / "silent" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import os\nos.write(2, b'noise\\n')\n"
        "class config:\n    list_physical_devices = staticmethod(lambda kind: [])\n",
        encoding="utf-8",
    )
    answer = run_python(f"{START}; import os; os.write(2, b'signal')", tmp_path, package.parent)
    assert answer.stderr == "signal"


LEASED = 'import os; os.environ[\'FITGAP_LEASE\'] = \'{"device": "7", "gpu": null}\'; '


def put_tensorflow(folder: Path, gpus: str) -> Path:
    """Puts a package in the place of TensorFlow that sees the given GPUs, and returns the folder to look for it in."""
    package = folder / "seeing" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        f"class config:\n    list_physical_devices = staticmethod(lambda kind: {gpus})\n"
        "    class experimental:\n        set_memory_growth = staticmethod(lambda gpu, wanted: None)\n",
        encoding="utf-8",
    )
    return package.parent


def test_a_process_whose_gpu_tensorflow_does_not_see_does_not_train_on_the_processor_instead(tmp_path: Path) -> None:
    twice = f"from src.errors import ConfigError\ntry: {START.partition('; ')[2]}\nexcept ConfigError: pass"
    code = f"{LEASED}{START.partition('; ')[0]}\n{twice}\nload_tensorflow()"
    answer = run_python(code, tmp_path, put_tensorflow(tmp_path, "[]"))
    assert answer.returncode == 1
    assert "ConfigError: This process is to train on GPU 7, but TensorFlow sees no GPU there." in answer.stderr
    assert "tensorflow[and-cuda]" in answer.stderr


@pytest.mark.parametrize(
    ("before", "gpus"),
    [(LEASED, "['GPU:0']"), (f"{LEASED}os.environ['FITGAP_GPUS'] = 'made_up.json'; ", "[]"), ("", "[]")],
)
def test_a_gpu_that_is_seen_or_made_up_or_not_asked_for_is_no_reason_to_refuse(
    before: str, gpus: str, tmp_path: Path
) -> None:
    answer = run_python(f"{before}{START}", tmp_path, put_tensorflow(tmp_path, gpus))
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize(("before", "order"), [(None, "PCI_BUS_ID"), ("FASTEST_FIRST", "FASTEST_FIRST")])
def test_cuda_counts_as_the_driver_does_unless_the_user_has_it_otherwise(
    before: str | None, order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if before is not None:
        monkeypatch.setenv(VARIABLE, before)
    code = f"{START}; import os; print(os.environ['{VARIABLE}'])"
    assert run_python(code, tmp_path, put_tensorflow(tmp_path, "[]")).stdout == f"{order}\n"


@pytest.mark.parametrize("precision", POLICIES)
def test_an_explicit_precision_is_taken_as_it_is(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for features in ("avx2", "avx512_bf16"):
        pretend_cpu(monkeypatch, features)
        assert choose_precision(precision) == precision


@pytest.mark.parametrize(
    ("features", "precision"),
    [
        ("avx2 avx512_bf16", "bfloat16"),
        ("amx_bf16 avx2", "bfloat16"),
        ("asimd bf16", "bfloat16"),
        ("avx2 avx512f", "float32"),
        ("avx2 nobf16 bf16x", "float32"),
    ],
)
def test_a_cpu_computes_in_bfloat16_only_where_it_has_it(
    features: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_cpu(monkeypatch, features)
    assert choose_precision("auto") == precision


def test_a_machine_that_does_not_tell_its_processor_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cpu(monkeypatch, "avx512_bf16")
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert choose_precision("auto") == "float32"


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ([{"compute_capability": (8, 0)}], True),
        ([{"compute_capability": (9, 0)}, {"compute_capability": (8, 6)}], True),
        ([{"compute_capability": (9, 0)}, {"compute_capability": (7, 5)}], False),
        ([{}], False),
    ],
)
def test_gpus_compute_in_bfloat16_only_where_all_of_them_have_it(
    details: list[dict[str, object]], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpus(monkeypatch, *details)
    assert has_bfloat16() is expected


#: A TensorFlow that has two GPUs, and prints what is asked of them.
TWO_GPUS = """\
from types import SimpleNamespace
config = SimpleNamespace(
    list_physical_devices=lambda kind: ["one", "two"],
    experimental=SimpleNamespace(set_memory_growth=lambda gpu, on: print(gpu, "grows", on)),
    LogicalDeviceConfiguration=lambda memory_limit: memory_limit,
    set_logical_device_configuration=lambda gpu, limits: print(gpu, "has", limits),
)
"""


@pytest.mark.parametrize(
    ("lease", "asked"),
    [
        ("", "one grows True\ntwo grows True\n"),
        ('{"device": "0", "tenants": 1, "limit_bytes": null, "gpu": null}', "one grows True\ntwo grows True\n"),
        (
            '{"device": "0", "tenants": 2, "limit_bytes": 11534336000, "gpu": null}',
            "one has [11000]\ntwo has [11000]\n",
        ),
    ],
)
def test_memory_grows_unless_a_lease_limits_it(
    lease: str, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gpus" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(TWO_GPUS, encoding="utf-8")
    monkeypatch.setenv("FITGAP_LEASE", lease)
    answer = run_python(START, tmp_path, package.parent)
    assert (answer.stdout, answer.stderr) == (asked, "")


def test_the_first_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, {"device_name": "Some GPU"}, {"device_name": "Another"})
    assert gpu_name() == "Some GPU"


def test_without_a_gpu_there_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch)
    assert gpu_name() is None


@pytest.mark.usefixtures("_float32_afterwards")
@pytest.mark.parametrize("precision", POLICIES)
def test_a_run_computes_in_its_precision_and_keeps_its_weights_in_float32(precision: str) -> None:
    begin_run(seed=0, precision=precision, deterministic=False)
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    assert layer.compute_dtype == precision
    assert layer.variable_dtype == "float32"


@pytest.mark.usefixtures("_float32_afterwards")
def test_equal_seeds_begin_equal_runs_and_others_do_not() -> None:
    drawn = []
    for seed in (7, 7, 8):
        begin_run(seed=seed, precision="float32", deterministic=False)
        layer = keras.layers.Dense(4)
        layer.build((None, 5))
        kernel = layer.get_weights()[0].tolist()
        drawn.append((kernel, float(tf.random.uniform([])), random.random(), float(np.random.random())))
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[1], drawn[2], strict=True))


@pytest.mark.usefixtures("_float32_afterwards")
def test_a_run_forgets_the_names_of_the_one_before() -> None:
    for _ in range(2):
        begin_run(seed=0, precision="float32", deterministic=False)
        assert keras.layers.Dense(1).name == "dense"


@pytest.mark.usefixtures("_float32_afterwards")
@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_a_run_frees_the_weights_of_the_one_before(activation: str) -> None:
    left = []
    for _ in range(3):
        begin_run(seed=0, precision="float32", deterministic=False)
        assert [reference() for reference in left] == [None] * len(left)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation=activation)])
        model.compile("adam", "mse")
        model.fit(np.zeros((8, 3)), np.zeros((8, 4)), verbose=0)
        # The handle, which graphs capture, is what keeps the memory on the device.
        left.append(weakref.ref(model.weights[0].value.handle))
        del model


def test_what_was_imported_is_no_longer_searched_for_garbage(tmp_path: Path) -> None:
    code = f"{START}; import gc; print(gc.get_freeze_count() > 100_000, gc.isenabled())"
    assert run_python(code, tmp_path).stdout == "True True\n"


@pytest.mark.usefixtures("_float32_afterwards")
@pytest.mark.parametrize("deterministic", [True, False])
def test_determinism_is_switched_on_only_on_request(deterministic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: calls.append(True))
    begin_run(seed=0, precision="float32", deterministic=deterministic)
    assert calls == [True] * deterministic


SPARED = ["matplotlib", "pandas", "scipy", "sklearn"]


def test_keras_gets_none_of_the_libraries_that_it_can_do_without(tmp_path: Path) -> None:
    answer = run_python(f"{START}\nimport sys; print([name for name in {SPARED} if name in sys.modules])", tmp_path)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")


def test_who_imports_them_later_gets_them(tmp_path: Path) -> None:
    later = "import matplotlib.pyplot, mlflow.keras, pandas, scipy.stats, sklearn.base, sys\nprint(sys.meta_path)"
    answer = run_python(f"import sys; print(sys.meta_path)\n{START}\n{later}", tmp_path)
    assert answer.returncode == 0, answer.stderr
    before, after = answer.stdout.splitlines()
    assert "_Refusal" not in before + after


def test_another_thread_gets_them_while_keras_is_being_imported(tmp_path: Path) -> None:
    code = f"""
import importlib, sys, threading
import src.runtime as runtime

begun, done = threading.Event(), threading.Event()

def other():
    begun.wait()
    importlib.import_module("pandas")
    done.set()

threading.Thread(target=other).start()
with runtime._sparing(frozenset({SPARED})):
    try:
        import pandas
    except ImportError as error:
        print("refused", error.name)
    begun.set()
    done.wait()
    import pandas
print("imported")
"""
    answer = run_python(code, tmp_path)
    assert answer.stdout.splitlines() == ["refused pandas", "imported"], answer.stderr


def test_what_keras_offers_with_scikit_learn_says_that_it_is_missing() -> None:
    with pytest.raises(ImportError, match="scikit-learn"):
        keras.wrappers.SKLearnClassifier(keras.Sequential())

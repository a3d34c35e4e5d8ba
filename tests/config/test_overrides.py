"""What happens on the command line before any work begins, through the real entry point."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from src.config.paths import PROJECT_ROOT

#: Libraries whose import takes seconds.
HEAVY = ("tensorflow", "keras", "mlflow")

#: Does what `python -m src.train` does, and says at its end, however it ends, which of them were imported.
PROBE = f"""
import atexit, runpy, sys
atexit.register(lambda: print("imported:", [name for name in {HEAVY} if name in sys.modules], file=sys.stderr))
runpy.run_module("src.train", run_name="__main__", alter_sys=True)
"""


def run_train(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m src.train` in the project's root; its last line on stderr says what heavy was imported."""
    return subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=PROJECT_ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


WRONG = {
    "a mistyped key names the nearest right one": (
        ["model.drpout=0.5"],
        "Unknown key 'model.drpout'. Did you mean 'dropout'?",
    ),
    "a mistyped option names the nearest right one": (
        ["model=vgg61"],
        "Unknown option model=vgg61. Did you mean 'vgg16'? model can be: cnn, ",
    ),
    "a mistyped group names the nearest right one": (["modle=vgg16"], "Unknown key 'modle'. Did you mean 'model'?"),
    "a key of another option is unknown": (
        ["model=vgg16", "model.conv_filters=[8]"],
        "Unknown key 'model.conv_filters'",
    ),
    "a value of a recipe that the chosen model does not have is told with both": (
        ["recipe=A1", "model=vgg16"],
        "recipe=A1 sets what the options chosen do not have. Unknown key 'model.conv_filters'. model has the keys: ",
    ),
    "data that a cell of a grid needs must be given": (
        ["-m", "recipe=A1,C1"],
        "recipe=C1: dataset.url has no default and must be given: dataset.url=…, or FITGAP_DOGS_VS_CATS in the",
    ),
    "a key of a block that is not there is told where the block is": (
        ["schedule.when=daily"],
        "An override sets a key of a block that is null here, such as schedule.when without a file of sweeps/ that",
    ),
    "an appended key is unknown too": (["+model.drop=1"], "Unknown key 'model.drop'. Did you mean 'dropout'?"),
    "a word for a number is refused with both": (
        ["model.dropout=much"],
        "model.dropout cannot be set. Value 'much' of type 'str' could not be converted to Float.",
    ),
    "a fraction of an epoch is refused": (["trainer.epochs=1.5"], "trainer.epochs cannot be set. Value '1.5'"),
    "a dropout of one is out of bounds": (
        ["model.dropout=1"],
        "model.dropout must be at least 0 and below 1, but got 1.0.",
    ),
    "a learning rate of zero is out of bounds": (
        ["optimizer.learning_rate=0"],
        "optimizer.learning_rate must be greater than 0 and at most 100, but got 0.0.",
    ),
    "a NaN is out of bounds": (["optimizer.learning_rate=nan"], "optimizer.learning_rate must be greater than 0"),
    "a wrong choice lists the right ones": (
        ["trainer.precision=bf16"],
        "trainer.precision must be one of auto, float32, bfloat16, float16, but got 'bf16'. Did you mean 'bfloat16'?",
    ),
    "a wrong element of a list is named by its place": (
        ["model.conv_filters=[8,0]"],
        "model.conv_filters[1] must be at least 1, but got 0.",
    ),
    "all wrong values are reported at once": (
        ["model.dropout=2", "trainer.epochs=0"],
        "trainer.epochs must be at least 1, but got 0.",
    ),
    "dropout without a place to sit is a contradiction": (
        ["model.dropout=0.3", "model.dense_units=[]", "model.dropout_position=after_dense"],
        "model.dropout=0.3 has no place",
    ),
    "poolings must match the convolutions": (
        ["model.pooling=[max,none]"],
        "model.pooling must hold one kind for all convolutions or one for each of the 3, but got 2",
    ),
    "two kinds of clipping contradict each other": (
        ["optimizer.clipnorm=1", "optimizer.clipvalue=1"],
        "Only one kind of gradient clipping can be given, but got optimizer.clipnorm and optimizer.clipvalue.",
    ),
    "a warm-up as long as the training is a contradiction": (
        ["optimizer.warmup_epochs=10"],
        "optimizer.warmup_epochs must be below trainer.epochs, but got 10 of 10.",
    ),
    "more digits than there are is an error": (["dataset.num_train=1700"], "The digits are 1,797 images"),
    "an augmentation that zooms to nothing is a contradiction": (
        ["augmentation=affine", "augmentation.zoom=0.6", "augmentation.strength=2"],
        "augmentation.zoom times augmentation.strength must be below 1",
    ),
    "an augmentation that shears to a line is a contradiction": (
        ["augmentation=affine", "augmentation.shear_degrees=45", "augmentation.strength=2"],
        "augmentation.shear_degrees times augmentation.strength must be below 90, but got 45 times 2",
    ),
    "a strength without anything to scale is a contradiction": (
        ["-m", "augmentation.strength=0,0.5,1"],
        "strength=0.5: augmentation.strength=0.5 has nothing to scale: no range and no flip is on. Choose an "
        "augmentation that has some, such as augmentation=affine",
    ),
    "images too small for the convolutions are named with the place": (
        ["dataset.image_size=16", "model.conv_filters=[4,4,4,4]"],
        "dataset.image_size=16 is too small for model.conv_filters=[4, 4, 4, 4]: nothing is left of the image after "
        "convolution 3. Use larger images",
    ),
    "a negative number of views is out of bounds": (
        ["trainer.feature_views=-1"],
        "trainer.feature_views must be at least 0 and at most 1000, but got -1.",
    ),
    "views of features need a backbone": (
        ["augmentation=affine", "trainer.feature_views=4"],
        "trainer.feature_views=4 needs a pretrained backbone, but model.name=cnn has none.",
    ),
    "views of features need pretrained weights": (
        ["model=mobilenet", "model.weights=random", "augmentation=affine", "trainer.feature_views=4"],
        "trainer.feature_views=4 needs a pretrained backbone, but model.weights=random trains it as a whole",
    ),
    "views of features need a backbone that is not trained": (
        ["model=mobilenet", "model.trainable=true", "augmentation=affine", "trainer.feature_views=4"],
        "trainer.feature_views=4 needs a frozen backbone, but model.trainable=true trains layers of it",
    ),
    "views of features need a backbone that is not fine-tuned": (
        ["model=mobilenet", "model.fine_tune_layers=3", "augmentation=affine", "trainer.feature_views=4"],
        "trainer.feature_views=4 needs a frozen backbone, but model.fine_tune_layers=3 trains layers of it",
    ),
    "views of features need an augmentation": (
        ["model=mobilenet", "trainer.feature_views=4"],
        "trainer.feature_views=4 has nothing to view: augmentation.strength=0 leaves images as they are.",
    ),
    "views of features contradict a backbone in the loop": (
        ["model=mobilenet", "augmentation=affine", "trainer.feature_views=4", "trainer.features=in_the_loop"],
        "trainer.feature_views=4 contradicts trainer.features=in_the_loop",
    ),
    "a sigmoid cannot tell ten digits apart": (
        ["model.head=sigmoid"],
        "model.head=sigmoid separates two classes, but the data set has 10. Set model.head=softmax.",
    ),
    "a key without a default must be given": (["dataset=image_folder"], "dataset.url has no default and must be given"),
    "a range of an augmentation that is off is a contradiction": (
        ["augmentation.rotation_degrees=20"],
        "augmentation=none is switched off by augmentation.strength=0, so the ranges given have no effect.",
    ),
    "a tag of one's own is appended with a plus": (
        ["tracking.tags.note=hello"],
        "tracking.tags.note is not there yet. Append it with a plus: +tracking.tags.note=…",
    ),
    "a list without -m says what is missing": (["model=cnn,vgg16"], "Add -m to run one training per value"),
    "a broken interpolation names its key": (["dataset.name=${no_such}"], "dataset.name refers to a key"),
    "an override without a value says how to write one": (["model.dropout"], "'model.dropout' is no override"),
    "a group cannot be set to nothing": (["model=null"], "A group cannot be set to nothing"),
    "an output folder that cannot be made is named": (
        ["hydra.run.dir=/proc/fitgap"],
        "/proc/fitgap. Give a folder that can be written with hydra.run.dir=",
    ),
    "an output folder that cannot be filled is named": (
        ["hydra.run.dir=/proc"],
        "/proc/train.log. Give a folder that can be written with hydra.run.dir=",
    ),
    "a wrong cell of a grid is named before any cell starts": (
        ["-m", "model.dropout=0,2"],
        "dropout=2: model.dropout must be at least 0 and below 1, but got 2.0.",
    ),
    "an end of a search space that is not allowed is named": (
        ["-m", "model.dropout=interval(0,2)"],
        "model.dropout=interval(0,2) can become 2.0: model.dropout must be at least 0 and below 1",
    ),
    "an interval for whole numbers is told as one": (
        ["-m", "trainer.epochs=interval(1,8)"],
        "Write trainer.epochs=int(interval(1, 8))",
    ),
    "an objective that no run logs is named with those that they do": (
        ["-m", "model.dropout=interval(0,0.5)", "hydra.sweeper.objective=best_val_acuracy"],
        "Did you mean 'best_val_accuracy'? A run logs: ",
    ),
    "a sampler that there is not is named with the nearest": (
        ["-m", "model.dropout=interval(0,0.5)", "hydra.sweeper.sampler=tpee"],
        "Did you mean 'tpe'?",
    ),
}


def imported(answer: subprocess.CompletedProcess[str]) -> str:
    """Returns the list of heavy libraries that a command imported, as text."""
    label, _, names = answer.stderr.splitlines()[-1].partition(": ")
    assert label == "imported"
    return names


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_configuration_is_explained_before_tensorflow_is_imported(arguments: list[str], message: str) -> None:
    answer = run_train(*arguments)
    assert message in answer.stderr
    assert answer.returncode == (1 if "hydra.run.dir" in arguments[0] else 2)
    assert "Traceback" not in answer.stderr
    assert imported(answer) == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["--cfg", "job", "model=vgg16"]])
def test_help_and_configuration_are_shown_without_importing_tensorflow(arguments: list[str]) -> None:
    answer = run_train(*arguments)
    assert answer.returncode == 0
    assert imported(answer) == "[]"
    assert "learning_rate: 0.0005" in answer.stdout


def test_help_shows_groups_options_and_the_commands_people_need() -> None:
    help_text = run_train("--help").stdout
    assert "python -m src.train -m model=vgg16,mobilenet" in help_text
    assert "model: cnn, efficientnetv2b0, mobilenet, resnet50, vgg16" in help_text
    assert "dataset: cats_vs_dogs, digits, dogs_vs_cats, image_folder" in help_text
    assert "recipe: A1, A2, B1, " in help_text
    assert "schema" not in help_text


def test_a_traceback_is_shown_to_those_who_ask_for_it() -> None:
    assert "Traceback" in run_train("model.dropout=2", HYDRA_FULL_ERROR="1").stderr

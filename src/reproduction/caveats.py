"""In what our trainings differ from the published ones, and what they were computed with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from src.reproduction.result import RecipeResult

#: Sources of weights of which nothing need be said.
_OWN_SOURCES = {"", "random", "imagenet"}

#: Tags that tell what a run was computed with, by what they are called in the document.
_FACTS = {
    "processor": "fitgap.cpu",
    "cores": "fitgap.cpu_count",
    "GPU": "fitgap.gpu",
    "Python": "fitgap.version.python",
    "TensorFlow": "fitgap.version.tensorflow",
    "Keras": "fitgap.version.keras",
    "commit": "mlflow.source.git.commit",
}


def list_caveats(results: Sequence[RecipeResult], notes: Sequence[str]) -> Iterator[str]:
    """Yields in what ours and the published trainings differ, a sentence each; the notes come last."""
    recipes = {result.published.recipe for result in results}
    params = [record.params for result in results for record in result.records]
    if any(recipe[0] in "BDE" for recipe in recipes):
        yield (
            "B, D and E validate on 808 images and test on 192. Their authors split them with `take` and `skip` on a "
            "data set that reshuffles each epoch, so that the two parts mix; here one seeded split is fixed."
        )
    if any(recipe[0] == "C" for recipe in recipes):
        yield (
            "C draws its 5,000 images with a seed and validates on 1,000; its author printed 2,850 validation images, "
            "by a mistake in handling folders."
        )
    if "E1" in recipes:
        yield "E1's author had trained the network once already: the published curve starts at 89 % training accuracy."
    for name in sorted({values.get("weights_source", "") for values in params} - _OWN_SOURCES):
        yield (
            f"Backbones started from the file `{Path(name).name}`; their authors had the weights that Keras chooses "
            "for the size of their images."
        )
    precisions = sorted({values["precision"] for values in params if "precision" in values})
    if set(precisions) - {"float32"}:
        yield f"Computed in {' and '.join(precisions)}; Keras's default is float32."
    yield "Two trainings with other seeds, or on another machine, are never equal; published is one training each."
    yield from notes


def list_facts(results: Sequence[RecipeResult]) -> Iterator[str]:
    """Yields what our runs were computed with, and how long they took."""
    records = [record for result in results for record in result.records]
    for name, tag in _FACTS.items():
        values = sorted({record.tags[tag] for record in records if tag in record.tags})
        if values:
            yield f"{name}: {', '.join(values)}"
    seconds = [record.duration_seconds for record in records if record.duration_seconds is not None]
    if seconds:
        yield f"{len(records)} runs, {sum(seconds) / 60:.0f} minutes in all"

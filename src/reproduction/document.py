"""The report of a reproduction, as Markdown to read."""

from __future__ import annotations

from collections.abc import Sequence

from src.published.curves import PublishedEpoch
from src.reproduction.caveats import list_caveats, list_facts
from src.reproduction.request import Request
from src.reproduction.result import DEVIATIONS, RecipeResult, Spread

#: Name of the picture, which the document shows.
PICTURE = "reproduction.png"

_SHORT, _ONE_SEED = "▼", "·"


def write_document(results: Sequence[RecipeResult], request: Request) -> str:
    """Returns the report as Markdown; nothing in it depends on when it is written."""
    shown = [result for result in results if result.records]
    parts = ["# The published recipes, trained anew", _write_introduction(request)]
    if shown:
        parts += [
            f"![Our curves over the published ones]({PICTURE})",
            "## Validation accuracy",
            _write_accuracies(results),
            _write_legend(shown),
            "## What the running average hides",
            _write_gaps(shown),
        ]
    else:
        parts.append("No training has finished yet.")
    missing = [result for result in results if result.reason]
    if missing:
        lines = [f"- **{result.published.recipe}**: {result.reason}." for result in missing]
        parts += ["## What is missing", "\n".join(lines)]
    parts += ["## What is not alike", "\n".join(f"- {line}" for line in list_caveats(shown, request.notes))]
    if shown:
        parts += ["## Computed with", "\n".join(f"- {line}" for line in list_facts(shown))]
    return "\n\n".join(parts) + "\n"


def _write_introduction(request: Request) -> str:
    return (
        "Written by `python -m src.reproduce` from tracked runs and from the curves that the recipes' authors printed "
        f"(`src/published/`); see `conf/recipe/` for what each recipe is.\n\n```bash\n{request.command}\n```"
    )


def _write_accuracies(results: Sequence[RecipeResult]) -> str:
    header = (
        "recipe", "epochs", "published final", "published best", "published at our last epoch", "ours final",
        "ours best", "difference", "seeds",
    )  # fmt: skip
    rows = []
    for result in results:
        published = result.published
        printed = (f"{published.final.val_accuracy:.4f}", _locate(published.best))
        if not result.records:
            rows.append((published.recipe, f"0 of {len(published)}", *printed, "", "none, see below", "", "", ""))
            continue
        mark = {None: f" {_ONE_SEED}", True: f" {_SHORT}", False: ""}[result.falls_short]
        at_last = f"{result.counterpart.val_accuracy:.4f}, best until then {_locate(result.published_best)}"
        rows.append(
            (
                published.recipe,
                f"{result.epochs} of {len(published)}",
                *printed,
                at_last if result.is_shortened else "the final",
                _spread(result.final),
                f"{_spread(result.best)} @ {', '.join(str(epoch.epoch) for epoch in result.bests)}",
                f"{result.difference:+.4f}{mark}",
                ", ".join(result.seeds),
            )
        )
    return _table(header, rows)


def _write_legend(results: Sequence[RecipeResult]) -> str:
    lines = [
        "Ours is the mean over the seeds ± its standard deviation; best is each run's own, with its epoch after the @.",
        "The difference is to the published final accuracy; where ours were trained for fewer epochs, to the published "
        "accuracy **at the same epoch**, because the final one is no measure for them.",
        f"{_SHORT} ours falls short by more than {DEVIATIONS:g} standard deviations over its seeds; from two or three "
        "seeds that deviation is a rough one.",
    ]
    if any(result.falls_short is None for result in results):
        lines.append(f"{_ONE_SEED} a single seed has no deviation: whether ours falls short cannot be said.")
    return "\n\n".join(lines)


def _write_gaps(results: Sequence[RecipeResult]) -> str:
    header = ("recipe", "epoch", "published running", "our running", "our train_eval", "our val", "clean gap")
    rows = [
        (
            result.published.recipe,
            str(result.epochs),
            f"{result.counterpart.train_accuracy:.4f}",
            f"{result.average_last('train_accuracy'):.4f}",
            f"{result.average_last('train_eval_accuracy'):.4f}",
            f"{result.final.mean:.4f}",
            f"{result.average_last('gap_accuracy'):+.4f}",
        )
        for result in results
    ]
    return (
        "Training accuracy as the authors printed it is a running average, with dropout on and on augmented images; "
        "`train_eval` is measured as validation is, and the clean gap is train_eval minus validation.\n\n"
        f"{_table(header, rows)}"
    )


def _locate(epoch: PublishedEpoch) -> str:
    return f"{epoch.val_accuracy:.4f} @ {epoch.epoch}"


def _spread(spread: Spread) -> str:
    return f"{spread.mean:.4f}" + ("" if spread.deviation is None else f" ± {spread.deviation:.4f}")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

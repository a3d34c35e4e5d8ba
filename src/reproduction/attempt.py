"""The trainings that a reproduction consists of: a recipe with a seed, and what tells that the store has it already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import Quote, QuotedString

from src.config.composition import flatten, register_schemas, to_run_config
from src.config.model import TransferConfig
from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
from src.naming import is_trifle
from src.published.curves import load_published
from src.reproduction.request import Request
from src.tracking.records import RunRecord

#: The MLflow experiment of all reproductions.
EXPERIMENT = "reproduction"


@dataclass(frozen=True)
class Attempt:
    """One training of a recipe.

    Attributes:
        recipe: The recipe's name.
        seed: The run's seed.
        epochs: For how long it is trained.
        overrides: What `python -m src.train` is told.
        settings: All that decides how the training goes, as its params, without where the backbone's weights lie.
        pretrained: Whether it is no such training unless its backbone has learned something already.
        obstacle: Why it cannot be run; None if it can.
    """

    recipe: str
    seed: int
    epochs: int
    overrides: tuple[str, ...]
    settings: dict[str, str]
    pretrained: bool
    obstacle: str | None = None

    @property
    def name(self) -> str:
        """What distinguishes it, for messages."""
        return f"{self.recipe} with seed {self.seed}"

    def is_done_by(self, record: RunRecord) -> bool:
        """Whether a run in the store is this training, and finished."""
        if record.status != "FINISHED" or record.params.get("recipe") != self.recipe:
            return False
        if self.pretrained and record.params.get("weights_source") in (None, "random"):
            return False
        # A key that is newer than the run had no influence on it yet.
        return all(record.params.get(key, value) == value for key, value in self.settings.items())

    def find_record(self, records: Iterable[RunRecord]) -> RunRecord | None:
        """Returns the newest run that is this training, if any is."""
        done = [record for record in records if self.is_done_by(record)]
        return max(done, key=lambda record: record.started_at, default=None)


def plan_attempts(request: Request) -> list[Attempt]:
    """Returns the trainings of a request, recipe by recipe and seed by seed.

    Raises:
        ConfigError: There is no such recipe, or a value is not allowed.
    """
    return [attempt for recipe in request.recipes for attempt in _plan_recipe(recipe, request)]


def _plan_recipe(recipe: str, request: Request) -> list[Attempt]:
    published = len(load_published(recipe))
    epochs = published if request.max_epochs is None else min(published, request.max_epochs)
    changes = [f"recipe={recipe}", f"trainer.epochs={epochs}"]
    # Where the data lies does not decide how the training goes, and need not be known to find the training.
    config = _compose([*changes, "dataset.url=unknown"])
    model = config.model
    places, obstacle = _find_places(config, request)
    pretrained = isinstance(model, TransferConfig)
    settings = {key: value for key, value in flatten(config).items() if not is_trifle(key) and key != "model.weights"}
    # A model that nobody will use takes disk and time.
    tracking = [f"tracking.experiment={EXPERIMENT}", "tracking.log_model=false"]
    if request.uri is not None:
        tracking.append(f"tracking.uri={_quote(request.uri)}")
    first = Attempt(recipe, 0, epochs, (*changes, *places, *tracking), settings, pretrained, obstacle)
    return [
        replace(
            first,
            seed=seed,
            overrides=(*first.overrides, f"seed={seed}"),
            settings={**first.settings, "seed": str(seed)},
        )
        for seed in request.seeds
    ]


def _find_places(config: RunConfig, request: Request) -> tuple[list[str], str | None]:
    """Returns the overrides that say where data and weights lie, and what is missing of them."""
    places: list[str] = []
    flat = config.dataset.name == "dogs_vs_cats"
    url = request.dogs_vs_cats if flat else request.cats_vs_dogs
    if url is not None:
        places.append(f"dataset.url={_quote(url)}")
    elif flat:
        return places, "its images, Kaggle's Dogs vs Cats, were not given: --dogs-vs-cats"
    if isinstance(config.model, TransferConfig):
        option = "--vgg16-weights" if config.model.backbone == "VGG16" else "--mobilenet-weights"
        weights = request.vgg16_weights if config.model.backbone == "VGG16" else request.mobilenet_weights
        if weights is None:
            return places, f"ImageNet weights of {config.model.backbone} were not given: {option}"
        places.append(f"model.weights={_quote(weights)}")
    return places, None


def _compose(overrides: list[str]) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        return to_run_config(compose("train", overrides=overrides))


def _quote(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()

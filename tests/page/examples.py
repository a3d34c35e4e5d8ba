"""Pages of fixed, invented content: what the tests check, and what `gallery` writes to be looked at."""

from __future__ import annotations

import math
import random

from src.analysis.intervals import Estimate, estimate_mean
from src.history import EpochMetrics, History
from src.page.content import EffectLine, InfluenceLine, Leaderboard, LeaderCell, Page, Panel, Point
from src.page.wording import describe

NOTHING = Page("", "", (), (), (), (), "", (), (), (), "", Leaderboard((), ()), {}, "")

HEADER = ("run", "best val", "gap there", "final gap", "overfits from", "epochs", "verdict", "seconds")


def make_epoch(epoch: int, train: float, val: float, train_loss: float, val_loss: float) -> EpochMetrics:
    return EpochMetrics(epoch, train, train_loss, train, train_loss, val, val_loss, 1e-3, 1.0)


def make_history(epochs: int, top: float, gap: float, seed: int, *, turns: int | None = None) -> History:
    """Curves that rise to `top` on validation images and `gap` above it on training ones."""
    noise = random.Random(seed)
    rows = []
    for epoch in range(1, epochs + 1):
        risen = 1 - math.exp(-epoch / (epochs / 5))
        val = 0.25 + (top - 0.25) * risen + noise.gauss(0, 0.008)
        train = min(1.0, 0.25 + (top + gap - 0.25) * risen + noise.gauss(0, 0.003))
        late = max(0, epoch - turns) / epochs if turns else 0.0
        rows.append(
            make_epoch(epoch, train, min(1.0, val), 1.6 * (1 - risen) + 0.02, 1.7 * (1 - risen) + 0.35 + 1.3 * late)
        )
    return History(tuple(rows))


def link(number: int) -> str:
    return f"#/experiments/1/runs/{random.Random(number).getrandbits(128):032x}"


def rank(name: str, number: int, history: History, verdict: str, onset: int | None) -> tuple[LeaderCell, ...]:
    best, last = history.best(), history.epochs[-1]
    return (
        LeaderCell(name, None, link(number)),
        LeaderCell(f"{100 * best.val_accuracy:.1f} %", best.val_accuracy),
        LeaderCell(f"{100 * best.gap_accuracy:.1f}", best.gap_accuracy),
        LeaderCell(f"{100 * last.gap_accuracy:.1f}", last.gap_accuracy),
        LeaderCell("–" if onset is None else str(onset), onset),
        LeaderCell(str(len(history)), len(history)),
        LeaderCell(verdict),
        LeaderCell(f"{40 + number % 7:.1f}", 40.0 + number % 7),
    )


def make_grid() -> Page:
    """A grid of two dropouts and three seeds."""
    panels, points, rows = [], [], []
    for number, (dropout, seed) in enumerate((d, s) for d in ("0", "0.5") for s in range(3)):
        plain = dropout == "0"
        onset = 9 + seed if plain else None
        history = make_history(30, 0.83 if plain else 0.85, 0.155 if plain else 0.04, number, turns=onset)
        name, best = f"dropout={dropout} seed={seed}", history.best()
        verdict = "overfitting" if plain else "healthy"
        reason = (
            f"Validation loss turned for good at epoch {onset}, and the gap is above 10 points."
            if plain
            else "The gap stays below 5 points and validation loss never turned for good."
        )
        panels.append(Panel(name, history, onset, verdict, reason, None, link(number)))
        points.append(Point(name, best.gap_accuracy, best.val_accuracy, f"dropout={dropout}", False, link(number)))
        rows.append(rank(name, number, history, verdict, onset))
    pairs = list(zip(points[:3], points[3:], strict=True))
    gap = estimate_mean([after.gap - before.gap for before, after in pairs])
    accuracy = estimate_mean([after.val_accuracy - before.val_accuracy for before, after in pairs])
    return Page(
        title="grid of model.dropout, digits",
        question="Does dropout keep a small network from memorising 720 digits?",
        findings=(
            f"Dropout 0.5 closes the gap by {100 * -gap.mean:.1f} points, and costs no accuracy.",
            "Without dropout, all 3 runs overfit from epoch 9 to 11 on.",
            f"Validation accuracy rises with it: {describe(accuracy)}.",
        ),
        facts=(
            ("Data set", "digits, 720 training images"),
            ("Model", "cnn"),
            ("Runs", "6 of 6 complete"),
            ("Seeds", "0, 1, 2"),
        ),
        caveats=(
            "Three seeds say little: an interval that touches zero does not mean that there is no effect.",
            "Validation images chose the best epoch, so accuracies are a little too high; test scores are not.",
        ),
        panels=tuple(panels),
        panels_note="",
        points=mark_front(points),
        effects=(
            EffectLine(
                "dropout 0.5 instead of 0",
                gap,
                accuracy,
                "3 pairs with equal seeds",
                "less overfitting and better validation accuracy",
            ),
            EffectLine(
                "augmentation affine instead of none",
                Estimate(-0.061, -0.083, -0.039, 3),
                Estimate(0.031, 0.012, 0.05, 3),
                "3 pairs with equal seeds",
                "less overfitting and better validation accuracy",
            ),
            EffectLine(
                "dense_units 1024 instead of 128",
                Estimate(0.052, 0.021, 0.083, 3),
                Estimate(-0.004, -0.031, 0.023, 3),
                "3 pairs with equal seeds",
                "more overfitting",
            ),
            EffectLine(
                "l2 0.001 instead of 0",
                Estimate(-0.024, None, None, 1),
                Estimate(-0.011, None, None, 1),
                "1 pair with equal seeds",
                "one observation: may be chance",
            ),
            EffectLine(
                "optimizer sgd instead of adam",
                Estimate(0.008, -0.46, 0.476, 2),
                Estimate(-0.02, -0.31, 0.27, 2),
                "2 pairs with equal seeds",
                "cannot be told from 2 seeds",
            ),
        ),
        influences=(),
        influences_note="",
        leaderboard=Leaderboard(HEADER, tuple(sorted(rows, key=lambda row: -(row[1].value or 0))), "Best first."),
        pictures={"comparison of all curves": "comparison.png", "each run’s confusion matrix": "confusion.png"},
        footer="fitgap 0.1.0, built from run 27c5a80545eb4594ac17bf282d1b8beb in experiment digits.",
    )


def make_search(trials: int = 40, shown: int = 12) -> Page:
    """A search of two arms."""
    generator = random.Random(7)
    panels, points, rows = [], [], []
    for number in range(trials):
        arm = ("model=vgg16", "model=mobilenet", "model=cnn")[number % 3]
        dropout, rate = generator.uniform(0, 0.7), 10 ** generator.uniform(-5, -2)
        top = 0.88 - 0.05 * abs(math.log10(rate) + 3.5) + 0.03 * (number % 3 == 0) + generator.gauss(0, 0.01)
        gap = max(0.0, 0.2 - 0.24 * dropout + generator.gauss(0, 0.02))
        onset = 12 if gap > 0.1 else None
        history = make_history(30, top, gap, number, turns=onset)
        best = history.best()
        verdict = "overfitting" if onset else ("healthy" if top > 0.8 else "underfitting")
        name = f"{arm} trial {number}"
        reason = f"Gap {100 * best.gap_accuracy:.1f} points at the best epoch, dropout {dropout:.2f}."
        panels.append(Panel(name, history, onset, verdict, reason, None, link(number)))
        points.append(Point(name, best.gap_accuracy, best.val_accuracy, arm, False, link(number)))
        rows.append(rank(name, number, history, verdict, onset))
    return Page(
        title="regularization",
        question="Which regularization closes the gap, and what does it cost?",
        findings=(
            "Dropout matters most for the gap: from 0.1 to 0.6 it falls by 9.8 points.",
            "The learning rate decides validation accuracy, and hardly touches the gap.",
            "Augmentation helps both, if less: −3.1 points of gap, +1.9 points of validation accuracy.",
        ),
        facts=(("Data set", "cats_vs_dogs"), ("Trials", f"{trials}, of them 9 pruned"), ("State", "complete")),
        caveats=("A search looks where it is good: its trials are no fair sample of the space.",),
        panels=tuple(panels[:shown]),
        panels_note=f"Shown are the best 4 and the worst 4 of each arm; all {trials} are in the table below.",
        points=mark_front(points),
        effects=(),
        influences=(
            InfluenceLine(
                "model.dropout",
                0.71,
                0.12,
                Estimate(-0.098, -0.121, -0.075, 40),
                Estimate(0.006, -0.008, 0.02, 40),
                "0.1 → 0.6",
                "less overfitting, no clear change of accuracy",
            ),
            InfluenceLine(
                "optimizer.learning_rate",
                0.08,
                0.66,
                Estimate(0.011, -0.009, 0.031, 40),
                Estimate(-0.074, -0.095, -0.053, 40),
                "1e-5 → 1e-2",
                "matters for accuracy alone",
            ),
            InfluenceLine(
                "augmentation.strength",
                0.11,
                0.09,
                Estimate(-0.031, -0.052, -0.01, 40),
                Estimate(0.019, 0.004, 0.034, 40),
                "0 → 1",
                "helps both",
            ),
            InfluenceLine(
                "optimizer",
                0.02,
                math.nan,
                Estimate(0.004, None, None, 1),
                Estimate(math.nan, None, None, 0),
                "adam → sgd",
                "too few trials to tell",
            ),
        ),
        influences_note="From a forest of trees on 40 complete trials.",
        leaderboard=Leaderboard(HEADER, tuple(sorted(rows, key=lambda row: -(row[1].value or 0))), "Best first."),
        pictures={},
        footer="fitgap 0.1.0, built from study digits/regularization.",
    )


def make_single() -> Page:
    """One run alone."""
    grid = make_grid()
    panel = grid.panels[0]
    return Page(
        title="one run of cnn on digits",
        question="",
        findings=("This run overfits from epoch 9 on: the gap at its best epoch is 15.1 points.",),
        facts=grid.facts[:2],
        caveats=("One run says nothing of what would help.",),
        panels=(panel,),
        panels_note="",
        points=(),
        effects=(),
        influences=(),
        influences_note="",
        leaderboard=Leaderboard((), ()),
        pictures={},
        footer=grid.footer,
    )


#: Names that try to be more than text.
HOSTILE = (
    "<script>alert('no')</script>",
    "\"quoted\" 'twice' & <b>bold</b> --> ]]>",
    "模型=猫 · дропаут=½ · ‮txet‬ · 🐈",
    "dropout=" + "0123456789" * 20,
    "{{ page.title }} {% raw %}",
    "half a character \ud83d",
)


def make_mess() -> Page:
    """Everything that may go wrong, at once."""
    nan, inf = math.nan, math.inf
    healthy = make_history(12, 0.8, 0.1, 1)
    diverged = History(
        tuple(
            make_epoch(
                epoch,
                0.4 if epoch < 4 else 0.1,
                0.38 if epoch < 4 else 0.1,
                *((1.5, 1.6) if epoch < 4 else (10.0**epoch, 3 * 10.0**epoch) if epoch < 8 else (nan, inf)),
            )
            for epoch in range(1, 12)
        )
    )
    holes = History(
        tuple(
            make_epoch(epoch, nan if epoch % 3 == 0 else 0.7, 0.6 if epoch % 2 else nan, 0.5, nan)
            for epoch in range(1, 10)
        )
    )
    panels = (
        Panel(HOSTILE[0], healthy, 6, "overfitting", HOSTILE[1], None, "javascript:alert(1)"),
        Panel(HOSTILE[1], diverged, None, "diverged", "The loss became infinite at epoch 8.", None, link(2)),
        Panel(HOSTILE[2], holes, 1, "odd verdict", "", None, link(3)),
        Panel(HOSTILE[3], History(healthy.epochs[:1]), None, None, "", None, link(4)),
        Panel(HOSTILE[4], History(), None, None, "", "OutOfMemoryError: " + "x" * 300, link(5)),
        Panel(HOSTILE[5], make_history(100, 0.9, 0.05, 5), None, "healthy", "A hundred epochs.", None, ""),
    )
    return Page(
        title=HOSTILE[0] + " " + HOSTILE[3],
        question=HOSTILE[1],
        findings=(HOSTILE[2], HOSTILE[4]),
        facts=((HOSTILE[0], HOSTILE[3]),),
        caveats=(HOSTILE[1],),
        panels=panels,
        panels_note=HOSTILE[0],
        points=(
            Point(HOSTILE[0], 0.1, 0.8, HOSTILE[0], True, "javascript:alert(1)"),
            Point(HOSTILE[1], 0.12, 0.79, HOSTILE[1]),
            Point(HOSTILE[2], 0.11, 0.78, ""),
            Point("far away", 55.0, 0.1, ""),
            Point(HOSTILE[3], nan, 0.8, ""),
            Point("infinite", 0.1, inf, ""),
        ),
        effects=(
            EffectLine(HOSTILE[0], Estimate(nan, None, None, 0), Estimate(0.0, -1e9, inf, 2), HOSTILE[1], HOSTILE[2]),
        ),
        influences=(
            InfluenceLine(
                HOSTILE[3], 1.7, -0.2, Estimate(-0.1, -0.1, -0.1, 2), Estimate(inf, None, None, 1), HOSTILE[0], ""
            ),
        ),
        influences_note=HOSTILE[1],
        leaderboard=Leaderboard(
            (HOSTILE[0], "value", ""),
            tuple(
                (LeaderCell(name, None, link(1)), LeaderCell("n", value), LeaderCell(""))
                for name, value in zip(HOSTILE, (1.0, nan, inf, None, -2.5, 0.0), strict=True)
            ),
            HOSTILE[4],
        ),
        pictures={HOSTILE[0]: "javascript:alert(1)", HOSTILE[1]: "a b&c.png"},
        footer=HOSTILE[0],
    )


def mark_front(points: list[Point]) -> tuple[Point, ...]:
    """Marks the points that no other one beats on both."""

    def beaten(point: Point) -> bool:
        return any(
            other.gap <= point.gap
            and other.val_accuracy >= point.val_accuracy
            and (other.gap, other.val_accuracy) != (point.gap, point.val_accuracy)
            for other in points
        )

    return tuple(Point(p.name, p.gap, p.val_accuracy, p.group, not beaten(p), p.link) for p in points)


EXAMPLES = {
    "grid": make_grid,
    "search": make_search,
    "single": make_single,
    "mess": make_mess,
    "many": lambda: make_search(300, 48),
}

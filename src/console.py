"""What a person sees while trainings run: a bar within an epoch, a line per epoch, a table at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from src.history import EpochMetrics, History
from src.training.progress import Step

#: Width of the output where it is no terminal and so has no width of its own.
_FILE_WIDTH = 140
#: Names in a table up to this length are never cut to make room for its other columns.
_WHOLE_NAME = 40


def open_console() -> Console:
    """Returns a console on stdout, in plain lines without colours or bars where that is no terminal."""
    # Names come from the user and may hold brackets and colons: nothing is read as rich's markup.
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    return console


class TrainingConsole:
    """Follows one training on the console; a `TrainingObserver`."""

    def __init__(self, console: Console, epochs: int) -> None:
        """Takes the console to write to and the number of epochs planned."""
        self.console = console
        self.epochs = epochs
        self._history = History()
        self._has_header = False
        self._progress: Progress | None = None

    def on_resume(self, history: History) -> None:
        """Says where the training goes on."""
        self._history = history
        best = history.best()
        self.console.print(
            f"Going on after epoch {len(history)} of {self.epochs}, from its checkpoint; best so far epoch "
            f"{best.epoch} with {best.val_accuracy:.3f} of the validation images."
        )

    def on_step(self, step: Step) -> None:
        """Moves the bar, on a terminal."""
        if not self.console.is_terminal:
            return
        if self._progress is None:
            self._progress = Progress(
                TextColumn("epoch {task.description}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.3f}"),
                TimeRemainingColumn(compact=True),
                console=self.console,
                transient=True,
                refresh_per_second=8,
            )
            self._progress.start()
            self._progress.add_task("", total=step.num_steps, loss=step.loss, accuracy=step.accuracy)
        self._progress.update(
            self._progress.task_ids[0],
            description=f"{step.epoch}/{self.epochs}",
            completed=step.step,
            loss=step.loss,
            accuracy=step.accuracy,
        )

    def on_epoch(self, epoch: EpochMetrics) -> None:
        """Replaces the bar by the epoch's line."""
        self.close()
        if not self._has_header:
            self.console.print(_EPOCH_HEADER, style="dim")
            self._has_header = True
        self._history = self._history.with_epoch(epoch)
        best = " best" if self._history.best() is epoch else ""
        self.console.print(_format_epoch(epoch, self.epochs) + best)

    def should_stop(self, history: History) -> bool:
        """Never asks for an end."""
        return False

    def close(self) -> None:
        """Takes the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


# With the word `best` a line takes 79 of a terminal's 80 columns.
_EPOCH_HEADER = (
    f"{'':>9} {'train_eval':>10} {'val':>8} {'':>7} {'train_eval':>10} {'val':>9} {'learning':>8}\n"
    f"{'epoch':>6}    {'accuracy':>10} {'accuracy':>8} {'gap':>7} {'loss':>10} {'loss':>9} {'rate':>8} {'seconds':>7}"
)


def _format_epoch(epoch: EpochMetrics, epochs: int) -> str:
    return (
        f"{epoch.epoch:>4}/{epochs:<4} {epoch.train_eval_accuracy:>10.3f} {epoch.val_accuracy:>8.3f} "
        f"{epoch.gap_accuracy:>+7.3f} {epoch.train_eval_loss:>10.4f} {epoch.val_loss:>9.4f} "
        f"{epoch.learning_rate:>8.1e} {epoch.epoch_seconds:>6.1f}"
    )


def print_facts(console: Console, title: str, facts: Iterable[tuple[str, str]]) -> None:
    """Prints a title and, under it, a fact per line."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True)
    # An address that does not fit goes on in the next line rather than end in dots.
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value)
    console.print()
    console.print(title, style="bold")
    console.print(table)


def print_table(console: Console, title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table whose first column is text and whose others are numbers."""
    lines = list(rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right")
    # Headings can go on in the next line; a name that is cut tells nothing from its neighbours.
    table.columns[0].min_width = min(_WHOLE_NAME, max((len(line[0]) for line in lines), default=0))
    for line in lines:
        table.add_row(*line)
    console.print()
    # As a title of the table it would be broken to its width.
    console.print(title, style="bold", soft_wrap=True)
    console.print(table)

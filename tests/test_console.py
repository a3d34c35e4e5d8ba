"""What is printed where: plain lines in a file, a bar on a terminal that leaves nothing behind."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from src.console import TrainingConsole, open_console, print_facts, print_table
from src.history import EpochMetrics, History
from src.training.progress import Step

EPOCHS, STEPS = 3, 4
ESCAPE = "\x1b"

#: What a terminal does with what rich sends: move up, erase the line, or (colours, cursor) nothing that is seen.
CONTROL = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


def open_file(width: int = 120) -> tuple[Console, StringIO]:
    """Opens a console that writes to a file."""
    file = StringIO()
    return Console(file=file, force_terminal=False, highlight=False, width=width), file


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> tuple[Console, StringIO]:
    """A console that takes its file for a terminal that can move its cursor, wherever the tests run."""
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    file = StringIO()
    return Console(file=file, force_terminal=True, highlight=False, width=120, height=40), file


def make_epoch(epoch: int, val_accuracy: float = 0.75) -> EpochMetrics:
    return EpochMetrics(
        epoch=epoch,
        train_accuracy=0.61,
        train_loss=0.62,
        train_eval_accuracy=0.875,
        train_eval_loss=0.3125,
        val_accuracy=val_accuracy,
        val_loss=0.5625,
        learning_rate=5e-4,
        epoch_seconds=1.25,
    )


def follow(observer: TrainingConsole, *val_accuracies: float) -> None:
    """Plays a training of one epoch per accuracy to an observer."""
    for epoch, val_accuracy in enumerate(val_accuracies, start=1):
        for step in range(1, STEPS + 1):
            observer.on_step(Step(epoch, step, STEPS, loss=0.5, accuracy=0.25))
        observer.on_epoch(make_epoch(epoch, val_accuracy))


def replay(written: str) -> list[str]:
    """Returns the lines that a terminal shows after all that was written to it."""
    lines, row, column = [""], 0, 0
    for parameters, command, carriage_return, newline, text in CONTROL.findall(written):
        if command == "A":
            row -= int(parameters or 1)
        elif command == "K":
            assert parameters == "2"
            lines[row] = ""
        elif command:
            assert command in "mhl"
        elif carriage_return:
            column = 0
        elif newline:
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif text:
            assert row >= 0
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    return [line.rstrip() for line in lines if line.strip()]


def test_in_a_file_every_epoch_is_one_plain_line_under_one_heading() -> None:
    console, file = open_file()
    follow(TrainingConsole(console, EPOCHS), 0.5, 0.625, 0.75)
    lines = file.getvalue().splitlines()
    assert ESCAPE not in file.getvalue()
    assert "\r" not in file.getvalue()
    assert [line.split()[0] for line in lines if "/3" in line] == ["1/3", "2/3", "3/3"]
    assert len(lines) == 2 + EPOCHS
    assert "loss 0.5000" not in file.getvalue()


def test_a_line_holds_the_clean_measures_and_their_gap() -> None:
    console, file = open_file()
    TrainingConsole(console, 20).on_epoch(make_epoch(1))
    words = file.getvalue().splitlines()[-1].split()
    assert words == ["1/20", "0.875", "0.750", "+0.125", "0.3125", "0.5625", "5.0e-04", "1.2", "best"]


def test_a_negative_gap_keeps_its_sign() -> None:
    console, file = open_file()
    TrainingConsole(console, 20).on_epoch(make_epoch(1, val_accuracy=1.0))
    assert " -0.125 " in file.getvalue()


def test_each_epoch_that_is_the_best_so_far_is_marked_and_no_other() -> None:
    console, file = open_file()
    follow(TrainingConsole(console, 5), 0.5, 0.75, 0.625, 0.75, 0.875)
    assert [line.endswith(" best") for line in file.getvalue().splitlines()[2:]] == [True, True, False, False, True]


def test_an_epochs_line_fits_into_a_terminal_of_eighty_columns() -> None:
    console, file = open_file(width=80)
    follow(TrainingConsole(console, 100), 0.5)
    assert len(file.getvalue().splitlines()) == 3


def test_on_a_terminal_a_bar_is_drawn_and_is_gone_after_the_epoch(terminal: tuple[Console, StringIO]) -> None:
    console, file = terminal
    observer = TrainingConsole(console, EPOCHS)
    follow(observer, 0.5, 0.625)
    assert "━" in file.getvalue()
    assert f"{STEPS}/{STEPS}" in file.getvalue()
    assert "loss 0.5000  accuracy 0.250" in file.getvalue()
    shown = replay(file.getvalue())
    assert [line.split()[0] for line in shown[2:]] == ["1/3", "2/3"]
    assert len(shown) == 4
    assert "━" not in "".join(shown)


def test_a_training_that_breaks_off_leaves_no_bar(terminal: tuple[Console, StringIO]) -> None:
    console, file = terminal
    observer = TrainingConsole(console, EPOCHS)
    observer.on_step(Step(1, 1, STEPS, loss=0.5, accuracy=0.25))
    observer.close()
    observer.close()
    console.print("and on")
    assert "━" in file.getvalue()
    assert replay(file.getvalue()) == ["and on"]
    assert file.getvalue().count(f"{ESCAPE}[?25l") == file.getvalue().count(f"{ESCAPE}[?25h") == 1


def test_the_console_never_ends_a_training() -> None:
    console, _ = open_file()
    assert TrainingConsole(console, 1).should_stop(History((make_epoch(1),))) is False


def test_without_a_terminal_the_console_is_plain_and_wide(capsys: pytest.CaptureFixture[str]) -> None:
    console = open_console()
    console.print("x" * 110, style="bold red")
    assert capsys.readouterr().out == "x" * 110 + "\n"


def test_facts_are_printed_one_per_line_under_their_title(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts(open_console(), "some run", [("precision", "float32"), ("time", "3 s")])
    lines = capsys.readouterr().out.split("\n")
    assert [line.split() for line in lines if line] == [["some", "run"], ["precision", "float32"], ["time", "3", "s"]]


def test_a_table_has_a_row_per_run_and_its_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(open_console(), "side by side", ["arm", "epochs"], [["first", "7"], ["second", "100"]])
    lines = capsys.readouterr().out.splitlines()
    assert "side by side" in lines[1]
    rows = [line for line in lines if "first" in line or "second" in line]
    assert [re.findall(r"[\w]+", row) for row in rows] == [["first", "7"], ["second", "100"]]
    assert rows[0].index("7") == rows[1].index("100") + 2


@pytest.mark.parametrize("name", ["[red]", "pooling=[max,none]", "[/tmp/cats]", "[link=x]y"])
def test_a_title_of_facts_is_printed_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_facts(open_console(), name, [])
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", ["[red]", "pooling=[max,none]", "[/tmp/cats]", "[link=x]y", ":x:"])
def test_facts_are_printed_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_facts(open_console(), "some run", [(name, f"fact {name}")])
    assert capsys.readouterr().out.count(name) == 2


@pytest.mark.parametrize("name", ["[red]", "pooling=[max,none]", "[/tmp/cats]", "[link=x]y", ":x:"])
def test_a_tables_title_headings_and_cells_are_printed_as_they_are(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(open_console(), f"title {name}", [f"heading {name}", "n"], [[f"cell {name}", name]])
    out = capsys.readouterr().out
    assert f"title {name}" in out
    assert f"heading {name}" in out
    assert f"cell {name}" in out
    assert out.count(name) == 4


def test_a_name_is_not_cut_to_make_room_for_the_other_columns(capsys: pytest.CaptureFixture[str]) -> None:
    header = ["", *(f"a heading of words {index}" for index in range(14))]
    print_table(open_console(), "wide", header, [["model=mobilenet", *["123.456"] * 14]])
    assert "model=mobilenet" in capsys.readouterr().out

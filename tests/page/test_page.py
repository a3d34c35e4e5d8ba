from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from src.analysis.intervals import Estimate
from src.errors import StorageError
from src.page.content import EffectLine, Leaderboard, LeaderCell, Page, Panel
from src.page.document import render_page
from src.page.files import write_page
from tests.page.examples import EXAMPLES, HOSTILE, NOTHING, make_grid, make_history, make_mess, make_search
from tests.page.reading import Element, read_page


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> str:
    return render_page(EXAMPLES[request.param]())


@pytest.fixture(scope="module")
def grid() -> Element:
    return read_page(render_page(make_grid()))


@pytest.fixture(scope="module")
def search() -> Element:
    return read_page(render_page(make_search()))


@pytest.fixture(scope="module")
def mess() -> Element:
    return read_page(render_page(make_mess()))


def section(page: Element, identity: str) -> Element:
    [found] = [element for element in page.walk() if element.attributes.get("id") == identity]
    return found


def headings(page: Element) -> list[str]:
    return [heading.text for heading in page.find("h2")]


def render_effect(gap: Estimate, accuracy: Estimate) -> Element:
    line = EffectLine("change", gap, accuracy, "basis", "verdict")
    return section(read_page(render_page(replace(NOTHING, effects=(line,)))), "effects")


# What every page is.


def test_every_id_is_unique_and_whatever_is_referred_to_exists(example: str) -> None:
    page = read_page(example)
    ids = Counter(element.attributes["id"] for element in page.walk() if "id" in element.attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    for element in page.walk():
        for key in ("aria-labelledby", "aria-describedby", "for"):
            assert set(element.attributes.get(key, "").split()) <= set(ids), element
        if element.attributes.get("href", "").startswith("#"):
            assert element.attributes["href"][1:] in ids


def test_every_drawing_says_what_it_shows(example: str) -> None:
    for drawing in read_page(example).find("svg"):
        first = drawing.children[0]
        assert isinstance(first, Element)
        assert first.tag == "title"
        assert first.text
        assert drawing.attributes["role"] == "img"


def test_a_page_needs_nothing_from_anywhere(example: str) -> None:
    page = read_page(example)
    assert page.find("link") + page.find("img") + page.find("iframe") + page.find("base") == []
    for element in page.walk():
        assert {"src", "srcset", "style", "onclick", "onload"}.isdisjoint(element.attributes)
        assert element.attributes.get("href", "#").startswith("#")
    [style], [script] = page.find("style"), page.find("script")
    assert re.search(r"@import|url\((?!#)|@font-face", style.text) is None
    assert (
        re.search(r"\bfetch\(|XMLHttpRequest|\bimport\b|localStorage|sessionStorage|document\.cookie", script.text)
        is None
    )


def test_a_browser_is_told_to_run_this_style_and_this_script_and_no_other(example: str) -> None:
    page = read_page(example)
    [policy] = [meta.attributes["content"] for meta in page.find("meta") if "http-equiv" in meta.attributes]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        [text] = re.findall(rf"<{tag}>(.*?)</{tag}>", example, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_same_content_gives_the_same_page() -> None:
    assert render_page(make_search()) == render_page(make_search())


def test_three_hundred_runs_stay_below_two_megabytes() -> None:
    page = EXAMPLES["many"]()
    assert len(page.leaderboard.rows) == len(page.points) == 300
    assert len(page.panels) == 48
    assert len(render_page(page).encode()) < 2_000_000


def test_a_reader_without_a_mouse_reaches_everything(search: Element) -> None:
    [skip] = search.find("a", class_="skip")
    assert skip.attributes["href"] == "#answer"
    scrollers = [element for element in search.walk() if "scroller" in element.attributes.get("class", "").split()]
    assert scrollers
    assert all(element.attributes.get("tabindex") == "0" for element in scrollers)
    assert all(button.attributes["type"] == "button" for button in search.find("button"))
    tables = search.find("table")
    assert all(table.find("th", scope="col") and table.find("th", scope="row") for table in tables)


# What is said, and in which order.


def test_the_answer_comes_first_and_the_numbers_after_it(grid: Element) -> None:
    content = make_grid()
    text = grid.find("body")[0].text
    places = [text.index(" ".join(part.split())) for part in (content.title, content.question, *content.findings)]
    assert places == sorted(places)
    assert section(grid, "answer").find("p", class_="lead")[0].text == content.findings[0]
    assert headings(grid) == [
        "What each change does",
        "How each run learned",
        "Gap against accuracy",
        "All runs",
        "What this does not show",
        "Further pictures",
    ]


def test_of_a_search_what_matters_comes_before_the_curves(search: Element) -> None:
    found = headings(search)
    assert found.index("What matters for the gap, and what for accuracy") < found.index("How each run learned")
    assert "What each change does" not in found


def test_empty_parts_are_left_out() -> None:
    page = read_page(render_page(replace(NOTHING, title="nothing yet")))
    assert headings(page) == []
    assert page.find("table") + page.find("dl") + page.find("footer") + page.find("ul") == []
    assert [heading.text for heading in page.find("h1")] == ["nothing yet"]


@pytest.mark.parametrize("part", ["effects", "panels", "points", "influences", "caveats", "pictures", "leaderboard"])
def test_a_part_is_there_if_and_only_if_it_has_content(part: str) -> None:
    full = replace(make_grid(), influences=make_search().influences)
    name = {"panels": "curves", "points": "trade-off", "leaderboard": "runs"}.get(part, part)
    without = replace(full, **{part: getattr(NOTHING, part)})
    assert f'<section id="{name}"' in render_page(full)
    assert f'<section id="{name}"' not in render_page(without)


def test_all_that_is_given_in_words_is_on_the_page(grid: Element) -> None:
    content, text = make_grid(), grid.find("body")[0].text
    said = [*content.findings, *content.caveats, content.footer, *content.pictures, *content.pictures.values()]
    said += [part for fact in content.facts for part in fact]
    said += [part for line in content.effects for part in (line.change, line.basis, line.verdict)]
    said += [part for panel in content.panels for part in (panel.name, panel.reason, panel.verdict or "")]
    assert [part for part in said if " ".join(part.split()) not in text] == []


# Differences.


def test_a_difference_has_its_sign_its_unit_and_its_interval() -> None:
    text = render_effect(Estimate(-0.1124, -0.1431, -0.0806, 3), Estimate(0.02, 0.0, 0.04, 3)).text
    assert "−11.2 points [−14.3,\u00a0−8.1]".replace("\u00a0", " ") in text
    assert "+2.0 points [0.0, +4.0]" in text


def test_a_difference_of_one_observation_says_so_and_looks_different() -> None:
    effects = render_effect(Estimate(-0.024, None, None, 1), Estimate(0.02, 0.01, 0.03, 3))
    [single] = effects.find("div", class_="single")
    assert "one observation, no interval" in single.text
    assert [mark.attributes["href"] for mark in single.find("use", class_="mean")] == ["#mark-3"]
    assert single.find("line", class_="whisker") == []
    [good] = effects.find("div", class_="good")
    assert [mark.attributes["href"] for mark in good.find("use", class_="mean")] == ["#mark-0"]
    assert good.find("line", class_="whisker")


def test_better_is_to_the_left_for_the_gap_and_to_the_right_for_accuracy() -> None:
    down, up = Estimate(-0.05, -0.06, -0.04, 3), Estimate(0.05, 0.04, 0.06, 3)
    assert len(render_effect(down, up).find("div", class_="good")) == 2
    assert len(render_effect(up, down).find("div", class_="bad")) == 2


def test_a_difference_whose_interval_holds_zero_is_no_result() -> None:
    effects = render_effect(Estimate(-0.05, -0.11, 0.01, 3), Estimate(0.05, -0.01, 0.11, 3))
    assert len(effects.find("div", class_="unclear")) == 2


def test_the_mark_lies_where_the_scale_says_and_zero_in_the_middle() -> None:
    effects = render_effect(Estimate(-0.1, -0.12, -0.08, 3), Estimate(0.1, 0.08, 0.12, 3))
    places = [float(mark.attributes["x"].rstrip("%")) for mark in effects.find("use", class_="mean")]
    assert places[0] < 50 < places[1]
    assert places[0] + places[1] == pytest.approx(100)
    assert {line.attributes["x1"] for line in effects.find("line", class_="zero")} == {"50%"}


def test_an_interval_far_wider_than_all_others_ends_in_arrows_instead_of_flattening_them() -> None:
    narrow = EffectLine("a", Estimate(-0.1, -0.12, -0.08, 3), Estimate(0.02, 0.01, 0.03, 3), "", "")
    wide = EffectLine("b", Estimate(0.01, -0.9, 0.92, 2), Estimate(0.0, -0.8, 0.8, 2), "", "")
    effects = section(read_page(render_page(replace(NOTHING, effects=(narrow, wide)))), "effects")
    first, *_, last = effects.find("div", class_="difference")[2:]
    assert float(first.find("use", class_="mean")[0].attributes["x"].rstrip("%")) < 40
    ends = [end.attributes["href"] for end in last.find("use", class_="whisker-end")]
    assert ends == ["#out-left", "#out-right"]


def test_influences_show_both_shares_beside_each_other(search: Element) -> None:
    row = section(search, "influences").find("tr")[1]
    assert "71 % of gap" in row.text
    assert "12 % of accuracy" in row.text
    assert [bar.attributes["width"] for bar in row.find("rect")] == ["71%", "12%"]
    assert "0.1 → 0.6" in row.text


# Curves.


def test_a_panel_has_its_verdict_its_reason_and_its_onset(grid: Element) -> None:
    panel = grid.find("article")[0]
    assert "overfitting" in panel.find("p", class_="chip")[0].text
    assert "Validation loss turned for good at epoch 9" in panel.text
    assert [line.text for line in panel.find("text", class_="onset-name")] == ["overfits from 9"]
    healthy = grid.find("article")[-1]
    assert healthy.find("line", class_="onset") == []


def test_all_panels_share_their_axes(grid: Element) -> None:
    ticks = {tuple(text.text for text in panel.find("text", class_="tick")) for panel in grid.find("article")}
    assert len(ticks) == 1


def test_one_panel_names_its_curves_for_all(grid: Element) -> None:
    names = [name.text for name in grid.find("text", class_="curve-name")]
    assert sorted(names) == ["training", "validation"]


def test_a_panel_holds_its_values_for_the_pointer(grid: Element) -> None:
    history = make_grid().panels[0].history
    values = json.loads(grid.find("div", class_="plot")[0].attributes["data-values"])
    assert values["epoch"] == list(range(1, 31))
    assert values["val_accuracy"] == pytest.approx(history.series("val_accuracy"), rel=1e-3)
    assert 0 < values["x"][0] < values["x"][-1] < 1


def test_a_failed_run_says_why_it_has_no_curves() -> None:
    panel = Panel("run", make_history(0, 0.8, 0.1, 0), failed="OutOfMemoryError: 3 GiB")
    article = read_page(render_page(replace(NOTHING, panels=(panel,)))).find("article")[0]
    assert "failed" in article.find("p", class_="chip")[0].text
    assert "OutOfMemoryError: 3 GiB" in article.text
    assert "No finished epoch." in article.text
    assert article.find("svg") == []


# Points.


def test_every_run_of_the_scatter_is_there_with_its_values(search: Element) -> None:
    points, marks = make_search().points, section(search, "scatter-plot").find("use")
    assert len(marks) == len(points) == 40
    texts = {mark.text for mark in marks}
    first = points[0]
    assert f"{first.name}: gap {100 * first.gap:.1f} points, validation {100 * first.val_accuracy:.1f} %" in texts


def test_runs_of_different_arms_differ_by_shape_and_not_by_colour_alone(search: Element) -> None:
    looks = {
        mark.attributes["class"].split()[1]: mark.attributes["href"]
        for mark in section(search, "scatter-plot").find("use")
    }
    assert len(looks) == len(set(looks.values())) == 3


def test_the_front_is_connected_and_the_good_corner_named(search: Element) -> None:
    front = [point for point in make_search().points if point.on_front]
    trade_off = section(search, "trade-off")
    assert len(trade_off.find("line", class_="front-line")) == len(front) - 1
    assert len(trade_off.find("use", class_="front")) == len(front)
    assert "the good corner: small gap, high accuracy" in trade_off.text


def test_points_that_cannot_be_placed_are_counted_in_words(mess: Element) -> None:
    text = section(mess, "trade-off").text
    assert "1 run beyond the axes" in text
    assert "2 runs without a finite gap and accuracy not drawn" in text


# The leaderboard.


def test_the_leaderboard_can_be_sorted_by_every_column(search: Element) -> None:
    columns = section(search, "runs").find("th", scope="col")
    assert len(columns) == len(make_search().leaderboard.header)
    assert {column.attributes["aria-sort"] for column in columns} == {"none"}
    assert all(column.find("button") for column in columns)


def test_cells_are_sorted_by_their_value_and_not_by_what_is_shown(search: Element) -> None:
    content = make_search().leaderboard.rows
    for row, given in zip(section(search, "runs").find("tr")[1:], content, strict=True):
        cells = row.find("th") + row.find("td")
        for cell, expected in zip(cells, given, strict=True):
            assert expected.text in cell.text
            shown = cell.attributes.get("data-value")
            assert (None if shown is None else float(shown)) == expected.value


def test_what_is_no_finite_number_is_sorted_as_text() -> None:
    rows = tuple((LeaderCell("run"), LeaderCell("x", value)) for value in (math.nan, math.inf, -math.inf, None))
    page = read_page(render_page(replace(NOTHING, leaderboard=Leaderboard(("run", "value"), rows))))
    assert [cell for cell in page.walk() if "data-value" in cell.attributes] == []


def test_only_a_long_leaderboard_has_a_filter(grid: Element, search: Element) -> None:
    assert grid.find("input") == []
    [filter_box] = search.find("input")
    assert [label.attributes["for"] for label in search.find("label")] == [filter_box.attributes["id"]]


# Links.


def test_runs_are_no_links_until_a_script_finds_mlflow_around_the_page(grid: Element) -> None:
    content = make_grid()
    run_id = content.panels[0].link.rsplit("/", 1)[1]
    assert run_id in grid.find("article")[0].text
    assert content.panels[0].link in {element.attributes.get("data-link") for element in grid.walk()}
    assert {link.attributes["href"] for link in grid.find("a")} == {"#answer", "#caveats"}


def test_an_address_that_leads_elsewhere_is_never_one_to_follow(mess: Element) -> None:
    links = [element.attributes["data-link"] for element in mess.walk() if "data-link" in element.attributes]
    assert links
    assert all(link.startswith("#/") for link in links)


# Names that try to be more than text.


def test_names_stay_text_whatever_is_in_them(mess: Element) -> None:
    assert len(mess.find("script")) == 1
    assert mess.find("b") == [bold for bold in mess.find("b") if bold.text != "bold"]
    text = mess.find("body")[0].text
    for name in HOSTILE:
        assert " ".join(name.split()) in text


def test_numbers_that_are_none_never_reach_a_drawing(example: str) -> None:
    for drawing in read_page(example).find("svg"):
        for element in drawing.walk():
            for key in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "d", "points", "width"):
                assert re.search(r"nan|inf", element.attributes.get(key, "")) is None


# The file.


def test_a_page_is_written_whole_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_page(make_grid(), path)
    assert path.read_text(encoding="utf-8") == render_page(make_grid())
    write_page(make_mess(), path)
    assert "half a character ?" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_page_that_cannot_be_written_says_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"The page .*report\.html cannot be written: .* build the report again"):
        write_page(NOTHING, tmp_path / "file" / "report.html")


def test_every_example_is_a_page() -> None:
    assert all(isinstance(make(), Page) for make in EXAMPLES.values())

"""The search space: from Hydra's override grammar to Optuna and back."""

from __future__ import annotations

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from src.errors import ConfigError
from src.study.space import Dimension, SearchSpace, is_searched, parse_dimension, parse_space


def parse(line: str) -> Override:
    return OverridesParser.create(config_loader=None).parse_override(line)


def dimension(line: str) -> Dimension:
    return parse_dimension(parse(line))


def space(*lines: str, conditions: dict[str, str] | None = None, types: dict[str, type] | None = None) -> SearchSpace:
    return parse_space([parse(line) for line in lines], conditions or {}, types or {})


def refusal(line: str) -> str:
    with pytest.raises(ConfigError) as caught:
        dimension(line)
    assert line in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "distribution", "words"),
    [
        ("x=interval(0, 0.7)", FloatDistribution(0.0, 0.7), "0 to 0.7"),
        ("x=interval(end=2,start=1)", FloatDistribution(1.0, 2.0), "1 to 2"),
        ("x=interval(1, 8)", FloatDistribution(1.0, 8.0), "1 to 8"),
        ("x=tag(log, interval(1e-5, 1e-2))", FloatDistribution(1e-5, 1e-2, log=True), "1e-05 to 0.01, log"),
        ("x=tag(log, sweep=interval(1, 2))", FloatDistribution(1.0, 2.0, log=True), "1 to 2, log"),
        ("x=tag(interval(0, 1))", FloatDistribution(0.0, 1.0), "0 to 1"),
        ("x=int(interval(1, 8))", IntDistribution(1, 8), "1 to 8, whole numbers"),
        ("x=int(interval(1.0, 8.0))", IntDistribution(1, 8), "1 to 8, whole numbers"),
        ("x=tag(log, int(interval(16,512)))", IntDistribution(16, 512, log=True), "16 to 512, whole numbers, log"),
        ("x=int(tag(log, interval(16,512)))", IntDistribution(16, 512, log=True), "16 to 512, whole numbers, log"),
        ("x=range(5)", IntDistribution(0, 4), "0 to 4, whole numbers"),
        ("x=range(1, 9, 2)", IntDistribution(1, 7, step=2), "1 to 7 in steps of 2"),
        ("x=range(1, 8, 2)", IntDistribution(1, 7, step=2), "1 to 7 in steps of 2"),
        ("x=range(10, 0, -2)", IntDistribution(2, 10, step=2), "2 to 10 in steps of 2"),
        ("x=range(0, -3, -1)", IntDistribution(-2, 0), "-2 to 0, whole numbers"),
        ("x=shuffle(range(1, 5))", IntDistribution(1, 4), "1 to 4, whole numbers"),
        ("x=sort(range(1, 5), reverse=true)", IntDistribution(1, 4), "1 to 4, whole numbers"),
        ("x=tag(log, range(1, 65))", IntDistribution(1, 64, log=True), "1 to 64, whole numbers, log"),
        ("x=range(0, 1, 0.25)", FloatDistribution(0.0, 0.75, step=0.25), "0.0 to 0.75 in steps of 0.25"),
        ("x=range(1, 0, -0.25)", FloatDistribution(0.25, 1.0, step=0.25), "0.25 to 1.0 in steps of 0.25"),
        ("x=float(range(1, 5))", FloatDistribution(1.0, 4.0, step=1.0), "1.0 to 4.0 in steps of 1.0"),
        ("x=choice(adam, sgd)", CategoricalDistribution(("adam", "sgd")), "adam, sgd"),
        ("x=shuffle(choice(b, a))", CategoricalDistribution(("b", "a")), "b, a"),
        ("x=sort(choice(3, 1, 2))", CategoricalDistribution((1, 2, 3)), "1, 2, 3"),
        ("x=int(choice(1, '2'))", CategoricalDistribution((1, 2)), "1, 2"),
        ("x=str(choice(1, 2))", CategoricalDistribution(("1", "2")), "'1', '2'"),
        ("x=choice(true, 2.5, 'a b')", CategoricalDistribution((True, 2.5, "a b")), "true, 2.5, 'a b'"),
        ("x=choice([1, 'a b'], {u: 1})", CategoricalDistribution(("[1,'a b']", "{u:1}")), "[1,'a b'], {u:1}"),
    ],
)
def test_every_form_of_the_grammar_becomes_its_distribution(
    line: str, distribution: BaseDistribution, words: str
) -> None:
    found = dimension(line)

    assert found.distribution == distribution
    assert found.describe() == words
    assert found.text == line.partition("=")[2]
    assert is_searched(parse(line))


@pytest.mark.parametrize(
    "line",
    ["x=a,b", "x=shuffle(a, b)", "x=sort(3, 1)", "x=int(1, 2)", "x=glob(*)", "x=1", "x='interval(0, 1)'", "~x", "x="],
)
def test_comma_lists_globs_and_values_are_not_searched(line: str) -> None:
    assert not is_searched(parse(line))


def test_the_stop_of_a_range_is_no_value_of_it_even_where_floats_miss_it() -> None:
    # In floats 0.3 * 3 is 0.8999999999999999, which Hydra's own range takes for less than 0.9.
    assert dimension("x=range(0, 0.9, 0.3)").values() == [0.0, 0.3, 0.6]
    assert dimension("x=range(0, 1, 0.1)").values() == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("x=interval(2, 2)", "write x=2 for a value that is not searched"),
        ("x=interval(2, 1)", "x=interval(1, 2)."),
        ("x=tag(log, int(interval(9, 1)))", "x=tag(log, int(interval(1, 9)))."),
        ("x=interval(0, inf)", "inf is no end. Write a finite number"),
        ("x=tag(log, interval(0, 1))", "x=tag(log, interval(0.001, 1))"),
        ("x=tag(log, interval(-2, -1))", "x=tag(log, interval(0.001, 1))"),
        ("x=tag(log, int(interval(0, 8)))", "x=tag(log, int(interval(1, 8)))"),
        ("x=int(interval(1.2, 5))", "1.2 is none. Leave int(…) out, or write whole numbers, for example x=int(interva"),
        ("x=tag(log, int(interval(1.2, 5.5)))", "x=tag(log, int(interval(2, 5)))"),
        ("x=int(range(0.5, 3, 0.5))", "0.5 is none. Leave int(…) out, or write whole numbers."),
        ("x=tag(lin, interval(0, 1))", "only `log` is known: write x=tag(log, interval(…))"),
        ("x=tag(log, extra, interval(1, 2))", "only `log` is known"),
        ("x=tag(log, choice(1, 2))", "categories have no scale. Leave the tag out"),
        ("x=int(tag(log, range(1, 5)))", "loses its tag in the cast. Write it around: x=tag(log, int(…))."),
        ("x=range(1, 5, 0)", "has a step of 0"),
        ("x=range(5, 1)", "Write x=range(5, 1, -1)."),
        ("x=range(1, 5, -1)", "Write x=range(1, 5, 1)."),
        ("x=range(3, 3)", "Write x=range(3, 4, 1)."),
        ("x=tag(log, range(0, 9))", "Write x=tag(log, int(interval(1, 8)))"),
        ("x=tag(log, range(1, 9, 2))", "Write x=tag(log, int(interval(1, 7)))"),
        ("x=tag(log, range(0.5, 2, 0.5))", "Write x=tag(log, interval(0.5, 1.5))"),
        ("x=choice(a, b, a)", "names a twice"),
        ("x=choice(1, 1.0)", "names 1 and 1.0, which are equal to Optuna"),
        ("x=choice(true, 1)", "names true and 1, which are equal to Optuna"),
        ("x=choice([1], [1])", "names [1] twice"),
        ("x=choice(nan, 1)", "nan equals no value"),
        ("~x=choice(a, b)", "write x=choice(a, b)"),
        ("x=a,b", "write x=choice(…), range(…) or interval(…)"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_what_to_type_instead(line: str, remedy: str) -> None:
    assert remedy in refusal(line)


@pytest.mark.parametrize(
    "line",
    [
        "x=choice(true, 1.5, 'a b', 'x,y', abc, '1', 'true', 'null', '', \"it's\", '${oc.env:HOME}', a/b.c-d)",
        "x=choice('back\\\\', 'a=b', '[1]', 'a:b', \"don't\", 1e-5, -3, 1e20, -0.5)",
        "x=choice([1, 'a b', null], [], {u: [1, 2], v: {w: 'x y'}})",
        "+x.y=choice(a, b)",
        "optimizer@second=choice(adam, sgd)",
        "x=range(0, 2, 0.1)",
        "x=range(10, 0, -3)",
    ],
)
def test_every_value_survives_the_way_through_an_override(line: str) -> None:
    found = dimension(line)

    for value in found.values():
        back = parse(found.override(value))
        assert back.get_key_element() == line.partition("=")[0]
        again = back.value()
        assert found.convert(again) == value
        assert type(again) is type(value) or value in found.structures


def test_floats_are_written_to_the_last_digit_and_whole_numbers_without_a_point() -> None:
    assert dimension("x=interval(0, 1)").override(0.1 + 0.2) == "x=0.30000000000000004"
    assert dimension("x=interval(0, 1)").override(1) == "x=1.0"
    assert dimension("x=tag(log, interval(1e-9, 1))").override(1e-8) == "x=1e-08"
    assert dimension("x=int(interval(0, 9))").override(3.0) == "x=3"


def test_a_value_of_a_range_is_written_as_it_was_typed() -> None:
    found = dimension("x=range(0, 1, 0.1)")
    trial = optuna.create_study().ask({"x": found.distribution})

    assert found.override(0.1 + 0.2) == "x=0.3"
    assert found.suggest(trial) in found.values()


def test_a_dimension_contains_its_values_and_no_others() -> None:
    inside = [("x=interval(0, 1)", 0), ("x=interval(0, 1)", 1.0), ("x=range(0, 1, 0.1)", 0.1 + 0.2)]
    inside += [("x=int(interval(1, 8))", 8.0), ("x=choice(1, 2)", 1.0), ("x=choice([1, 2], [3])", [1, 2])]
    outside = [("x=interval(0, 1)", 1.1), ("x=interval(0, 1)", True), ("x=interval(0, 1)", "0.5")]
    outside += [("x=interval(0, 1)", float("nan")), ("x=range(0, 1, 0.1)", 0.15), ("x=range(1, 9, 2)", 2)]
    outside += [("x=int(interval(1, 8))", 1.5), ("x=choice(1, 2)", True), ("x=choice(1, 2)", "1")]
    outside += [("x=choice([1, 2], [3])", [2, 1]), ("x=choice('[1,2]', b)", [1, 2]), ("x=interval(0, 1)", None)]

    assert all(dimension(line).contains(value) for line, value in inside)
    assert not [(line, value) for line, value in outside if dimension(line).contains(value)]


def test_a_value_near_the_end_of_its_interval_lies_at_its_border() -> None:
    log = dimension("x=tag(log, interval(1e-5, 1e-1))")

    assert [dimension("x=interval(0, 10)").border(value) for value in (0.5, 0.6, 9.4, 9.5)] == [
        "lower",
        None,
        None,
        "upper",
    ]
    assert [log.border(value) for value in (1.5e-5, 1e-4, 1e-2, 9e-2)] == ["lower", None, None, "upper"]
    assert dimension("x=int(interval(1, 8))").border(8) == "upper"
    assert dimension("x=choice(1, 2)").border(1) is None
    assert dimension("x=range(1, 2)").border(1) is None


def test_a_study_samples_the_space_and_its_trials_become_overrides() -> None:
    searched = space(
        "model.dropout=interval(0, 0.7)",
        "optimizer=choice(adam, sgd)",
        "+size=tag(log, int(interval(8, 64)))",
        "x=range(0, 1, 0.25)",
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))

    for _ in range(5):
        trial = study.ask()
        values = searched.suggest(trial, {})
        study.tell(trial, 1.0)
        assert values == trial.params
        assert [line.partition("=")[0] for line in searched.to_overrides(values)] == [
            "model.dropout",
            "optimizer",
            "+size",
            "x",
        ]
        assert searched.find_problems(values, {}) == []


def test_a_key_with_a_condition_is_searched_only_where_it_is_met() -> None:
    searched = space(
        "optimizer.momentum=interval(0, 0.9)",
        "optimizer=choice(adam, sgd)",
        conditions={"optimizer.momentum": "optimizer=sgd"},
    )
    parameters = {"optimizer.momentum": 0.5}

    assert searched.has_conditions
    assert searched.suggest(FixedTrial({"optimizer": "adam"}), {}) == {"optimizer": "adam"}
    assert searched.suggest(FixedTrial({"optimizer": "sgd", **parameters}), {}) == {"optimizer": "sgd", **parameters}
    assert [item.key for item in searched.active({"optimizer": "sgd"}, {})] == ["optimizer", "optimizer.momentum"]
    assert searched.to_record()["optimizer.momentum"] == "0 to 0.9, where optimizer=sgd"


def test_a_condition_may_look_at_what_an_arm_has_fixed() -> None:
    searched = space("+a=interval(0, 1)", "b=interval(0, 1)", conditions={"a": "model='vgg16'"})

    assert [item.key for item in searched.active({}, {"+model": "vgg16"})] == ["+a", "b"]
    assert [item.key for item in searched.active({}, {"model": "mobilenet"})] == ["b"]
    with pytest.raises(ConfigError, match="model is neither searched nor set: add model=vgg16"):
        searched.active({}, {})


def test_a_key_below_one_that_is_not_searched_is_not_searched_either() -> None:
    searched = space(
        "c=interval(0, 1)",
        "b=choice(true, false)",
        "a=range(1, 3)",
        conditions={"c": "b=true", "b": "a=2"},
    )

    assert [item.key for item in searched.dimensions] == ["a", "b", "c"]
    assert [item.key for item in searched.active({"a": 1, "b": True}, {})] == ["a"]
    assert [item.key for item in searched.active({"a": 2, "b": True}, {})] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("key", "condition", "message"),
    [
        ("momentun", "optimizer=sgd", r"names momentun, which is not searched. Did you mean 'momentum'\?"),
        ("momentum", "optimizer", "must be one key and its value, such as optimizer=sgd, but got 'optimizer'"),
        ("momentum", "optimizer=sgd,adam", "must be one key and its value"),
        ("momentum", "~optimizer=sgd", "must be one key and its value"),
        ("momentum", "optimizer=[", "must be one key and its value"),
        ("momentum", "optimizer=sdg", r"which it never is. Did you mean 'sgd'\? optimizer is searched in: adam, sgd"),
        ("momentum", "rate=0.5", r"hardly ever has just this value. Write rate=choice\(0.5, …\)"),
        ("momentum", "momentum=0.5", "hardly ever"),
        ("optimizer", "optimizer=sgd", "go round in a circle: optimizer where optimizer=sgd"),
    ],
)
def test_conditions_that_cannot_be_met_are_refused(key: str, condition: str, message: str) -> None:
    lines = ("optimizer=choice(adam, sgd)", "momentum=interval(0, 1)", "rate=interval(0, 1)")

    with pytest.raises(ConfigError, match=message):
        space(*lines, conditions={key: condition})


def test_a_key_that_is_searched_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"x is searched twice: \+x=range\(3\) and x=choice\(1, 2\). Keep one"):
        space("+x=range(3)", "x=choice(1, 2)")


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("batch=interval(16, 512)", "Write batch=int(interval(16, 512))."),
        ("batch=tag(log, interval(16, 512))", "Write batch=tag(log, int(interval(16, 512)))."),
        ("batch=interval(0.2, 0.4)", "Write batch=int(interval(0, 1))."),
        ("batch=range(1, 3, 0.5)", "Write batch=range(1, 3, 1)."),
        ("batch=float(range(1, 9, 2))", "Write batch=range(1, 8, 2)."),
    ],
)
def test_a_key_of_whole_numbers_searched_in_all_numbers_is_refused(line: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match="batch is a whole number") as caught:
        space(line, types={"batch": int})
    assert str(caught.value).endswith(remedy)


def test_a_key_of_whole_numbers_may_be_searched_in_whole_numbers_and_choices() -> None:
    types: dict[str, type] = {"a": int, "b": int, "c": int, "d": float}

    assert len(
        space("a=int(interval(1, 4))", "b=range(4)", "+c=choice(1, 2)", "d=interval(0, 1)", types=types).dimensions
    )


def test_problems_of_a_point_are_named_and_a_partial_point_has_none() -> None:
    searched = space(
        "optimizer=choice(adam, sgd)",
        "optimizer.momentum=interval(0, 0.9)",
        "+size=range(1, 9, 2)",
        conditions={"optimizer.momentum": "optimizer=sgd"},
    )

    assert searched.find_problems({"optimizer.momentum": 0.5, "size": 3}, {}) == []
    assert searched.find_problems({"optimizer": "sgd", "optimizer.momentum": 0.5}, {}) == []
    assert searched.find_problems({"optimiser": "sgd"}, {}) == [
        "optimiser is not searched. Did you mean 'optimizer'? Searched are: optimizer, optimizer.momentum, size."
    ]
    assert searched.find_problems({"optimizer": "adm", "size": 4}, {}) == [
        "optimizer must be one of adam, sgd, but got adm.",
        "size must be 1 to 7 in steps of 2, but got 4.",
    ]
    assert searched.find_problems({"optimizer": "adam", "optimizer.momentum": 0.5}, {}) == [
        "optimizer.momentum is searched only where optimizer=sgd: leave it out, or set optimizer=sgd."
    ]


def test_the_points_of_a_finite_space_are_a_grid() -> None:
    searched = space("a=choice(x, y)", "b=range(0, 0.3, 0.1)", "c=int(interval(1, 2))")

    points = searched.points()

    assert len(points) == 12
    assert points[0] == {"a": "x", "b": 0.0, "c": 1}
    assert points[1] == {"a": "x", "b": 0.0, "c": 2}
    assert points[-1] == {"a": "y", "b": 0.2, "c": 2}


def test_a_grid_has_a_conditional_key_only_where_it_is_searched() -> None:
    searched = space("a=choice(x, y)", "b=range(2)", conditions={"b": "a=x"})
    arms = space("b=range(2)", conditions={"b": "model=vgg16"})

    assert searched.points() == [{"a": "x", "b": 0}, {"a": "x", "b": 1}, {"a": "y"}]
    assert arms.points({"model": "vgg16"}) == [{"b": 0}, {"b": 1}]
    assert arms.points({"model": "cnn"}) == [{}]


@pytest.mark.parametrize("line", ["rate=interval(0, 1)", "rate=tag(log, int(interval(1, 512)))"])
def test_a_grid_of_values_without_number_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match=r"rate=.* has values without number.* Write rate=choice\(…\) or range"):
        space("a=choice(x, y)", line).points()


def test_a_grid_with_too_many_points_is_refused_before_it_is_made() -> None:
    with pytest.raises(ConfigError, match=r"more than 100,000 points with b=range\(1000000000\)"):
        space("a=choice(x, y)", "b=range(1000000000)").points()


def test_equal_spaces_have_equal_records_and_different_ones_do_not() -> None:
    assert space("x=interval(0, 1e-1)").to_record() == space("x=interval(0.0,0.10)").to_record()
    lines = ["x=interval(1, 8)", "x=int(interval(1, 8))", "x=choice(1, 8)", "x=choice('1', '8')", "x=interval(1, 8.1)"]
    lines += ["x=tag(log, interval(1, 8))", "x=range(1, 9, 7)", "x=float(range(1, 9, 7))", "x=choice(8, 1)"]
    assert len({space(line).to_record()["x"] for line in lines}) == len(lines)


@pytest.mark.parametrize("text", ["grün", "日本", "a b", "it's", "a\\b", "${x}", "null"])
def test_a_text_of_any_kind_comes_back_from_its_override(text: str) -> None:
    override = Dimension("k", CategoricalDistribution([text, "other"]), "").override(text)
    assert str(parse(override).value()) == text

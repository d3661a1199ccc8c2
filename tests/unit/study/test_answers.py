"""Answers read from files that anyone may have written, and what they come to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import raters
from scipy.stats import binomtest
from studies import FITTED, VAE

from genbench.errors import RequestError, StoreError
from genbench.output.tables_csv import to_csv
from genbench.ranking.columns import STUDY
from genbench.study import answers, outcome, outcome_table
from genbench.study.key import Key

RATES = {VAE: 0.7, FITTED: 0.2, "": 0.9}


def given(made: Key, rater: str = "anna") -> dict[str, Any]:
    return raters.of_calls(made, rater, ["real"] * len(made.items))


def with_answer(made: Key, place: int, **changes: Any) -> dict[str, Any]:
    content = given(made)
    content["answers"][place] |= changes
    return content


# What is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"called": "fake"}, r"answers\.3\.called is 'fake'; expected real or generated"),
        ({"called": True}, r"answers\.3\.called is True; expected real or generated"),
        ({"item": -1}, r"answers\.3\.item is -1; expected 0 or more"),
        ({"item": "3"}, r"answers\.3\.item is '3'; expected a whole number"),
        ({"item": 3.0}, r"answers\.3\.item is 3\.0; expected a whole number"),
        ({"answered_ms": "700"}, r"answers\.3\.answered_ms is '700'; expected a finite number"),
        ({"shown_ms": -5}, r"answers\.3\.shown_ms is -5; expected 0 or more"),
        ({"model": "gan"}, r"it has answers\.3\.model, which is unknown"),
    ],
)
def test_an_answer_that_is_none(changes: dict[str, Any], message: str, made: Key, tmp_path: Path) -> None:
    path = raters.written(tmp_path, "a.json", with_answer(made, 3, **changes))
    with pytest.raises(StoreError, match=rf"a\.json is not as genbench writes it: {message}"):
        answers.read([path], made)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], r"it is \[1\]; expected an object"),
        ({}, r"it has no study"),
        ({"rater": ""}, r"rater is ''; expected a name of 1 to 100 characters"),
        ({"rater": "x" * 101}, r"rater is 'x+…; expected a name of 1 to 100 characters"),
        ({"answers": {}}, r"answers is \{\}; expected a list"),
        ({"screen": None}, r"screen is None; expected an object"),
    ],
)
def test_answers_that_are_none(content: Any, message: str, made: Key, tmp_path: Path) -> None:
    whole = {**given(made), **content} if isinstance(content, dict) and content else content
    with pytest.raises(StoreError, match=rf"a\.json is not as genbench writes it: {message}"):
        answers.read([raters.written(tmp_path, "a.json", whole)], made)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no", r"a\.json is damaged: not JSON"),
        ('{"study": NaN}', r"a\.json is damaged: not JSON \(NaN is no number of JSON\)"),
        ("[" * 70 + "]" * 70, r"a\.json is too deep; expected at most 64"),
        ("[" * 100_000, r"a\.json is damaged: not JSON"),
    ],
)
def test_a_file_that_is_no_json(text: str, message: str, made: Key, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(StoreError, match=message):
        answers.read([path], made)


def test_a_file_that_is_not_there_or_a_folder(made: Key, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*none\.json: No such file"):
        answers.read([tmp_path / "none.json"], made)
    with pytest.raises(StoreError, match=r"cannot read .*: it is a folder, not a plain file"):
        answers.read([tmp_path], made)


@pytest.mark.parametrize("part", ["study", "protocol"])
def test_answers_to_another_study(part: str, made: Key, tmp_path: Path) -> None:
    path = raters.written(tmp_path, "a.json", {**given(made), part: "\x1b[31mabc"})
    message = rf"a\.json answers study .*abc.*; the key is of study {made.study} of protocol {made.design.id}\. Give"
    with pytest.raises(RequestError, match=message) as told:
        answers.read([path], made)
    assert "\x1b" not in str(told.value)


def test_a_rater_who_left_images_out(made: Key, tmp_path: Path) -> None:
    content = given(made)
    del content["answers"][4], content["answers"][10:]
    message = r"rater 'anna' did not answer: 10 of 20 images \(4, 11, 12, 13, 14, \.\.\.\); expected one answer to each"
    with pytest.raises(RequestError, match=message):
        answers.read([raters.written(tmp_path, "a.json", content)], made)


def test_a_rater_who_answered_twice(made: Key, tmp_path: Path) -> None:
    content = given(made)
    content["answers"] += [content["answers"][7]]
    with pytest.raises(RequestError, match=r"rater 'anna' answered twice or more: 1 of 20 images \(7\)"):
        answers.read([raters.written(tmp_path, "a.json", content)], made)


def test_an_image_that_there_is_not(made: Key, tmp_path: Path) -> None:
    content = given(made)
    content["answers"] += [{**content["answers"][7], "item": 20}]
    with pytest.raises(RequestError, match=r"rater 'anna' answered what was not asked: 1 of 20 images \(20\)"):
        answers.read([raters.written(tmp_path, "a.json", content)], made)


def test_the_same_answers_twice(made: Key, tmp_path: Path) -> None:
    first = raters.written(tmp_path, "a.json", given(made))
    copy = raters.written(tmp_path, "a (1).json", given(made))
    for again in (first, copy):
        with pytest.raises(RequestError, match=r"a\.json and .* hold the same answers; expected each rater's once"):
            answers.read([first, again], made)


def test_two_files_of_a_rater(made: Key, tmp_path: Path) -> None:
    first = raters.written(tmp_path, "a.json", given(made))
    other = raters.written(tmp_path, "b.json", with_answer(made, 0, called="generated"))
    with pytest.raises(
        RequestError, match=r"a\.json and .*b\.json are both of rater 'anna'; expected one file a rater"
    ):
        answers.read([first, other], made)


def test_a_link_to_answers_is_followed(made: Key, tmp_path: Path) -> None:
    path = raters.written(tmp_path, "a.json", given(made))
    (tmp_path / "link.json").symlink_to(path)
    assert [each.rater for each in answers.read([tmp_path / "link.json"], made)] == ["anna"]


def test_times_are_kept_and_change_no_score(made: Key, tmp_path: Path) -> None:
    slow = with_answer(made, 3, answered_ms=1e6, shown_ms=5)
    (read,) = answers.read([raters.written(tmp_path, "a.json", slow)], made)
    assert (read.answers[3].answered_ms, read.answers[3].shown_ms) == (1e6, 5)
    (quick,) = answers.read([raters.written(tmp_path, "b.json", given(made))], made)
    assert outcome.score(made, [read]) == outcome.score(made, [quick])


# What they come to ---------------------------------------------------------------------------------------------------


def study(made: Key, people: int, folder: Path) -> tuple[list[dict[str, Any]], outcome.StudyScores]:
    rng = np.random.default_rng(0)
    given = [raters.answers(made, f"rater {i}", RATES, rng) for i in range(people)]
    paths = [raters.written(folder, f"{i}.json", each) for i, each in enumerate(given)]
    return given, outcome.score(made, answers.read(paths[::-1], made))


def test_scores_are_counts_of_answers(made: Key, tmp_path: Path) -> None:
    given, found = study(made, 6, tmp_path)
    for score in found.scores:
        source = "" if score.kind == "real" else score.source
        counted = sum(
            answer["called"] == "real" and made.items[answer["item"]].source == source
            for each in given
            for answer in each["answers"]
        )
        n = 6 * sum(place.source == source for place in made.items)
        assert (score.called_real, score.answers) == (counted, n)
        interval = binomtest(counted, n).proportion_ci(method="wilson")
        assert score.wilson == pytest.approx((interval.low, interval.high))
        assert score.error_rate == pytest.approx((n - counted if source == "" else counted) / n)
        assert score.over_raters[0] <= score.share <= score.over_raters[1]


@pytest.mark.parametrize(
    ("kinds", "first", "expected"),
    [
        ({VAE: "ours", FITTED: "ours"}, VAE, [VAE, FITTED, ""]),
        ({VAE: "ours", FITTED: "ours"}, FITTED, [FITTED, VAE, ""]),
        ({VAE: "ours", FITTED: "reference"}, FITTED, [VAE, FITTED, ""]),
    ],
)
def test_who_deceives_best_comes_first_then_references_and_real_images_last(
    kinds: dict[str, str], first: str, expected: list[str], made: Key
) -> None:
    called = ["real" if item.source == first else "generated" for item in made.items]
    given = answers.Answers(**raters.of_calls(made, "anna", called))
    found = outcome.score(made.model_copy(update={"kinds": kinds}), [given])
    assert [score.source for score in found.scores] == expected


def test_neither_the_order_of_answers_nor_of_files_matters(made: Key, tmp_path: Path) -> None:
    given, found = study(made, 4, tmp_path)
    for i, each in enumerate(given):
        raters.written(tmp_path, f"{9 - i}.json", {**each, "answers": each["answers"][::-1]})
    again = answers.read([tmp_path / f"{9 - i}.json" for i in (2, 0, 3, 1)], made)
    assert outcome.score(made, again) == found


def test_one_rater_has_no_interval_over_raters(made: Key, tmp_path: Path) -> None:
    _, found = study(made, 1, tmp_path)
    assert {score.over_raters for score in found.scores} == {None}
    shown = outcome_table.table(found)
    assert {row.cells[3] for row in shown.rows} == {"-"}
    assert not any("Over raters" in line for line in shown.caption)


def test_intervals_hold_the_true_rates_of_simulated_raters(made: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genbench.study.intervals.DRAWS", 10)  # none of these intervals is looked at
    rng = np.random.default_rng(0)
    held: list[bool] = []
    for _ in range(100):
        given = [answers.Answers(**raters.answers(made, f"rater {i}", RATES, rng)) for i in range(8)]
        found = outcome.score(made, given)
        held += [s.wilson[0] <= RATES[s.source] <= s.wilson[1] for s in found.scores]
    assert 0.90 <= np.mean(held) <= 0.99


def test_the_table_says_what_was_asked_of_whom(made: Key, tmp_path: Path) -> None:
    _, found = study(made, 3, tmp_path)
    shown = outcome_table.table(found)
    assert shown.title == "User study on digits, called real, % of answers, higher is better"
    assert [row.cells[0] for row in shown.rows] == [VAE, FITTED, "real images"]
    assert [row.aside for row in shown.rows] == [False, True, True]
    best = found.scores[0]
    assert shown.rows[0].cells[1] == f"{100 * best.called_real / 18:.1f}"
    caption = " ".join(shown.caption)
    assert f"3 raters, 20 answers each; study {made.study}." in caption
    assert f"Protocol user-study {made.design.id}: 8x8 pixels shown 32 times as wide; each until it is" in caption
    assert "of fewer than 5 it is too narrow" in caption
    assert "too narrow" not in " ".join(outcome_table.table(study(made, 5, tmp_path)[1]).caption)


def test_the_frame_has_every_figure_in_its_column(made: Key, tmp_path: Path) -> None:
    _, found = study(made, 3, tmp_path)
    frame = outcome_table.frame(found)
    assert list(frame) == list(STUDY)
    first, score = frame.iloc[0], found.scores[0]
    assert (first.model, first.kind, first.images, first.raters, first.answers) == (VAE, "ours", 6, 3, 18)
    assert (first.called_real, first.wilson_low, first.raters_high) == (
        score.share,
        score.wilson[0],
        score.over_raters[1],
    )
    assert set(frame.protocol_id) == {made.design.id}
    assert set(frame.dataset_digest) == {made.design.dataset_digest}
    assert json.loads((tmp_path / "study.key.json").read_text())["study"] == frame.study[0]


def test_what_a_key_calls_its_models_is_safe_to_show(made: Key) -> None:
    odd = "\x1b[31mgan\n"
    items = [item.model_copy(update={"source": odd if item.source == VAE else item.source}) for item in made.items]
    design = made.design.model_copy(update={"dataset": odd})
    key = made.model_copy(update={"items": items, "kinds": {odd: "ours", FITTED: "ours"}, "design": design})
    found = outcome.score(key, [answers.Answers(**given(made))])
    for text in (repr(outcome_table.table(found)), to_csv(outcome_table.frame(found)).replace("\r\n", "")):
        assert "[31mgan" in text
        assert "\\x1b" not in text
        assert text.isprintable()

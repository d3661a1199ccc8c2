"""Studies made of stored trials: what is in page and key, and what is refused."""

import base64
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from studies import BELL, COLOUR, FITTED, VAE, shown

import genbench
from genbench import files
from genbench.errors import RequestError, StoreError
from genbench.study import key
from genbench.study.making import Request, make
from genbench.trial import packing
from genbench_plugins.datasets.digits import Digits

DIGITS = ["digits"]


def of(result: key.Key) -> Counter[str]:
    return Counter(place.source for place in result.items)


def samples(results: Path, trial: str) -> tuple[dict[str, Any], torch.Tensor]:
    """Return a trial's record and the samples in its file."""
    folder = next((results / "trials").glob(f"*{trial}"))
    file = next((folder / "samples").glob("*.safetensors"))
    return json.loads((folder / "trial.json").read_text()), packing.unpacked(load_file(file), file)


# What is made --------------------------------------------------------------------------------------------------------


def test_each_image_is_the_one_that_the_key_says(results: Path, made: key.Key, tmp_path: Path) -> None:
    held, real = shown(tmp_path / "study.html"), torch.as_tensor(Digits().load(tmp_path).test.images)
    for places, pixels in ((made.items, held["items"]), (made.practice, held["practice"])):
        for place, text in zip(places, pixels, strict=True):
            if place.source:
                record, drawn = samples(results, place.trial)
                assert record["model"]["label"] == place.source
            image = drawn[place.row] if place.source else real[place.row]
            assert list(base64.b64decode(text)) == (255 * image.double()).round().flatten().tolist()


def test_counts_are_those_asked_for_and_no_image_comes_twice(made: key.Key) -> None:
    assert of(made) == {VAE: 6, FITTED: 6, "": 8}
    assert Counter(place.source for place in made.practice) == {VAE: 1, FITTED: 2, "": 2}
    everywhere = [(place.source, place.trial, place.row) for place in (*made.items, *made.practice)]
    assert len(set(everywhere)) == len(everywhere)


def test_every_training_seed_of_a_model_has_its_share(made: key.Key) -> None:
    trials = Counter(place.trial for place in made.items if place.source == VAE)
    assert list(trials.values()) == [3, 3]


def test_by_default_references_are_left_out_and_half_of_the_images_are_real(results: Path, tmp_path: Path) -> None:
    made = make(results, tmp_path / "study.html", Request(datasets=DIGITS, per_model=7))
    assert of(made) == {VAE: 7, "": 7}
    assert made.kinds == {VAE: "ours"}
    assert made.design.scale == 256 // 8


def test_the_same_request_gives_the_same_bytes_and_may_be_made_again(results: Path, tmp_path: Path) -> None:
    pages = [tmp_path / "a.html", tmp_path / "b.html"]
    request = Request([VAE], practice=3)
    for page in (*pages, pages[0]):
        torch.rand(3)
        make(results, page, request)
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert key.beside(pages[0]).read_bytes() == key.beside(pages[1]).read_bytes()


def test_the_seed_chooses_real_images_and_the_order(results: Path, tmp_path: Path) -> None:
    made = [make(results, tmp_path / f"{seed}.html", Request([VAE], seed=seed)) for seed in range(3)]
    orders = [[bool(place.source) for place in each.items] for each in made]
    chosen = [frozenset(place.row for place in each.items if not place.source) for each in made]
    assert len({tuple(order) for order in orders}) == len(set(chosen)) == 3
    assert len({each.design.id for each in made}) == 1
    assert all(0 < sum(order[:20]) < 20 for order in orders)  # neither kind comes first


def test_colours_are_shown_within_the_data_s_bounds(results: Path, tmp_path: Path) -> None:
    made = make(results, tmp_path / "study.html", Request([FITTED], [COLOUR], per_model=2, real=4, practice=0))
    held = shown(tmp_path / "study.html")
    assert held["shape"] == [3, 32, 32]
    place = next(place for place in range(6) if made.items[place].source)
    drawn = samples(results, made.items[place].trial)[1][made.items[place].row]
    expected = (255 * (drawn.double() + 1) / 4).round().permute(1, 2, 0)  # values of these data are -1 to 3
    assert list(base64.b64decode(held["items"][place])) == expected.flatten().tolist()


def test_trials_that_differ_in_more_than_their_seed_are_models_of_their_own(results: Path, tmp_path: Path) -> None:
    genbench.run(VAE, "parzen[samples=10]", budget="1steps", seeds=1, reference="none", results=tmp_path / "results")
    shutil.copytree(results, tmp_path / "results", dirs_exist_ok=True)
    made = make(tmp_path / "results", tmp_path / "study.html", Request([VAE], per_model=2, practice=0))
    assert sorted(re.sub(r"[0-9a-f]{12}", "ID", label) for label in made.kinds) == [f"{VAE} (ID)", f"{VAE} (ID)"]
    assert sorted(of(made).values()) == [2, 2, 4]


def test_the_protocol_is_all_that_answers_depend_on(results: Path, tmp_path: Path) -> None:
    changed = [{}, {"exposure": 250}, {"feedback": True}, {"scale": 3}, {"per_model": 5}, {"real": 4}, {"practice": 0}]
    made = [make(results, tmp_path / f"{i}.html", Request([VAE], **each)) for i, each in enumerate(changed)]
    assert len({each.design.id for each in made}) == len({each.study for each in made}) == len(changed)
    assert "each for 250 ms, then a mask" in made[1].design.in_words()


# What is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request([FITTED]), r"models of several datasets: .*digits.*; expected those of one: --dataset "),
        (Request([VAE], real=496), r"501 real images, with those of practice; expected at most 500, .* smaller --real"),
        (Request(["vea"]), r"no model or trial 'vea' in .* Did you mean vae\?"),
        (Request(datasets=[COLOUR]), r"no model but references; to show these: --models gaussian"),
        (Request([FITTED], [BELL]), r"Bell has single values; expected images to show"),
    ],
)
def test_what_cannot_be_shown(request_: Request, message: str, results: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=message):
        make(results, tmp_path / "study.html", request_)
    assert not list(tmp_path.iterdir())


def test_data_in_a_file_are_to_be_named(results: Path, tmp_path: Path) -> None:
    trial = next(path.name for path in (results / "trials").iterdir() if "noise" in path.name.lower())
    with pytest.raises(
        RequestError, match=r"Noise is code in a file, which is run only where you name it: give --data"
    ):
        make(results, tmp_path / "study.html", Request([trial]))


def test_a_model_that_cannot_sample_is_named(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> torch.Tensor:
        raise OverflowError("too much")

    monkeypatch.setattr("genbench_plugins.models.vae.VAE.sample", fail)
    message = r"no images of vae\[epochs=1\] on digits, seed 0: OverflowError: too much; choose other models"
    with pytest.raises(RequestError, match=message):
        make(results, tmp_path / "study.html", Request([VAE], per_model=4000, real=5))


def test_images_made_elsewhere_are_shown_as_far_as_there_are_some(tmp_path: Path) -> None:
    np.save(tmp_path / "ours.npy", np.random.default_rng(0).random((12, 1, 8, 8), dtype=np.float32))
    sources = {"ours": tmp_path / "ours.npy"}
    genbench.evaluate(sources, metrics="parzen[samples=10]", reference="none", results=tmp_path / "results")
    made = make(tmp_path / "results", tmp_path / "study.html", Request(per_model=7))
    assert of(made) == {"ours": 7, "": 7}
    with pytest.raises(
        RequestError, match=r"ours on digits, seed 0 has 12 images; expected 13, with those of practice"
    ):
        make(tmp_path / "results", tmp_path / "other.html", Request(per_model=8))


def test_the_key_of_another_study_is_kept(results: Path, made: key.Key, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(
        RequestError, match=r"study\.key\.json is the key of another study, whose answers would be lost"
    ):
        make(results, tmp_path / "study.html", Request([VAE]))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_killed_make_leaves_no_page_without_its_key(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genbench.study.making.write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        make(results, tmp_path / "study.html", Request([VAE]))
    assert [path.name for path in tmp_path.iterdir()] == ["study.key.json"]


# The key -------------------------------------------------------------------------------------------------------------


def changed(content: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return {**content, name: value}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("study", "abc", r"study is 'abc'; expected digits 0-9 and a-f"),
        ("seed", -1, r"seed is -1; expected a whole number from 0"),
        ("items", [], r"is of no study: its items are not those that its design says"),
        ("kinds", {VAE: "ours"}, r"is of no study: its items are not those that its design says"),
        ("more", 1, r"it has more, which is unknown"),
    ],
)
def test_a_key_that_is_none(name: str, value: Any, message: str, made: key.Key, tmp_path: Path) -> None:
    path = tmp_path / "study.key.json"
    files.write_record(path, changed(files.read_record(path), name, value))
    with pytest.raises(StoreError, match=rf"study\.key\.json .*{message}"):
        key.read(path)


def test_a_key_that_was_written_is_read_as_it_was(made: key.Key, tmp_path: Path) -> None:
    assert key.read(tmp_path / "study.key.json") == made


def test_a_damaged_key_is_told(made: key.Key, tmp_path: Path) -> None:
    path = tmp_path / "study.key.json"
    path.write_text(path.read_text().replace('"real": 8', '"real": 9'))
    with pytest.raises(StoreError, match="is damaged: its content does not match its checksum"):
        key.read(path)

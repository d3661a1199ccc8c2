"""genbench verify: honest results come out again; each way to tamper with them is found, and named in one line."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forging import edit, edit_score, record_of, restamp, take
from given_images import noise, save
from places import TESTS
from trials import contents_of, shared_by_tests

import genbench
from genbench import files
from genbench.cli import main
from genbench.runs.slimming import slim

Run = Callable[[str], tuple[int, str, str]]
MODELS = "vae[batch=500,epochs=1],gaussian"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of small trials."""
    folder = tmp_path_factory.mktemp("verified") / "results"
    with shared_by_tests(tmp_path_factory):
        genbench.run(MODELS, ["parzen"], reference="kmeans,pca", samples=100, seeds=2, results=folder)
    return folder


@pytest.fixture
def verify(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that verifies in a folder with a copy of the results: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    shutil.copytree(made, "results")

    def run(line: str = "") -> tuple[int, str, str]:
        code = main(["verify", *shlex.split(line)])
        return code, *capsys.readouterr()

    return run


def trial(name: str = "vae", seed: int = 0) -> Path:
    """Return the folder of a trial, by the name that it was given."""
    return next(Path("results/trials").glob(f"{name}-*-s{seed}-*"))


def marks(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "verification.json").read_text())
    (score,) = content["scores"].values()
    found: dict[str, Any] = score["steps"]
    return found


def outcomes(folder: Path) -> dict[str, str]:
    return {step: check["outcome"] for step, check in marks(folder).items()}


# What is as it was made ----------------------------------------------------------------------------------------------


def test_honest_results_hold_and_nothing_is_changed_but_the_marks(verify: Run) -> None:
    before = contents_of(Path("results"))
    code, out, err = verify()
    assert code == 0
    assert out.splitlines()[0] == "Holds: 8 scores of 8 trials came out again, to the bit."
    rows = {line.split()[0]: line.split()[2:] for line in out.splitlines()[3:7]}
    assert list(rows) == ["gaussian", "kmeans", "pca", "vae[batch=500,epochs=1]"]
    assert all(cells == ["2/2", "-", "2/2", "2/2"] for cells in rows.values())
    assert "No model was trained again: --retrain trains one seed of each row." in out
    assert "8 trials are scored again" in err
    after = contents_of(Path("results"))
    assert {name for name in after if name not in before} == {
        f"trials/{p.name}/verification.json" for p in Path("results/trials").iterdir()
    }
    assert {name: content for name, content in after.items() if name in before} == before


def test_one_seed_of_each_row_is_trained_again(verify: Run) -> None:
    code, out, _ = verify("--retrain")
    assert code == 0
    assert re.search(r"vae\S+ +parzen\S+ +2/2 +1/1 +2/2 +2/2\n", out)
    assert outcomes(trial(seed=0)) == {"record": "same", "fit": "same", "samples": "same", "score": "same"}
    assert "fit" not in outcomes(trial(seed=1))
    assert verify("vae --retrain --seed 1")[0] == 0
    assert outcomes(trial(seed=1))["fit"] == "same"


@pytest.mark.parametrize("what", ["vae", "'vae[epochs=1,batch=500]'", "ID", "FOLDER"])
def test_rows_and_trials_are_found_as_figures_finds_them(verify: Run, what: str) -> None:
    named = {"ID": trial().name.rpartition("-")[2][:6], "FOLDER": str(trial())}.get(what, what)
    code, out, _ = verify(named)
    assert code == 0
    assert f"Holds: {'1 score of 1 trial' if what in ('ID', 'FOLDER') else '2 scores of 2 trials'} came out" in out


def test_a_later_look_keeps_what_an_earlier_one_found(verify: Run) -> None:
    verify("vae --retrain")
    verify("vae")
    assert outcomes(trial()) == {"record": "same", "fit": "same", "samples": "same", "score": "same"}


def test_the_export_has_a_row_for_each_step(verify: Run) -> None:
    code, out, _ = verify("pca --format json")
    rows = json.loads(out)
    assert (code, len(rows)) == (0, 6)
    assert {(row["step"], row["outcome"]) for row in rows} == {
        ("record", "same"), ("samples", "same"), ("score", "same"),
    }  # fmt: skip


def test_scores_on_validation_images_are_held_to_those(verify: Run) -> None:
    main(["run", "--models", "kmeans", "--metric", "parzen[samples=100]", "--reference", "none", "--seeds", "1", "--target", "valid", "--quiet"])  # fmt: skip
    code, out, _ = verify(f"{trial('kmeans')} --retrain")
    assert code == 0
    assert "Holds: 2 scores of 1 trial came out again, to the bit.\n" in out
    assert re.search(r"kmeans +parzen\S+ on valid +1/1", out)
    kept = json.loads((trial("kmeans") / "verification.json").read_text())["scores"]
    assert len(kept) == 2


@pytest.mark.slow
def test_workers_verify_side_by_side(verify: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENBENCH_ENGINE")
    code, out, err = verify("vae --retrain --jobs 2")
    assert code == 0
    assert re.search(r"vae\S+ +parzen\S+ +2/2 +1/1 +2/2 +2/2\n", out)
    assert "trained, drawn and scored again done" in err


@pytest.mark.slow
def test_on_a_gpu_bits_are_held_and_on_the_cpu_scores(tmp_path: Path) -> None:
    """On the stand-in for one, each command in a process of its own."""
    given = {"PYTHONPATH": str(TESTS / "standin"), "GENBENCH_STANDIN": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}

    def genbench_on_gpu(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "genbench", *words]
        return subprocess.run(
            command, cwd=tmp_path, env=os.environ | given, capture_output=True, text=True, check=False
        )

    run = genbench_on_gpu("run", "--models", "vae[batch=500,epochs=1]", "--reference", "none", "--samples", "100", "--seeds", "1", "--device", "cuda", "--quiet")  # fmt: skip
    assert run.returncode == 0, run.stderr
    there = genbench_on_gpu("verify", "--retrain")
    assert there.returncode == 0, there.stdout + there.stderr
    assert re.search(r"vae\S+ +parzen\S+ +1/1 +1/1 +1/1 +1/1\n", there.stdout)
    here = genbench_on_gpu("verify", "--device", "cpu")
    assert here.returncode == 1
    assert "random numbers are others: it ran on device cuda" in " ".join(here.stdout.split())
    assert re.search(r"vae\S+ +parzen\S+ +1/1 +- +0/1 +1/1\n", here.stdout)


# What was tampered with ----------------------------------------------------------------------------------------------


def swapped_shard() -> None:
    take(trial(seed=1), trial(), "samples/*.safetensors")


def swapped_shard_and_stamps() -> None:
    swapped_shard()
    restamp(trial())


def swapped_shard_and_score() -> None:
    take(trial(seed=1), trial(), "metrics/*")
    swapped_shard_and_stamps()


def swapped_shard_but_not_what_was_scored() -> None:
    swapped_shard()

    def list_it(record: dict[str, Any]) -> None:
        kept = record["stages"]["samples"]["files"]
        record["stages"]["samples"]["files"] = {name: files.stamp(trial() / name) for name in kept}

    edit(trial(), list_it)


def swapped_model() -> None:
    take(trial(seed=1), trial(), "model.safetensors")


def swapped_model_and_stamps() -> None:
    swapped_model()
    restamp(trial())


def edited_score() -> None:
    edit_score(trial(), value=99.5)


def edited_error() -> None:
    edit_score(trial(), stderr=0.001)


def edited_extra() -> None:
    edit_score(trial(), extras={"sigma": 0.1})


def edited_values_per_image() -> None:
    take(trial(seed=1), trial(), "metrics/*.safetensors")
    restamp(trial())


def edited_seed() -> None:
    def other(record: dict[str, Any]) -> None:
        record["seed"] = record["identity"]["seed"] = 7

    edit(trial(), other)


def edited_options() -> None:
    edit(trial(), lambda record: record["identity"]["model"]["options"].update(sigma=0.3))


def edited_options_and_model() -> None:
    def other(record: dict[str, Any]) -> None:
        for options in (record["identity"]["model"]["options"], record["model"]["options"]):
            options["sigma"] = 0.3

    edit(trial(), other)


def turned_metric() -> None:
    def other(record: dict[str, Any]) -> None:
        for request in record["wanted"].values():
            request["metric"]["traits"]["higher_is_better"] = False

    edit(trial(), other)


def other_kind() -> None:
    edit(trial(), lambda record: record["model"]["traits"].update(samples_are="draws"))


ATTACKS = {
    swapped_shard: ("files", "samples/00000-00000.safetensors is damaged: its content does not match its checksum"),
    swapped_shard_and_stamps: ("drawn", "1,000 of 1,000 samples are not what the stored model draws"),
    swapped_shard_and_score: ("drawn", "1,000 of 1,000 samples are not what the stored model draws"),
    swapped_shard_but_not_what_was_scored: ("files", "was scored of other samples than are stored"),
    swapped_model: ("files", "model.safetensors is damaged: its content does not match its checksum"),
    swapped_model_and_stamps: ("drawn", "1,000 of 1,000 samples are not what the stored model draws"),
    edited_score: ("scored", "value came out otherwise: 99.5 stored, -"),
    edited_error: ("scored", "stderr came out otherwise"),
    edited_extra: ("scored", "sigma came out otherwise"),
    edited_values_per_image: ("scored", "values per test image came out otherwise"),
    edited_seed: ("drawn", "1,000 of 1,000 samples are not what the stored model draws"),
    edited_options: ("files", "its model's options are not those of its identity: the record was changed"),
    edited_options_and_model: ("files", "its label stands for sigma 0.15, its identity for 0.3"),
    turned_metric: ("files", "higher_is_better: False; here it is True"),
    other_kind: ("files", "samples_are: draws; here it is means"),
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_was_tampered_with_is_named_in_a_line(verify: Run, attack: Callable[[], None]) -> None:
    step, words = ATTACKS[attack]
    attack()
    code, out, _ = verify(str(trial()))
    assert code == 1
    assert out.startswith("DIFFERS: 1 of 1 score of 1 trial.")
    told = [line for line in out.splitlines() if line.startswith(" ! ")]
    assert any(
        line.startswith(" ! vae[batch=500,epochs=1] on digits, seed ") and f": {step}: " in line and words in line
        for line in told
    ), told
    assert "Traceback" not in out


def test_a_seed_that_was_run_with_other_options_is_found_by_training_it_again(verify: Run) -> None:
    def other(record: dict[str, Any]) -> None:
        for options in (record["identity"]["model"]["options"], record["model"]["options"]):
            options["lr"] = 0.001
        record["model"]["label"] = "vae[batch=500,epochs=1,lr=0.001]"

    edit(trial(), other)
    label = "'vae[batch=500,epochs=1,lr=0.001]'"
    assert verify(label)[0] == 0, "no option that training alone sees shows in samples and scores"
    code, out, _ = verify(f"{label} --retrain")
    assert code == 1
    assert ": trained: trained again, log.jsonl and model.safetensors came out otherwise; it scores parzen" in out


def test_a_broken_identity_is_not_read(verify: Run) -> None:
    record = record_of(trial())
    record["seed"] = 5
    files.write_record(trial() / "trial.json", record)
    code, out, _ = verify()
    assert code == 1
    assert "not read: " in out
    assert "is of no trial: its seed is not what its identity says" in out


# What cannot be checked ----------------------------------------------------------------------------------------------


def test_a_slim_copy_says_what_it_lacks_and_can_be_trained_again(verify: Run) -> None:
    slim(Path("results"), Path("copy"))
    code, out, _ = verify("vae --results copy")
    assert code == 1
    assert out.startswith("Nothing could be checked of 2 scores of 2 trials.")
    assert "drawn: its weights were not kept" in out
    assert "scored: its samples were not kept" in out
    code, out, _ = verify("vae --results copy --retrain")
    assert code == 1
    assert out.startswith("1 of 2 scores of 2 trials came out again, to the bit; 1 could not be checked.")


def test_without_weights_the_samples_that_were_kept_are_scored(verify: Run) -> None:
    main(["run", "--models", MODELS, "--metric", "parzen[samples=100]", "--reference", "none", "--seeds", "2", "--keep", "samples", "--quiet"])  # fmt: skip
    code, out, _ = verify("vae")
    assert code == 1
    assert "2 of 2 scores of 2 trials came out again, to the bit; of 2 not every step could be checked.\n" in out
    assert "drawn: its weights were not kept" in out
    edit_score(trial(), value=1.0)
    assert verify("vae")[1].startswith("DIFFERS: 1 of 2 scores of 2 trials.")


def test_without_weights_no_model_is_trained_for_a_score_of_the_model(verify: Run) -> None:
    main(["run", "--models", "vae[batch=500,epochs=1]", "--metric", "parzen[samples=100],bound", "--reference", "none", "--seeds", "1", "--keep", "samples", "--quiet"])  # fmt: skip
    code, out, _ = verify(str(trial()))
    assert code == 1
    assert "1 of 2 scores of 1 trial came out again, to the bit" in out
    assert "bound: scored: it could not be computed again: its weights were not kept" in out


def test_elsewhere_scores_may_differ_by_rounding_and_no_more(verify: Run) -> None:
    there = trial("gaussian")
    stored = json.loads(next(there.glob("metrics/*.json")).read_text())["value"]
    edit(there, lambda record: record["environment"].update(torch="1.0"))
    edit_score(there, value=stored * (1 + 1e-7))
    code, out, _ = verify(there.name.rpartition("-")[2])
    assert code == 0
    assert "1 within the rounding of another device" in out
    assert "it ran on torch 1.0" in out
    edit_score(there, value=stored + 0.1)
    code, out, _ = verify(there.name.rpartition("-")[2])
    assert code == 1
    assert re.search(r"scored: value came out otherwise: .* beyond .* \(it ran on torch 1\.0\)", out)


def test_what_a_gpu_drew_is_scored_here_and_not_drawn(verify: Run) -> None:
    there = trial("kmeans")
    edit(there, lambda record: record["environment"].update(device="cuda", device_name="H100"))
    code, out, _ = verify(f"{there} --device cpu")
    assert code == 1
    assert out.startswith("1 of 1 score of 1 trial came out again, to the bit; of 1 not every step could be checked.")
    assert "drawn: drawn on another kind of device, whose random numbers are others: it ran on device cuda, H100" in out
    assert outcomes(there) == {"record": "same", "samples": "unchecked", "score": "same"}


def test_who_says_that_a_gpu_drew_them_gets_no_verdict_for_that(verify: Run) -> None:
    swapped_shard_and_score()
    edit(trial(), lambda record: record["environment"].update(device="cuda", device_name="H100"))
    code, out, _ = verify(f"{trial()} --device cpu")
    assert code == 1
    assert "Holds" not in out


def test_older_code_is_no_proof(verify: Run) -> None:
    edit(trial(), lambda record: record["model"].update(code="0" * 16))
    swapped_model_and_stamps()
    code, out, _ = verify("vae")
    assert code == 1
    assert "vae is other code here than it was trained by: a difference is then no proof of anything" in out


def test_a_metric_that_is_not_here_is_said(verify: Run) -> None:
    def gone(record: dict[str, Any]) -> None:
        for request in record["wanted"].values():
            request["metric"]["label"] = "parsen"

    edit(trial(), gone)
    code, out, _ = verify(str(trial()))
    assert code == 1
    assert out.startswith("Nothing could be checked of 1 score of 1 trial.")
    assert "unknown metric 'parsen'" in out


def test_what_failed_or_was_refused_has_its_reason(verify: Run) -> None:
    main(["run", "--models", "kmeans", "--metric", "log-likelihood", "--reference", "none", "--seeds", "1", "--quiet"])  # fmt: skip
    code, out, _ = verify("kmeans --metric log-likelihood")
    assert code == 1
    assert "There is no score to check.\n" in out
    assert re.search(r"no score: kmeans on digits, seed 0, log-likelihood: \S+", out)


def test_a_training_that_was_timed_is_not_held_to_its_weights(verify: Run) -> None:
    main(["run", "--models", "vae[batch=500,epochs=1]", "--reference", "none", "--samples", "100", "--seeds", "2", "--budget", "60s", "--results", "timed", "--quiet"])  # fmt: skip
    shutil.rmtree("results")
    Path("timed").rename("results")
    swapped_model_and_stamps()
    code, out, _ = verify(f"{trial()} --retrain")
    assert code == 1
    assert "trained: its budget is in seconds, which no training keeps to the step; it scores parzen" in out
    assert "! vae[batch=500,epochs=1] on digits, seed 0: drawn: 1,000 of 1,000 samples" in out


SHAKY = """
import os
from dataclasses import dataclass
import genbench
import torch

@dataclass(eq=False)
class Shaky(genbench.Model):
    \"\"\"Draws other samples each time.\"\"\"

    def build(self, space, device):
        self.space = space

    def fit(self, data, run):
        self.mean_ = data.train.images.mean(0)

    def sample(self, n, generator):
        other = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big"))
        return torch.rand((n, *self.space.shape), generator=other)
"""


def test_a_model_that_does_not_repeat_itself_is_not_accused(verify: Run) -> None:
    Path("shaky.py").write_text(SHAKY)
    main(["run", "--models", "./shaky.py:Shaky", "--metric", "parzen[samples=100]", "--reference", "none", "--seeds", "1", "--quiet"])  # fmt: skip
    code, out, _ = verify("./shaky.py:Shaky")
    assert (code, outcomes(trial("shaky"))) == (1, {"record": "same", "samples": "unchecked", "score": "same"})
    assert "drawn: its model draws other samples each time, from the same random numbers" in out
    code, out, _ = verify("--metric parzen[samples=100]")
    assert code == 1
    assert "is code in a file, which is run only where you name it: give ./shaky.py:Shaky" in out


def test_images_made_elsewhere_are_read_again_where_they_are(verify: Run) -> None:
    save("ours.npz", noise(300))
    main(["evaluate", "ours=ours.npz", "--metric", "parzen", "--reference", "none", "--quiet"])
    code, out, _ = verify("ours --retrain")
    assert code == 0
    assert outcomes(trial("ours")) == {"record": "same", "samples": "same", "score": "same"}
    os.remove("ours.npz")
    code, out, _ = verify("ours")
    assert code == 1
    assert out.startswith("1 of 1 score of 1 trial came out again, to the bit; of 1 not every step could be checked.")
    assert "drawn: the images given are not there as they were" in out


# Wrong use -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    {
        "vea": "no model or trial 'vea' in results. Did you mean",
        "vae --metric fid": "no score by 'fid'; expected some of: parzen",
        "vae --seed 1": "--seed 1: it says which seed to train again; expected --retrain too",
        "vae --retrain --seed 9": "--seed 9: no trial has it; expected one of: 0, 1",
        "vae --device gpu": "--device 'gpu': expected auto, cpu, cuda or cuda:N",
        "--results nowhere": "no results in nowhere",
    }.items(),
)
def test_wrong_use_is_refused_in_one_line(verify: Run, line: str, said: str) -> None:
    code, out, err = verify(line)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1

"""What is read is what was written: flipped bits, swapped files, pipes and devices in the place of files."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import genbench
from genbench import files, waiting
from genbench.api import Dataset, Split, Splits
from genbench.cli import main
from genbench.data.cache import Prepared, _known_parts, prepare
from genbench.data.folders import cache_folder
from genbench.errors import ChangedError, DataError, Interrupted, StoreError
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import execution, stored
from genbench.store.store import Store
from genbench.trial.feature_cache import Features
from genbench_plugins.datasets.folder import FolderDataset
from genbench_plugins.datasets.npz import NpzDataset

RUN = "run --models gaussian --metric parzen[samples=100] --reference none --seeds 1 --quiet"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache of its own, and a process that knows no dataset."""
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    _known_parts.clear()


@pytest.fixture
def genbench_line(capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str]]:
    """Return a function that runs a command line: (exit code, stderr)."""

    def run(line: str) -> tuple[int, str]:
        code = main(line.split())
        return code, capsys.readouterr().err

    return run


def flip(path: Path, place: int = -1, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def digits() -> Prepared:
    found = Resolver(load_registry(), cache_folder()).resolve("dataset", "digits")
    return prepare(found.instantiate(), found.identity)


def scores(results: str) -> dict[str, float]:
    return {row.model.label: row.value for row in stored.collect(Store(Path(results))).rows}


# Prepared data --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["inline", "process"])
@pytest.mark.parametrize("name", ["train-images", "valid-images", "test-images", "test-labels"])
def test_one_bit_of_prepared_data_is_noted_and_mended(name: str, engine: str) -> None:
    if engine == "process" and name != "test-images":
        pytest.skip("one array is enough to see that workers look")
    asked: dict[str, Any] = {"models": "gaussian", "metrics": "parzen[samples=100]", "reference": "none", "seeds": 1}
    execution.run(**asked, results="whole")
    flip(digits().folder / f"{name}.npy", -3, 6)
    _known_parts.clear()
    report = execution.run(**asked, results="flipped", engine=engine)
    assert scores("flipped") == scores("whole")
    (note,) = report.notes
    assert re.search(r"'digits': prepared in .*, but its content has digest \w{16}.*; it was prepared again", note)
    digits().verify()
    assert execution.run(**asked, results="after").notes == []


def test_what_changes_after_it_was_looked_at_is_not_used() -> None:
    data = digits()
    data.split("train")
    flip(data.folder / "train-images.npy")
    with pytest.raises(ChangedError, match=r"train-images.npy changed while it was in use; start again"):
        data.split("train")
    data.split("valid")


def test_a_split_is_memory_of_its_own() -> None:
    @dataclass(eq=False)
    class Floats(Dataset):
        def load(self, folder: Path) -> Splits[Any]:
            part = Split(np.full((5, 1, 2, 2), 0.5, np.float32))
            return Splits(part, part, part)

    data = prepare(Floats(), {"name": "floats"})
    before = data.split("test").images
    with (data.folder / "test-images.npy").open("r+b") as file:
        file.seek(-16, os.SEEK_END)
        file.write(np.ones(4, np.float32).tobytes())
    assert before.eq(0.5).all()


def test_a_manifest_that_names_another_digest_is_not_believed() -> None:
    data = digits()
    record = files.read_record(data.folder / "manifest.json")
    files.write_record(data.folder / "manifest.json", {**record, "digest": "0" * 64})
    with pytest.raises(DataError, match=r"its content has digest \w{16}, expected 0{16}"):
        digits().split("test")


def test_a_finished_run_reads_no_array(monkeypatch: pytest.MonkeyPatch, genbench_line) -> None:
    assert genbench_line(RUN)[0] == 0
    monkeypatch.setattr(Prepared, "_read", lambda *_: pytest.fail("an array was read"))
    assert genbench_line(RUN)[0] == 0


# Original files -------------------------------------------------------------------------------------------------------


def swapped(path: Path, content: bytes) -> None:
    """Replace a file's content by as many bytes, at the time that it had."""
    told = path.stat()
    assert len(content) == told.st_size
    path.write_bytes(content)
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))


def npz(x: int) -> bytes:
    images = np.full((6, 4, 4), x, np.uint8)
    np.savez("made.npz", x_train=images, x_test=images)
    return Path("made.npz").read_bytes()


def test_an_archive_of_equal_size_and_time_is_another() -> None:
    first, other = npz(1), npz(2)
    dataset = NpzDataset("made.npz")
    Path("made.npz").write_bytes(first)
    before = prepare(dataset, {"name": "npz"})
    swapped(Path("made.npz"), other)
    assert prepare(dataset, {"name": "npz"}).digest != before.digest


def test_a_picture_of_equal_size_and_time_is_another() -> None:
    Path("folder").mkdir()
    for i in range(4):
        Image.new("L", (4, 4), i).save(f"folder/{i}.bmp")
    dataset = FolderDataset("folder")
    before = prepare(dataset, {"name": "folder"})
    content = Path("folder/2.bmp").read_bytes()
    swapped(Path("folder/2.bmp"), content[:-4] + b"\x07\x07\x07\x07")
    assert prepare(dataset, {"name": "folder"}).digest != before.digest


@pytest.mark.parametrize("kind", ["mnist", "tfd"])
def test_original_files_of_equal_size_and_time_are_others(kind: str) -> None:
    from genbench_plugins.datasets.mnist import MNIST
    from genbench_plugins.datasets.tfd import TFD

    dataset: Any = MNIST() if kind == "mnist" else TFD()
    path = Path("MNIST/raw/train-labels-idx1-ubyte" if kind == "mnist" else TFD().file)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one")
    before = dataset.fingerprint(Path.cwd())
    assert dataset.fingerprint(Path.cwd()) == before != ""
    swapped(path, b"two")
    assert dataset.fingerprint(Path.cwd()) != before


def test_a_plugin_of_equal_size_and_time_is_another(install: Callable[[str, str], str]) -> None:
    source = """
import genbench
from dataclasses import dataclass

@genbench.hookimpl
def register_models(register):
    register("swapped", f"{__name__}:Swapped", summary="s")

@dataclass(eq=False)
class Swapped(genbench.Model):
    version = 1
    samples_are = "draws"
    def build(self, space, device): ...
    def fit(self, data, run): ...
    def sample(self, n, generator): ...
"""
    module = install("swapping", source)
    code = (
        "from genbench.registry.plugins import load_registry\nfrom genbench.registry.resolve import Resolver\n"
        "from genbench.data.folders import cache_folder\n"
        "print(Resolver(load_registry(), cache_folder()).resolve('model', 'swapped').traits['samples_are'])"
    )

    def resolved() -> str:
        environment = {**os.environ, "PYTHONPATH": str(Path("site").absolute()), "PYTHONDONTWRITEBYTECODE": "1"}
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        return told.stdout.strip()

    assert resolved() == resolved() == "draws"
    swapped(Path("site", f"{module}.py"), source.replace("draws", "means").encode())
    assert resolved() == "means"


# What the cache holds -------------------------------------------------------------------------------------------------


def test_a_resolution_under_another_name_is_not_believed() -> None:
    resolver = Resolver(load_registry(), cache_folder())
    resolver.resolve("model", "vae")
    (kept,) = (cache_folder() / "resolved").glob("*.json")
    record = files.read_record(kept)
    assert record["resolved"]["version"] < 99
    for change in ({"key": "0" * 24}, {"resolved": {**record["resolved"], "target": "os:system"}}):
        poisoned = {**record["resolved"], **change.get("resolved", {}), "version": 99}
        files.write_record(kept, {**record, **change, "resolved": poisoned})
        assert Resolver(load_registry(), cache_folder()).resolve("model", "vae").version < 99


def exchanged(paths: list[Path]) -> None:
    """Let each file stand under the next one's name."""
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)


def test_features_of_other_images_are_not_believed() -> None:
    images = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    one, other = (Features(digest, torch.device("cpu")) for digest in ("one", "other"))
    first = one.get(Twice(), "features", "test", images)
    other.get(Twice(), "features", "test", images + 1)
    exchanged(sorted((cache_folder() / "features").glob("*.safetensors")))
    assert torch.equal(one.get(Twice(), "features", "test", images), first)


@dataclass(eq=False)
class Twice(genbench.FeatureExtractor):
    """Twice the values."""

    digest = "twice"

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * images.flatten(1)


FID = {"models": "gaussian", "metrics": "fid[random,samples=200]", "reference": "none", "seeds": 1}


@pytest.mark.parametrize("damage", [lambda paths: [flip(path) for path in paths], exchanged], ids=["bit", "exchanged"])
def test_features_that_are_not_what_was_kept_are_taken_anew(damage: Callable[[list[Path]], object]) -> None:
    execution.run(**FID, results="whole")
    execution.run(**{**FID, "metrics": "fid[random,samples=200]"}, target="valid", results="valid")
    kept = sorted((cache_folder() / "features").glob("*.safetensors"))
    assert len(kept) == 3
    damage(kept)
    execution.run(**FID, results="again")
    assert scores("again") == scores("whole")


def test_weights_kept_for_other_data_are_not_taken(tmp_path: Path) -> None:
    from genbench_plugins.extractors.whole_files import read_tensors, save_tensors

    save_tensors({"w": torch.ones(3)}, tmp_path / "of-one")
    assert read_tensors(tmp_path / "of-one") is not None
    shutil.copy(tmp_path / "of-one", tmp_path / "of-another")
    assert read_tensors(tmp_path / "of-another") is None
    for place in range(len((tmp_path / "of-one").read_bytes())):
        flip(tmp_path / "of-one", place)
        found = read_tensors(tmp_path / "of-one")
        assert found is None or torch.equal(found["w"], torch.ones(3))
        flip(tmp_path / "of-one", place)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's place, which root alone may")
NOBODY = 65534


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@needs_root
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o2775])
def test_users_of_one_cache_keep_theirs_apart(
    mode: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path_factory.mktemp("shared")
    if mode & 0o2000:
        os.chown(shared, 0, NOBODY)
    shared.chmod(mode)
    monkeypatch.setenv("GENBENCH_CACHE", str(shared))
    assert cache_folder() == shared / "user-0"
    assert cache_folder().stat().st_mode & 0o777 == 0o700
    planted = shared / f"user-{NOBODY}"
    planted.mkdir(mode=0o755)  # by another user, before its owner comes
    for folder in (shared, *shared.parents):
        assert folder == Path("/") or folder.stat().st_mode
    with _reachable(shared), as_nobody(), pytest.raises(DataError, match=r"user-65534 can be written to by others"):
        cache_folder()
    planted.rmdir()
    planted.symlink_to(shared / "user-0")
    with _reachable(shared), as_nobody(), pytest.raises(DataError, match=r"user-65534 can be written to by others"):
        cache_folder()
    planted.unlink()
    with _reachable(shared), as_nobody():
        assert cache_folder() == planted
        assert planted.stat().st_uid == NOBODY


@contextlib.contextmanager
def _reachable(folder: Path) -> Iterator[None]:
    """Let everyone pass through the folders above one, which pytest makes for one user."""
    closed = [(path, path.stat().st_mode & 0o7777) for path in folder.parents if not path.stat().st_mode & 0o001]
    for path, mode in closed:
        path.chmod(mode | 0o011)
    try:
        yield
    finally:
        for path, mode in closed:
            path.chmod(mode)


@needs_root
def test_another_users_cache_is_not_believed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path_factory.mktemp("theirs")
    os.chown(theirs, NOBODY, NOBODY)
    monkeypatch.setenv("GENBENCH_CACHE", str(theirs))
    assert cache_folder() == theirs / "user-0"


def test_a_cache_of_ones_own_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine"
    monkeypatch.setenv("GENBENCH_CACHE", str(mine))
    assert cache_folder() == mine
    mine.mkdir()
    for mode in (0o700, 0o755, 0o775):  # the last of a user with a group of their own
        mine.chmod(mode)
        assert cache_folder() == mine


# Pipes and devices in the place of files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a pipe"),
        (os.mkdir, "a folder"),
        (lambda path: os.symlink("/dev/zero", path), "a device"),
        (lambda path: os.symlink(os.getcwd(), path), "a folder"),
    ],
)
def test_what_is_no_plain_file_is_not_opened(make: Callable[[str], object], kind: str) -> None:
    make("it")
    for read in (files.opened, files.read_bytes, files.read_text, files.sha256, genbench.opened):
        with pytest.raises(OSError, match=f"it is {kind}, not a plain file"):
            read("it")
    with pytest.raises(OSError, match=f"it is {kind}, not a plain file"), files.pinned("it"):
        pass
    with pytest.raises(StoreError, match="not a plain file"):
        files.read_record(Path("it"))


def test_a_link_is_followed_only_where_it_may_be() -> None:
    Path("file").write_text("text")
    os.symlink("file", "link")
    assert files.read_text("link") == "text"
    with pytest.raises(OSError, match="it is a link, not a plain file"):
        files.read_text("link", follow=False)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o20666, os.makedev(1, 3))])
def test_what_is_no_plain_file_is_not_replaced(make: Callable[[str], object]) -> None:
    try:
        make("it")
    except PermissionError:
        pytest.skip("only root may make a device")
    before = Path("it").lstat()
    with pytest.raises(StoreError, match=r"cannot write it: it is a \w+, not a plain file"):
        files.write_text(Path("it"), "text")
    assert Path("it").lstat().st_mode == before.st_mode
    assert os.listdir() == ["it"]


def test_what_is_written_aside_is_nobody_elses() -> None:
    with files.replacing(Path("new")) as aside:
        assert aside.stat().st_mode & 0o777 == 0o600
        assert aside.stat().st_size == 0
        aside.write_text("text")
    assert Path("new").read_text() == "text"


def pictures() -> None:
    Path("made").mkdir()
    for i in range(5):
        Image.new("L", (8, 8), i).save(f"made/g{i}.png")


def in_trial(name: str) -> Callable[[], None]:
    def make() -> None:
        (trial,) = Path("results/trials").iterdir()
        (trial / name).unlink(missing_ok=True)
        os.mkfifo(trial / name)

    return make


AGAIN = RUN.replace("samples=100", "samples=110")
PIPES: list[tuple[str, str, Callable[[], object], str, int]] = [
    ("picture", "data prepare folder:made", lambda: (pictures(), os.mkfifo("made/f.png")), "f.png': it is a pipe", 2),
    ("npz", "data prepare npz:p.npz", lambda: os.mkfifo("p.npz"), "npz file 'p.npz': it is a pipe", 2),
    ("suite", "run p.toml", lambda: os.mkfifo("p.toml"), "cannot read p.toml: it is a pipe", 2),
    ("plugin", "run --models ./p.py:P", lambda: os.mkfifo("p.py"), "p.py: it is a pipe", 2),
    ("images", "evaluate a=p.npy", lambda: os.mkfifo("p.npy"), "'p.npy': it is no plain file", 2),
    ("weights", f"{RUN} --metric fid[inception] --weights w", lambda: os.mkfifo("w"), "weights 'w' .*it is a pipe", 2),
    ("table", RUN, lambda: (Path("results/leaderboard.csv").unlink(), os.mkfifo("results/leaderboard.csv")), "pipe", 2),
    ("mark", f"{RUN} --fresh", lambda: os.mkfifo("results/.fresh"), "results/.fresh: it is a pipe", 2),
    ("output", AGAIN, in_trial("output.txt"), "output.txt is no plain file; .* remove it", 2),
    ("lock", AGAIN, in_trial(".lock"), r"\.lock is no plain file; .* remove it", 2),
    ("holder", AGAIN, in_trial(".holder"), r"\.holder is no plain file; .* remove it", 2),
    ("record", AGAIN, in_trial("trial.json"), "trial.json: it is a pipe", 2),
    ("model", AGAIN, in_trial("model.safetensors"), "model.safetensors is no plain file; .* remove it", 2),
    (
        "export",
        "leaderboard results --format csv -o p.csv",
        lambda: os.mkfifo("p.csv"),
        "cannot write p.csv: it is a pipe",
        2,
    ),
    ("results", RUN.replace("run", "run --results pipe"), lambda: os.mkfifo("pipe"), "pipe is no folder", 2),
    ("below", RUN.replace("run", "run --results pipe/x"), lambda: os.mkfifo("pipe"), "pipe is no folder", 2),
    ("figures", "figures gaussian -o pipe", lambda: os.mkfifo("pipe"), "cannot write pipe/.*: pipe is no folder", 2),
]


@pytest.mark.parametrize(("line", "make", "message", "code"), [row[1:] for row in PIPES], ids=[row[0] for row in PIPES])
def test_a_pipe_is_refused_in_a_line(
    line: str, make: Callable[[], object], message: str, code: int, genbench_line
) -> None:
    assert genbench_line(RUN)[0] == 0
    make()
    found, err = genbench_line(line)
    assert found == code, err
    assert re.search(message, err.splitlines()[-1]), err
    assert "unexpected" not in err


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: Path(path).write_text(""), lambda path: os.symlink("x", path)]
)
@pytest.mark.parametrize("inside", ["", "/below"])
def test_a_data_folder_that_is_none_is_told_in_a_line(
    make: Callable[[str], object], inside: str, genbench_line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network is asked here")

    make("it")
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setenv("GENBENCH_DATA", f"it{inside}")
    told = f"genbench: {Path('it').absolute()} is no folder; expected one for original files, in GENBENCH_DATA\n"
    for name in ("mnist", "cifar10", "tfd"):
        assert genbench_line(f"data prepare {name}") == (2, told)
    assert genbench_line(f"{RUN} --metric fid[inception,samples=200]") == (2, told)
    assert genbench_line(RUN)[0] == 0, "digits need no original file"


def test_a_kept_checkpoint_that_is_a_pipe_is_set_aside(tmp_path: Path) -> None:
    from genbench.store.sealed import SealedFolder

    kept = SealedFolder(tmp_path / "kept")
    kept.put("fit", 1, lambda path: path.write_text("one"))
    (one,) = (tmp_path / "kept").iterdir()
    os.mkfifo(one.with_name(one.name.replace("000000001", "000000002")))
    assert kept.newest("fit") == one


# Waits ----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock as another process does: by another opening of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_wait_is_told_with_who_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SILENT", 0.0)
    told: list[str] = []

    def stop() -> bool:
        return bool(told)

    with (
        held(tmp_path / "work.lock"),
        waiting.signed(tmp_path / "work.holder"),
        waiting.reporting_to(stop, told.append),
        pytest.raises(Interrupted, match=r"stopped while it waited for .*work\.lock"),
        waiting.saving_work(tmp_path / "work.lock"),
    ):
        pytest.fail("the lock is held")
    assert re.fullmatch(rf"waits for .*work\.lock, held by process {os.getpid()} on .* since 20.*", told[0])
    assert len(told) == 1
    assert not (tmp_path / "work.holder").exists()


def test_work_is_done_twice_rather_than_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "SILENT", 0.0)
    monkeypatch.setattr(waiting, "LONGEST", 0.0)
    with held(tmp_path / "work.lock"), waiting.saving_work(tmp_path / "work.lock"):
        pass
    assert "genbench: waits for" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["inline", "process"])
def test_one_signal_ends_a_wait_for_features(engine: str) -> None:
    command = [sys.executable, "-m", "genbench", "run", "--models", "gaussian", "--metric", "fid[random,samples=200]"]
    command += ["--reference", "none", "--seeds", "1", "--quiet", "--engine", engine, "--results"]
    subprocess.run([*command, "first"], check=True, capture_output=True)
    locks = [path.with_suffix(".lock") for path in (cache_folder() / "features").glob("*.safetensors")]
    with contextlib.ExitStack() as all_held:
        for lock in locks:
            all_held.enter_context(held(lock))
        waiter = all_held.enter_context(subprocess.Popen([*command, "second"], stderr=subprocess.PIPE, text=True))
        assert waiter.stderr
        for line in waiter.stderr:
            if "waits for" in line:
                break
        else:
            pytest.fail("it did not say that it waits")
        assert re.search(r"gaussian s0 waits for .*\.lock, held by", line)
        waiter.send_signal(signal.SIGTERM)
        rest = waiter.stderr.read()
        assert waiter.wait() == 128 + signal.SIGTERM, rest
    assert "what was under way is saved" in rest


# Words ----------------------------------------------------------------------------------------------------------------

LONG = "x" * 300


@pytest.mark.parametrize(
    "line",
    [
        f"{RUN} --results {LONG}",
        f"{RUN} --results {'/'.join(['y' * 200] * 30)}",
        f"leaderboard results -o {LONG}",
        f"leaderboard results -o {LONG}/x.csv",
        f"new plugin abc --into {LONG}",
        f"doctor --results {LONG}",
        f"data prepare npz:{LONG}",
        f"evaluate a={LONG}",
    ],
    ids=lambda line: line[:40],
)
def test_a_name_that_is_too_long_is_told_in_a_line(line: str, genbench_line) -> None:
    assert genbench_line(RUN)[0] == 0
    code, err = genbench_line(line)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert re.search("File name too long", err), err
    assert "unexpected" not in err


def test_a_long_name_of_a_file_can_be_written() -> None:
    files.write_text(Path("n" * 250), "text")
    assert Path("n" * 250).read_text() == "text"


@pytest.mark.parametrize("text", ["samples=" + "[" * 900 + "]" * 900, "[options.parzen." + ".".join("a" * 5000) + "]"])
def test_a_suite_that_is_nested_too_deep_is_told_in_a_line(text: str, genbench_line) -> None:
    Path("deep.toml").write_text(f'models = ["gaussian"]\n{text}\n')
    code, err = genbench_line("run deep.toml")
    assert (code, err) == (2, "genbench: deep.toml is nested too deep; expected at most 20 levels\n")


def limited(limit: str, line: str) -> tuple[int, str]:
    command = ["bash", "-c", f"{limit}; exec {sys.executable} -m genbench {line}"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.returncode, told.stderr


def test_too_little_address_space_is_told_in_a_line() -> None:
    code, err = limited("ulimit -v 3000000", RUN)
    assert (code, err) == (
        2,
        "genbench: 2,929 MiB of address space are too few; raise the bound (ulimit -v) to 4194304 or more\n",
    )


def test_a_working_folder_that_is_gone_is_told_in_a_line() -> None:
    code, err = limited("mkdir gone; cd gone; rmdir ../gone", RUN)
    assert (code, err) == (2, "genbench: the working folder is gone; change to one that is there (cd)\n")


def test_results_that_cannot_be_written_are_told_before_anything_is_done(genbench_line) -> None:
    Path("file").write_text("")
    code, err = genbench_line(f"{RUN} --results file/deep/results --dataset folder:nowhere")
    assert (code, err) == (
        2,
        "genbench: cannot write to file/deep/results: "
        f"{Path('file').absolute()} is no folder; expected a folder to write to, by --results\n",
    )

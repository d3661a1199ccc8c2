"""Wrong commands, files, suites and results: one clear line each, exit code 2, nothing written, nothing executed.

A row is an id, what makes the arguments in an empty working folder, and what the line must say: the value that was
wrong, and what was expected.
"""

import io
import os
import pickle
import re
import shlex
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from complaining import Trap, check_line, tree
from PIL import Image

from genbench.cli import main

Setup = Callable[[Path], list[str]]

ESCAPE = "\x1b[31m"


# Seeing what a command did


@pytest.fixture
def refused(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that runs what must be refused, in an empty folder, and checks how it is."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")

    def run(setup: Setup, message: str) -> None:
        arguments = setup(folder)
        before = tree(tmp_path)
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        assert (code, printed.out) == (2, ""), printed
        assert printed.err.startswith("genbench: "), printed.err
        check_line(printed.err, message)
        assert tree(tmp_path) == before

    return run


def rows(*table: tuple[str, Setup, str] | Any) -> list[Any]:
    """Return a table as parameters of a test."""
    return [row if hasattr(row, "marks") else pytest.param(*row[1:], id=row[0]) for row in table]


def lines(*table: tuple[str, str]) -> list[Any]:
    """Return parameters for command lines that need no file."""
    return [pytest.param(typed(line), message, id=ascii(line)[:90]) for line, message in table]


def typed(line: str) -> Setup:
    return lambda folder: shlex.split(line)


def toy_with(rest: str) -> Setup:
    return typed(f"run --models toy {rest}")


# Commands and flags ---------------------------------------------------------------------------------------------------

COMMANDS = lines(
    ("rn", r"unknown command 'rn'. Did you mean run\?"),
    ("Run", r"unknown command 'Run'. Did you mean run\?"),
    ("leaderbord", r"unknown command 'leaderbord'. Did you mean leaderboard\?"),
    ("''", "unknown command ''. See: genbench --help"),
    (f"'{ESCAPE}run'", r"unknown command '\[31mrun'. See: genbench --help"),
    ("--versoin", "--versoin.*--version.* See: genbench --help"),
    ("-x", "-x.* See: genbench --help"),
    ("--seeds 3", "--seeds.* See: genbench --help"),
    ("run", "no model given; expected --models NAME or a suite. See: genbench list models"),
    ("run --models", "--models.* requires an argument"),
    ("run --models ''", "no model given; expected --models NAME"),
    ("run --models ,", "no model given; expected --models NAME"),
    ("run --modles toy", "--modles.*--models.*See: genbench run --help"),
    ("run --models toy --quite", "--quite.*--quiet"),
    ("run --models toy --dry-run=yes", "--dry-run.* does not take a value"),
    ("run --models toy --fresh yes", "unknown suite 'yes'. Known: "),
    ("run quick extra", "'quick extra': expected one suite at most, and all else by options"),
    ("list modles", r"unknown kind 'modles'. Did you mean models\? Known: datasets, engines"),
    ("list ''", "unknown kind ''. Known: datasets, engines"),
    (f"list 'mo{ESCAPE}dels'", r"unknown kind 'mo \[31mdels'.*Known: datasets"),
    ("list models metrics", r"unexpected extra argument \(metrics\)"),
    ("list --all", "--all.*See: genbench list --help"),
    ("show", r"Missing argument 'NAME\|TRIAL\|ROW'. See: genbench show --help"),
    ("show vea", r"unknown name 'vea'. Did you mean vae\? See: genbench list"),
    ("show VAE", r"malformed name 'VAE': expected a name of small letters"),
    ("show ''", "malformed name '': expected a name"),
    ("show vae[", r"malformed name 'vae\[': expected a name"),
    ("show gan@papr", r"unknown preset of gan 'papr'. Did you mean paper\?"),
    ("show vae[latent=0]", "option latent is 0; expected int > 0"),
    ("show quick@long", "'quick@long': quick is a suite; expected its name alone"),
    ("show vae gan", r"unexpected extra argument \(gan\)"),
    ("show missing-class", "model 'missing-class' of genbench-toy is broken: .*Nowhere"),
    ("show plain-class", "PlainClass is no dataclass: decorate it"),
    (f"show 'v{ESCAPE}ae'", r"malformed name 'v \[31mae'"),
    ("plugins toy", r"unexpected extra argument \(toy\)"),
    ("plugins --broken", "--broken.*See: genbench plugins --help"),
    ("doctor --result x", "--result.*--results"),
    ("data prepare", "Missing argument 'NAMES...'. See: genbench data prepare --help"),
    ("data prepare digit", r"unknown dataset 'digit'. Did you mean digits\?"),
    ("data prepare digits[", r"malformed name 'digits\[': expected a name"),
    ("data prepare digits[size=3]", "digits has no option 'size'. It has none. See: genbench show digits"),
    ("data prepare gan", "unknown dataset 'gan'. Known: cifar10, digits"),
    ("data prepare --frsh digits", "--frsh.*--fresh"),
    ("data verify", "Missing argument 'NAMES...'"),
    ("data verify npz:no.npz", "npz file 'no.npz': there is no such file; expected npz:PATH"),
    ("data path digits mnist", r"unexpected extra argument \(mnist\)"),
    ("data path folder:no", "'no': no such folder; expected folder:PATH"),
    ("data preprae digits", "'preprae'.*'prepare'"),
    ("data forget digits", "'forget'; expected one of: path, prepare, verify. See: genbench data --help"),
)

# Names, brackets, options ---------------------------------------------------------------------------------------------

NAMES = lines(
    ("run --models tooy", r"unknown model 'tooy'. Did you mean toy\? See: genbench list models"),
    ("run --models zzzzz", "unknown model 'zzzzz'. See: genbench list models"),
    ("run --models parzen", "unknown model 'parzen'. See: "),
    ("run --models Toy", "malformed name 'Toy': expected a name of small letters"),
    (f"run --models {'a' * 41}", "malformed name 'a{41}': expected a name"),
    ("run --models 'toy,gan vae'", "malformed name 'gan vae': expected a name"),
    (f"run --models 'to\x07y{ESCAPE.replace('[', '(')}'", r"malformed name 'to y \(31m': expected a name"),
    ("run --models toy\u202e", "malformed name 'toy': expected a name"),
    ("run --models toy@", "malformed preset '' in 'toy@': expected as in gan@paper"),
    ("run --models toy@Long", "malformed preset 'Long' in 'toy@Long': expected as in gan@paper"),
    ("run --models toy@long@long", "malformed preset 'long@long'"),
    ("run --models toy@longer", r"unknown preset of toy 'longer'. Did you mean long\? Known: long"),
    ("run --models kmeans@paper", "kmeans has no presets, so no kmeans@paper"),
    ("run --models toy[", r"unbalanced brackets or quotes in 'toy\['"),
    ("run --models toy]", r"unbalanced brackets or quotes in 'toy\]'"),
    ("run --models toy[lr=1", r"unbalanced brackets or quotes in 'toy\[lr=1'"),
    ("run --models toy[hidden=[4]", r"unbalanced brackets or quotes in 'toy\[hidden=\[4\]'"),
    ("""run --models 'toy[noise="pink]'""", "unbalanced brackets or quotes"),
    ("run --models 'toy(lr=1)'", r"malformed name 'toy\(lr=1\)': expected a name .* as in gan@paper"),
    ("run --models toy[lr=1]x", r"malformed name 'toy\[lr=1\]x': expected"),
    ("run --models toy[lr=1][lr=2]", r"option lr is .*1\]\[lr=2.*; expected float > 0"),
    ("run --models toy[=1]", r"malformed option '=1' in 'toy\[=1\]': expected option=value, as in lr=0.05"),
    ("run --models toy[Lr=1]", "malformed option 'Lr=1' .*: expected option=value"),
    ("run --models toy[1,2]", "malformed option '2' .*: expected option=value"),
    ("run --models toy[lr=1,lr=2]", r"option lr is given twice in 'toy\[lr=1,lr=2\]'"),
    ("run --models toy[7]", "toy takes no unnamed value, not 7: expected option=value"),
    ("run --models toy:path", "toy takes no unnamed value, not path: expected option=value"),
    ("run --models toy[nois=uniform]", r"toy has no option 'nois'. Did you mean noise\? Known: epochs, lr"),
    ("run --models missing-class", "model 'missing-class' of genbench-toy is broken: there is no class 'Nowhere' in genbench_toy"),
    ("run --models not-a-model", "'not-a-model' of genbench-toy is broken: .* is a subclass of genbench.Metric, not of genbench.Model"),
    ("run --models plain-class", "PlainClass is no dataclass: decorate it with @dataclass"),
    ("run --models toy --metric parzn", r"unknown metric 'parzn'. Did you mean parzen\? See: genbench list metrics"),
    ("run --models toy --metric gan", "unknown metric 'gan'. See: genbench list metrics"),
    ("run --models toy --metric parzen@papr", r"unknown preset of parzen 'papr'. Did you mean paper\?"),
    ("run --models toy --metric parzen[smaples=9]", r"parzen has no option 'smaples'. Did you mean samples\?"),
    ("run --models toy --metric parzen:5", 'parzen takes no unnamed value, not "5": expected option=value'),
    ("run --models toy --dataset digit", r"unknown dataset 'digit'. Did you mean digits\?"),
    ("run --models toy --dataset npz", "npz needs a path: as in npz:PATH"),
    ("run --models toy --dataset npz:", "nothing after ':' in 'npz:': expected a path"),
    ("run --models toy --dataset folder", "folder needs a path: as in folder:PATH"),
    ("run --models toy --dataset npz[path=3]", "npz: option path is 3; expected text"),
    ("run --models toy --dataset npz:a[layout=last]", "option layout is last; expected auto or channels-first"),
    ("run --models toy --dataset npz:a[max_mib=0]", "option max_mib is 0; expected int >= 1"),
    ("run --models toy --dataset folder:a[colour=gray]", "option colour is gray; expected auto or grey or rgb"),
    ("run --models toy --dataset folder:a[size=99999]", "option size is 99999; expected int >= 0 <= 8192"),
    ("run --models toy --reference gausian", r"unknown model 'gausian'. Did you mean gaussian\?"),
    ("run --models toy --reference none,gausian", r"unknown model 'gausian'. Did you mean gaussian\?"),
    ("run --models toy --against goodfellow2015", r"unknown claims 'goodfellow2015'. Did you mean goodfellow2014\?"),
    ("run --models toy --against goodfellow-2014-06-10", r"unknown claims 'goodfellow-2014-06-10'.*Known: goodfellow2014"),
    ("run --models toy --against 2014", "unknown claims '2014'.*Known: goodfellow2014"),
    ("run --models toy --against ../goodfellow2014", r"unknown claims '\.\./goodfellow2014'. .*goodfellow2014"),
    ("leaderboard --against nobody1999", "unknown claims 'nobody1999'. Known: goodfellow2014"),
    ("run --models toy --engine inlin", r"unknown engine 'inlin'. Did you mean inline\?"),
    ("run --models toy --engine ''", "malformed name '': expected a name"),
)  # fmt: skip

OPTIONS = lines(
    *((f"run --models 'toy[lr={value}]'", f"option lr is {shown}; expected float > 0") for value, shown in (
        ("0", "0"), ("-1", "-1"), ("nan", '"nan"'), ("inf", '"inf"'), ("1e999", '"1e999"'), ("true", "true"),
        ("fast", "fast"), ("[0.1]", r"\[0.1\]"), ("", '""'), ("=1", '"=1"'), ("2020-01-01", "2020-01-01|.2020-01-01."),
        ('"0.1"', '"0.1"'), ("9" * 5000, '"9{20}.*…'), ("[" * 3000 + "]" * 3000, r'"?\[{20}.*…'),
    )),
    *((f"run --models 'toy[epochs={value}]'", f"option epochs is {shown}; expected int") for value, shown in (
        ("true", "true"), ("1.5", "1.5"), ("1.0", "1.0"), ('"2"', '"2"'), ("two", "two"),
    )),
    *((f"run --models 'toy[hidden={value}]'", f"option hidden is {shown}; expected list of int") for value, shown in (
        ("4", "4"), ("[]", r"\[\]"), ("[4.5]", r"\[4.5\]"), ("[4,x]", r'"\[4,x\]"'), ("[[4]]", r"\[\[4\]\]"),
    )),
    ("run --models toy[noise=pink]", "option noise is pink; expected uniform or gaussian"),
    ("run --models toy[noise=1]", "option noise is 1; expected uniform or gaussian"),
    ("run --models toy[verbose=yes]", "option verbose is yes; expected bool"),
    (f"""run --models 'toy[noise="\x07{ESCAPE.replace('[', '(')}"]'""", r"option noise is .*; expected uniform or gaussian"),
    ("run --models gan[loss=minmax]", "option loss is minmax; expected non-saturating or minimax"),
    ("run --models vae[latent=0]", "option latent is 0; expected int > 0"),
    ("run --models vae[hidden=[128,-1]]", r"option hidden is \[128,-1\]; expected list of int > 0"),
    ("run --models pca[components=0]", "option components is 0; expected int >= 1"),
    ("run --models toy --metric parzen[samples=0]", "option samples is 0; expected int >= 1"),
    ("run --models toy --metric parzen[samples=1.5]", "option samples is 1.5; expected int >= 1"),
    ("run --models toy --metric parzen[samples=99999999999]", "option samples is 99999999999; expected int >= 1 <= "),
    ("run --models toy --set toy", "--set 'toy': expected NAME.OPTION=VALUE, as in gan.lr=0.05"),
    ("run --models toy --set toy.lr", "--set 'toy.lr': expected NAME.OPTION=VALUE"),
    ("run --models toy --set lr=1", "--set 'lr=1': expected NAME.OPTION=VALUE"),
    ("run --models toy --set .lr=1", "--set '.lr=1': expected NAME.OPTION=VALUE"),
    ("run --models toy --set toy.=1", "--set 'toy.=1': expected NAME.OPTION=VALUE"),
    ("run --models toy --set ''", "--set '': expected NAME.OPTION=VALUE"),
    ("run --models toy --set toy@long.lr=1", "--set 'toy@long.lr=1': expected NAME.OPTION=VALUE"),
    (f"run --models toy --set 'toy.lr{ESCAPE}=1'", r"--set 'toy.lr \[31m=1': expected NAME.OPTION=VALUE"),
    ("run --models toy --set toy.lr=", 'option lr is ""; expected float > 0'),
    ("run --models toy --set toy.lr=0", "option lr is 0; expected float > 0"),
    ("run --models toy --set toy.rate=1", "toy has no option 'rate'. Known: epochs, lr"),
    ("run --models toy --set gan.lr=1", "options are set for 'gan', which is not in this run; it has: .*toy"),
    ("run --models toy --set tooy.lr=1", "options are set for 'tooy', which is not in this run; it has: .*toy"),
    ("run --models toy --set digits.size=8", "digits has no option 'size'"),
)  # fmt: skip

# Seeds, bounds, numbers -----------------------------------------------------------------------------------------------

SEEDS = lines(
    *((f"run --models toy --seeds {shlex.quote(seeds)}", f"--seeds '{re.escape(seeds)}': expected a count") for seeds in (
        "", "x", "-3", "1.5", "1e3", "0x10", "0-", "0--4", "0;1", "1,,2", ",", "nan", "²", "٣", "9" * 24,
    )),
    ("run --models toy --seeds 0", "--seeds is 0; expected 1 to 10,000"),
    ("run --models toy --seeds 10001", "--seeds is 10001; expected 1 to 10,000"),
    ("run --models toy --seeds 0,0", "--seeds: seed 0 is given twice; expected each once"),
    ("run --models toy --seeds 0-2,1", "--seeds: seed 1 is given twice; expected each once"),
    ("run --models toy --seeds 4-2", "--seeds '4-2': expected the lower end first, as in 2-4"),
    ("run --models toy --seeds 0-10000", "--seeds '0-10000': .*expected at most"),
    (f"run --models toy --seeds '1{ESCAPE}'", r"--seeds '1 \[31m': expected a count"),
    ("run --models toy --seeds", "--seeds.* requires an argument"),
    ("run --models toy --seed x", "'--seed': 'x' is not a valid integer"),
    ("run --models toy --seed -1", "'--seed': -1 is not in the range x>=0"),
    ("run --models toy --seed 1.5", "'--seed': '1.5' is not a valid integer"),
    (f"run --models toy --seed {10**18}", f"seed {10**18}; expected at most 999,999,999,999,999,999"),
    ("run --models toy --seed 1 --seeds 2", "--seeds and --seed are both given; expected one of them"),
)  # fmt: skip

NUMBERS = lines(
    *((f"run --models toy --budget {budget}", f"--budget '{budget}': expected steps or seconds, as in") for budget in (
        "fast", "0steps", "-5s", "10", "1.5s", "10m", "1e9steps", "infs", "nans", "9999999999999999steps",
    )),
    *((f"run --models toy --{option} {value}", f"'--{option}': '?{value}'? is not .*See: genbench run --help")
      for option in ("samples", "size", "threads") for value in ("0", "-1", "many", "1.5", "nan")),
    ("run --models toy --threads 2000", "'--threads': 2000 is not in the range 1<=x<=1024"),
    ("run --models toy --samples 99999999999999999999", "option samples is 9{20}; expected int >= 1 <= 10000000"),
    *((f"run --models toy --device {shlex.quote(device)}", f"--device '{device}': expected auto, cpu, cuda or cuda:N")
      for device in ("", "gpu", "CUDA", "cpu:0", "cuda:x", "cuda:-1", "cuda:²", "mps")),
    ("run --models toy --device cuda:99", "--device cuda:99: this machine has . CUDA devices. Use --device cpu or auto"),
    (f"run --models toy --device 'cuda:{ESCAPE}'", r"--device 'cuda: \[31m': expected auto"),
    ("run --models toy --target train", "'--target': 'train' is not one of 'test', 'valid'"),
    ("run --models toy --target ''", "'--target': '' is not one of 'test', 'valid'"),
)  # fmt: skip


# What is blank, or asked of nobody, and must not be passed over in silence

ONCE = "--metric brightness --reference none --seeds 1"
BLANK = lines(
    (f"run '' --models toy {ONCE}", "unknown suite ''"),
    (f"run --models toy {ONCE} --budget ''", "--budget '': expected steps or seconds"),
    ("run --models toy --reference none --seeds 1 --metric ''", "metrics.* blank; expected names"),
    ("run --models toy --reference none --seeds 1 --metric ,", "metrics.* blank; expected names"),
    (f"run --models toy {ONCE} --dataset ''", "datasets.* blank; expected names"),
    ("run --models toy --metric brightness --seeds 1 --reference ''", "reference.* blank; expected names"),
    (f"run --models toy {ONCE} --against ''", "against.* blank; expected names"),
    (f"run --models toy {ONCE} --results ''", "--results.*'' is empty; expected a path"),
    (f"run --models toy {ONCE} --size 8", "--size 8: no dataset of this run takes it; expected folder:PATH"),
)
WORKERS = lines(
    (f"run --models toy {ONCE} --jobs 0", "--jobs.*0 is not in the range"),
    (f"run --models toy {ONCE} --jobs many", "--jobs.*'many' is not a valid integer"),
    (f"run --models toy {ONCE} --engine inline --jobs 2", "--jobs 2: engine inline performs one trial after another"),
    (f"run --models toy {ONCE} --engine inline --timeout 5", "--timeout 5: engine inline cannot stop a trial"),
    (f"run --models toy {ONCE} --timeout 0", "--timeout.*0.* is not in the range"),
    (f"run --models toy {ONCE} --timeout nan", "--timeout nan: expected a number of seconds"),
    (f"run --models toy {ONCE} --timeout soon", "--timeout.*'soon' is not a valid float"),
    (f"run --models toy {ONCE} --checkpoint-every -1", "--checkpoint-every.*-1.* is not in the range"),
    (f"run --models toy {ONCE} --checkpoint-every inf", "--checkpoint-every inf: expected a number of seconds"),
    (f"run --models toy {ONCE} --checkpoint-every nan", "--checkpoint-every nan: expected a number of seconds"),
    (f"run --models toy {ONCE} --engine proces", "unknown engine 'proces'. Did you mean process"),
    (f"run --models toy {ONCE} --engine process[jobs=0]", "jobs"),
    (f"run --models toy {ONCE} --engine process[jobs=1,jobs=2]", "jobs"),
    (f"run --models toy {ONCE} --engine process[memory=1]", "memory"),
    (f"run --models toy {ONCE} --engine process[threads=x]", "threads"),
    ("doctor --results ''", "--results.*'' is empty; expected a path"),
)
MALFORMED = lines(
    (f"run --models toy {ONCE} --budget 1٣s", "--budget '1٣s': expected steps or seconds"),
    ("run --models toy --device cuda:", "--device 'cuda:': expected auto, cpu, cuda or cuda:N"),
)

# Archives -------------------------------------------------------------------------------------------------------------


def run_on(path: str) -> list[str]:
    return ["run", "--models", "toy", "--metric", "brightness", "--reference", "none", "--dataset", path]


def pixels(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def archive(options: str = "", **changes: Any) -> Setup:
    """Return a setup that saves some.npz, whose arrays are good but for the changes; None leaves one out."""

    def make(folder: Path) -> list[str]:
        good = {"x_train": pixels(20, 5, 4), "x_test": pixels(6, 5, 4)}
        arrays = {name: array for name, array in {**good, **changes}.items() if array is not None}
        np.savez(folder / "some.npz", **arrays)
        return run_on(f"npz:some.npz{options}")

    return make


def holding(content: bytes) -> Setup:
    """Return a setup that writes some.npz."""

    def make(folder: Path) -> list[str]:
        (folder / "some.npz").write_bytes(content)
        return run_on("npz:some.npz")

    return make


def zipped(**members: bytes) -> Setup:
    """Return a setup that writes a zip of these arrays' files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return holding(packed.getvalue())


def npy(shape: str, dtype: str = "|u1", content: bytes = b"") -> bytes:
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + content


def trapped_array(folder: Path) -> list[str]:
    np.savez(folder / "some.npz", x_train=np.array([Trap(folder / "sprung")], object), x_test=pixels(6, 5, 4))
    return run_on("npz:some.npz")


def trapped_member(folder: Path) -> list[str]:
    return zipped(x_train=pickle.dumps(Trap(folder / "sprung")), x_test=npy("(1, 2, 2)", content=bytes(4)))(folder)


def trapped_file(folder: Path) -> list[str]:
    return holding(pickle.dumps(Trap(folder / "sprung")))(folder)


def truncated(share: float) -> Setup:
    def make(folder: Path) -> list[str]:
        arguments = archive(x_train=pixels(100, 20, 20))(folder)
        content = (folder / "some.npz").read_bytes()
        (folder / "some.npz").write_bytes(content[: int(share * len(content))])
        return arguments

    return make


def spoilt(value: float) -> np.ndarray[Any, Any]:
    array = np.zeros((20, 5, 4))
    array[3, 1, 1] = value
    return array


def at(path: str, make: Callable[[Path], object] = lambda path: None) -> Setup:
    """Return a setup that makes what lies at a path, if anything, and takes it for an archive."""

    def setup(folder: Path) -> list[str]:
        make(folder / path)
        return run_on(f'npz:"{path}"')

    return setup


def lying_zip(folder: Path) -> list[str]:
    """Write a zip whose directory says that a member is 64 GiB long, and whose array says so too."""
    holding_zip = zipped(x_train=npy("(65536, 1024, 1024)"), x_test=npy("(1, 2, 2)", content=bytes(4)))
    arguments = holding_zip(folder)
    content = bytearray((folder / "some.npz").read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFFFE)
    (folder / "some.npz").write_bytes(content)
    return arguments


BAD = "npz file 'some.npz': "
REWRITE = "; write it again with numpy.savez"
ARCHIVES = rows(
    ("npz that is not there", at("some.npz"), BAD + "there is no such file; expected npz:PATH"),
    ("npz that is a folder", at("some.npz", Path.mkdir), BAD + "it is a folder, not a plain file; expected npz:PATH"),
    ("npz that is a pipe", at("some.npz", os.mkfifo), BAD + "it is a pipe, not a plain file; expected npz:PATH"),
    ("npz that is a loop", at("some.npz", lambda p: p.symlink_to(p)), BAD + "Too many levels of symbolic links"),
    ("npz that leads nowhere", at("some.npz", lambda p: p.symlink_to("/no")), BAD + "there is no such file"),
    ("npz of a long name", at("x" * 300), "x{50}.*File name too long"),
    ("npz of nobody", at("~nobody-at-all/x.npz"), "npz file '~nobody-at-all/x.npz': there is no such file"),
    ("npz with an escape in its name", at(f"a{ESCAPE}.npz"), r"npz file 'a\\x1b\[31m.npz': there is no such file"),
    ("npz with a newline in its name", at("a\nb.npz"), r"npz file 'a\\nb.npz': there is no such file"),
    ("npz with a zero in its name", at("a\0b.npz"), r"npz file 'a\\x00b.npz': there is no such file|embedded null"),
    ("npz that is empty", holding(b""), BAD + "it cannot be read: .*" + REWRITE),
    ("npz that is text", holding(b"not an archive"), BAD + "it cannot be read: .*" + REWRITE),
    ("npz that is npy", holding(npy("(1, 2, 2)", content=bytes(4))), BAD + "it cannot be read: .*" + REWRITE),
    ("npz that is half", truncated(0.5), BAD + "it cannot be read: .*" + REWRITE),
    ("npz that is nearly whole", truncated(0.999), BAD + ".*cannot be read: .*" + REWRITE),
    ("npz without members", zipped(), BAD + r"x_train is missing among \[\]; save the images as x_train="),
    ("npz without x_train", archive(x_train=None), BAD + r"x_train is missing among \['x_test'\]; save"),
    ("npz without x_test", archive(x_test=None), BAD + r"x_test is missing among \['x_train'\]; save"),
    ("npz with a strange key", archive(x_tset=pixels(6, 5, 4)), r"unexpected array 'x_tset'; leave it out, .* Did you mean x_test\?"),
    ("npz with an escape in a key", archive(**{ESCAPE: pixels(1)}), r"unexpected array '\\x1b\[31m'; leave it out, or name it one of: x_train"),
    ("npz with NaN", archive(x_train=spoilt(np.nan)), "x_train holds NaN or infinity; expected floats from 0 to 1"),
    ("npz with infinity", archive(x_test=spoilt(np.inf)), "x_test holds NaN or infinity; expected floats from 0 to 1"),
    ("npz beyond 1", archive(x_train=spoilt(254)), "x_train: values go from .* expected floats from 0 to 1: "),
    ("npz below 0", archive(x_train=spoilt(-1)), "x_train: values go from .* expected floats from 0 to 1: "),
    ("npz of rank 2", archive(x_train=pixels(20, 20)), r"x_train has shape \(20, 20\); expected \(n, H, W\)"),
    ("npz of rank 5", archive(x_train=pixels(9, 2, 3, 4, 5)), r"x_train has shape \(9, 2, 3, 4, 5\); expected \(n, H, W\)"),
    ("npz of rank 0", archive(x_train=np.uint8(3)), r"x_train has shape \(\); expected \(n, H, W\)"),
    ("npz of no images", archive(x_train=pixels(0, 5, 4)), r"x_train has shape \(0, 5, 4\); .* none of them 0"),
    ("npz of two shapes", archive(x_test=pixels(6, 4, 5)), "images of different shapes .*expected the same"),
    ("npz of int64", archive(x_train=np.zeros((9, 5, 4), int)), "x_train has dtype int64; expected uint8"),
    ("npz of bool", archive(x_train=np.zeros((9, 5, 4), bool)), "x_train has dtype bool; expected uint8"),
    ("npz of text", archive(x_train=np.full((9, 5, 4), "a")), "x_train has dtype <U1; expected uint8"),
    ("npz of complex", archive(x_train=np.zeros((9, 5, 4), complex)), "x_train has dtype complex128; expected uint8"),
    ("npz of records", archive(x_train=np.zeros((9, 5, 4), "u1,u1")), "x_train holds Python objects .*; save plain arrays"),
    ("npz of dates", archive(x_train=np.zeros((9, 5, 4), "M8[s]")), "x_train has dtype datetime64.*; expected uint8"),
    ("npz of objects", trapped_array, r"x_train holds Python objects \(dtype object\); save plain arrays; pickles are not"),
    ("npz with a pickled member", trapped_member, BAD + "it cannot be read: .*magic.*" + REWRITE),
    ("npz that is a pickle", trapped_file, BAD + "it cannot be read: .*" + REWRITE),
    ("npz with labels for train alone", archive(y_train=np.zeros(20, int)), "some .* have labels and some have none; give y_"),
    ("npz with labels of floats", archive(y_train=np.zeros(20), y_test=np.zeros(6)), "y_train has dtype float64; expected whole"),
    ("npz with labels one hot", archive(y_train=np.zeros((20, 9), int), y_test=np.zeros(6, int)), r"y_train has shape \(20, 9\) and is not one-hot; expected \(20,\)"),
    ("npz with too few labels", archive(y_train=np.zeros(19, int), y_test=np.zeros(6, int)), r"y_train has shape \(19,\); expected \(20,\)"),
    ("npz with labels below 0", archive(y_train=np.full(20, -1), y_test=np.zeros(6, int)), "y_train holds -1; expected class numbers from 0"),
    ("npz with labels of text and of numbers", archive(y_train=np.full(20, "a"), y_test=np.zeros(6, int)), "some of its labels are numbers and some are texts"),
    ("npz that says terabytes", zipped(x_train=npy("(1000000, 1000, 1000)"), x_test=npy("(1, 2, 2)")), r"x_train says 1000000000000 bytes and holds \d+; it is truncated"),
    ("npz that says so twice", lying_zip, BAD + ".*(truncated|cannot be read|unpacks to)"),
    ("npz of negative shape", zipped(x_train=npy("(-1, 5, 4)", content=bytes(80)), x_test=npy("(1, 5, 4)", content=bytes(20))), BAD + r"x_train has a damaged header, with shape \(-1, 5, 4\)"),
    ("npz that unpacks to much", archive("[max_mib=1]", x_train=np.zeros((300, 100, 100), np.uint8)), "it unpacks to 2 MiB; expected at most max_mib=1"),
    ("npz with too many held out", archive("[valid=20]"), "valid=20 leaves none of 20 training images; hold out fewer"),
    ("npz with valid twice", archive("[valid=2]", x_valid=pixels(3, 5, 4)), "it has x_valid, yet valid=2 is asked for; leave valid out"),
    ("npz of two layouts", archive(x_train=pixels(9, 3, 5, 3)), r"x_train has shape \(9, 3, 5, 3\), .* layout=channels-first"),
)  # fmt: skip


# Folders of images ----------------------------------------------------------------------------------------------------


def image(path: Path, size: tuple[int, int] = (5, 4), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path, "PNG")


def images(change: Callable[[Path], object], options: str = "") -> Setup:
    """Return a setup that makes a folder of four images and changes it."""

    def make(folder: Path) -> list[str]:
        for number in range(4):
            image(folder / "images" / f"{number}.png")
        change(folder / "images")
        return run_on(f"folder:images{options}")

    return make


def classes(change: Callable[[Path], object]) -> Setup:
    """Return a setup that makes train/ and test/ of two classes each and changes them."""

    def make(folder: Path) -> list[str]:
        for part in ("train", "test"):
            for label in ("ant", "bee"):
                image(folder / "images" / part / label / "0.png")
        change(folder / "images")
        return run_on("folder:images")

    return make


def giant_png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + pixels + chunk(b"IEND", b"")


def emptied(path: Path) -> None:
    for file in path.iterdir():
        file.unlink()


def looped(path: Path) -> None:
    (path / "train" / "ant" / "again").symlink_to(path / "train", target_is_directory=True)


FOLDERS = rows(
    ("folder that is not there", typed("run -m toy -d folder:no"), "'no': no such folder; expected folder:PATH"),
    ("folder that is a file", images(lambda p: (p / "x").write_text(""), "/x"), "'images/x': no such folder; expected folder:PATH"),
    ("folder of nobody", typed("run -m toy -d 'folder:~nobody-at-all/x'"), "'~nobody-at-all/x': no such folder; expected folder:PATH"),
    ("folder that is empty", images(emptied), "'images': no images in it; expected files ending in .png"),
    ("folder of two images", images(lambda p: [(p / f"{n}.png").unlink() for n in (0, 1)]), "it holds 2 images; expected three or more"),
    ("image that is empty", images(lambda p: (p / "1.png").write_bytes(b"")), "'images/1.png': it is empty; remove or replace it"),
    ("image that is text", images(lambda p: (p / "1.png").write_text("hi")), "'images/1.png': not a readable image .*; remove or replace"),
    ("image that is a pickle", images(lambda p: (p / "1.png").write_bytes(pickle.dumps(Trap(p / "sprung")))), "'images/1.png': not a readable image"),
    ("image that is cut", images(lambda p: (p / "1.png").write_bytes((p / "0.png").read_bytes()[:45])), "'images/1.png': not a readable image"),
    ("image that is giant", images(lambda p: (p / "1.png").write_bytes(giant_png())), "'images/1.png': too many pixels for one image; at most"),
    ("image of another size", images(lambda p: image(p / "1.png", (9, 6))), "'images/.*.png': it is .*, where .*.png is .*; give a size .* as in size=4"),
    ("image of 16 bits", images(lambda p: image(p / "1.png", mode="I;16")), "'images/1.png': it has 16 bits a channel, not 8; convert it first"),
    ("image that is transparent", images(lambda p: image(p / "1.png", mode="RGBA")), "'images/1.png': it is transparent in places; lay it"),
    ("image of another kind", images(lambda p: (p / "x.svg").write_text("<svg/>")), "'images/x.svg': an image of a kind that is not read"),
    ("image that leads nowhere", images(lambda p: (p / "9.png").symlink_to("/no.png")), "'images/9.png': not a readable image|9.png"),
    ("image that is a loop", images(lambda p: (p / "9.png").symlink_to(p / "9.png")), "9.png"),
    ("image with an escape in its name", images(lambda p: (p / f"9{ESCAPE}.png").write_text("")), r"'images/9\\x1b\[31m.png': it is empty"),
    ("image with a lone byte in its name", images(lambda p: Path(os.fsdecode(b"images/9\xff.png")).write_text("")), r"'images/9\\udcff.png': it is empty"),
    ("folder of too many pixels", images(lambda p: [image(p / f"{n}.png", (800, 800)) for n in range(4)], "[max_mib=1]"), "its images take 2 MiB; expected at most max_mib=1: raise it"),
    ("folder that says too many pixels", images(lambda p: None, "[size=8192,max_mib=1]"), "its images take 256 MiB; expected at most max_mib=1"),
    ("classes beside images", classes(lambda p: image(p / "train" / "x.png")), r"'images/train': it holds both images \('x.png'\) and folders"),
    ("classes without test", classes(lambda p: (p / "test").rename(p / "valid")), "'images': of train/, .* it has only train and valid/; expected"),
    ("classes of another name", classes(lambda p: (p / "test" / "bee").rename(p / "test" / "cat")), "'images/test': class 'cat' is not in train/; expected"),
    ("classes with an escape", classes(lambda p: (p / "test" / "bee").rename(p / "test" / f"b{ESCAPE}")), r"class 'b\\x1b\[31m' is not in train/"),
    ("classes in train alone", classes(lambda p: [image(p / "test" / "0.png"), (p / "test" / "ant" / "0.png").unlink(), (p / "test" / "ant").rmdir(), (p / "test" / "bee" / "0.png").unlink(), (p / "test" / "bee").rmdir()]), "one of train/ and test/ has class folders; expected them in all"),
    ("classes that are empty", classes(lambda p: [f.unlink() for f in (p / "train").rglob("*.png")]), "'images/train': no images in it; expected files"),
    ("classes that loop", classes(looped), "'images/train/ant/again': a folder inside a class folder; expected images alone"),
)  # fmt: skip


# Suites ---------------------------------------------------------------------------------------------------------------


def suite(text: str | bytes, name: str = "mine.toml") -> Setup:
    """Return a setup that writes a suite and runs it."""

    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return ["run", name]

    return make


def suite_at(make: Callable[[Path], object]) -> Setup:
    """Return a setup that makes something else at the path of a suite."""

    def setup(folder: Path) -> list[str]:
        make(folder / "mine.toml")
        return ["run", "mine.toml"]

    return setup


TOY = 'models = ["toy"]\n'
SUITES = rows(
    ("suite of a near name", typed("run quik"), r"unknown suite 'quik'. Did you mean quick\? .* path of a .toml file"),
    ("suite of a path without ending", typed("run ./quick"), r"unknown suite './quick'. .* path of a .toml file"),
    ("suite that is not there", typed("run no.toml"), "cannot read no.toml: No such file"),
    ("suite with an escape in its name", typed(f"run 'a{ESCAPE}.toml'"), r"cannot read a \[31m.toml: No such file"),
    ("suite that is a folder", suite_at(Path.mkdir), "cannot read mine.toml: it is a folder, not a plain file; expected a file in TOML"),
    ("suite that is a pipe", suite_at(os.mkfifo), "cannot read mine.toml: it is a pipe, not a plain file; expected a file in TOML"),
    ("suite that never ends", suite_at(lambda p: p.symlink_to("/dev/zero")), "cannot read mine.toml: it is a device, not a plain file; expected a file"),
    ("suite that is huge", suite(b"#" * (1 << 20) + b"\n"), r"mine.toml: it has 1,048,577 bytes; expected at most 1,048,576"),
    ("suite that is a pickle", suite_at(lambda p: p.write_bytes(pickle.dumps(Trap(p.with_name("sprung"))))), "mine.toml is not TOML: .*; expected"),
    ("suite in latin-1", suite('title = "ü"'.encode("latin-1")), "mine.toml is not TOML: .*0xfc.*; expected UTF-8 text"),
    ("suite that ends early", suite("models = ["), "mine.toml is not TOML: .*; expected"),
    ("suite of deep brackets", suite("seeds = " + "[" * 5000), "mine.toml is nested too deep; expected at most 20 levels"),
    ("suite of long numbers", suite("seeds = " + "9" * 5000), "mine.toml is not TOML: .*; expected"),
    ("suite with a key twice", suite("seeds = 1\nseeds = 2"), "mine.toml is not TOML: .*; expected"),
    ("suite that is empty", suite(""), "no model given; expected --models NAME or a suite"),
    ("suite with an unknown key", suite('modles = ["toy"]'), r"unknown key in suite mine.toml 'modles'. Did you mean models\?"),
    ("suite with an escape in a key", suite('"a\\u001b[31m" = 1'), r"unknown key in suite mine.toml 'a \[31m'"),
    ("suite with models as text", suite('models = "toy"'), "suite mine.toml: models is 'toy'; expected a list"),
    ("suite with models as numbers", suite("models = [3]"), r"models is \[3\]; expected a list of texts"),
    ("suite with no models", suite("models = []"), "models is empty; expected at least one"),
    ("suite with a blank model", suite('models = [""]'), r"models is \[''\]; expected no blank text in it"),
    ("suite with a blank metric", suite(TOY + 'metrics = [" , "]'), r"metrics is \[' , '\]; expected no blank text in it"),
    ("suite with no metrics", suite(TOY + "metrics = []"), "metrics is empty; expected at least one"),
    ("suite with an unknown model", suite('models = ["tooy"]'), r"unknown model 'tooy'. Did you mean toy\?"),
    ("suite with an escape in a model", suite('models = ["t\\u001b"]'), "malformed name 't': expected a name"),
    ("suite with title as number", suite(TOY + "title = 3"), "title is 3; expected a text"),
    ("suite with seeds 0", suite(TOY + "seeds = 0"), "suite mine.toml: seeds is 0; expected 1 to 10,000"),
    ("suite with seeds as text", suite(TOY + 'seeds = "3"'), "seeds is '3'; expected a whole number or a list"),
    ("suite with seeds as float", suite(TOY + "seeds = 3.0"), "seeds is 3.0; expected a whole number or a list"),
    ("suite with seeds as date", suite(TOY + "seeds = 2020-01-01"), "seeds is datetime.date.*; expected a whole number or a list"),
    ("suite with seeds true", suite(TOY + "seeds = true"), "seeds is True; expected a whole number or a list"),
    ("suite with seeds twice", suite(TOY + "seeds = [1, 1]"), "seeds: seed 1 is given twice; expected each once"),
    ("suite with no seeds", suite(TOY + "seeds = []"), r"seeds is \[\]; expected whole numbers from 0"),
    ("suite with seeds below 0", suite(TOY + "seeds = [-1]"), r"seeds is \[-1\]; expected whole numbers from 0"),
    ("suite with seeds beyond all", suite(TOY + f"seeds = [{10**18}]"), f"seed {10**18}; expected at most 999"),
    ("suite with samples as float", suite(TOY + "samples = 1.5"), "samples is 1.5; expected a whole number"),
    ("suite with samples 0", suite(TOY + "samples = 0"), "option samples is 0; expected int >= 1"),
    ("suite with samples true", suite(TOY + "samples = true"), "samples is True; expected a whole number"),
    ("suite with budget as number", suite(TOY + "budget = 60"), "budget is 60; expected a text"),
    ("suite with a wrong budget", suite(TOY + 'budget = "fast"'), "'fast': expected steps or seconds"),
    ("suite with options as number", suite(TOY + "options = 3"), "options is 3; expected a table"),
    ("suite with options of no plugin", suite(TOY + "[options]\ntoy = 3"), r"options.toy is no table; expected \[options.toy\]"),
    ("suite with a wrong option", suite(TOY + "[options.toy]\nlr = -1"), "option lr is -1; expected float > 0"),
    ("suite with an option as date", suite(TOY + "[options.toy]\nlr = 2020-01-01"), "options.toy.lr is 2020-01-01; expected a finite number, a text"),
    ("suite with an option as table", suite(TOY + "[options.toy.lr]\na = 1"), "options.toy.lr is {'a': 1}; expected a finite number"),
    ("suite with an option NaN", suite(TOY + "[options.toy]\nlr = nan"), "options.toy.lr is nan; expected a finite number"),
    ("suite with an unknown option", suite(TOY + "[options.toy]\nrate = 1"), "toy has no option 'rate'. Known: epochs"),
    ("suite with options of another", suite(TOY + "[options.gan]\nlr = 1"), "options are set for 'gan', which is not in this run"),
    ("suite with an escape in an option", suite(TOY + '[options."a\\u001b[31m"]\nlr = 1'), r"options are set for 'a \[31m', which is not in this run"),
    ("suite with a zero in a path", suite(TOY + 'datasets = ["npz:a\\u0000b.npz"]'), "no such file|null"),
    ("suite with unknown claims", suite(TOY + 'against = ["nobody1999"]'), "unknown claims 'nobody1999'. Known: goodfellow2014"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("setup", "message"),
    [*COMMANDS, *NAMES, *OPTIONS, *SEEDS, *NUMBERS, *BLANK, *MALFORMED, *WORKERS, *ARCHIVES, *FOLDERS, *SUITES],
)
def test_refused_in_one_line(setup: Setup, message: str, refused) -> None:
    refused(setup, message)


def test_the_trap_would_spring(tmp_path: Path) -> None:
    """Else the rows with pickles would prove nothing."""
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung"))).close()
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rn", r"unknown command 'rn'"),
        ("run --models toy[lr=1", r"unbalanced brackets or quotes in 'toy\[lr=1'"),
        ("run --models gan --seeds 1.5", "--seeds '1.5': expected a count"),
        ("run --models gan --dataset npz:no.npz", "npz file 'no.npz': there is no such file"),
        ("leaderboard nowhere", "no results in nowhere"),
    ],
)
def test_refused_in_a_process_of_its_own(line: str, message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "genbench", *line.split()], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    check_line(done.stderr, message)
    assert os.listdir(tmp_path) == []

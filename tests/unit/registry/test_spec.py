"""Requests taken apart and put together again."""

import pytest

from genbench.errors import RequestError
from genbench.registry.spec import Request, format_request, format_value, parse, plain, short, split, value


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("gan", Request("gan")),
        (" gan ", Request("gan")),
        ("gan@paper", Request("gan", preset="paper")),
        ("gan@paper[lr=0.1]", Request("gan", preset="paper", options={"lr": 0.1})),
        ("vae[latent=50,epochs=20]", Request("vae", options={"latent": 50, "epochs": 20})),
        (
            "vae[hidden=[128, 64],decoder=gaussian]",
            Request("vae", options={"hidden": [128, 64], "decoder": "gaussian"}),
        ),
        ("fid[domain]", Request("fid", positional="domain")),
        ("fid[domain,samples=5]", Request("fid", positional="domain", options={"samples": 5})),
        ("npz:/a/b c.npz", Request("npz", positional="/a/b c.npz")),
        ("npz:C.npz[valid=3]", Request("npz", positional="C.npz", options={"valid": 3})),
        ('npz:"a[1],b.npz"', Request("npz", positional="a[1],b.npz")),
        ('x[a="b,c]"]', Request("x", options={"a": "b,c]"})),
        ("./mine.py:MyModel", Request("./mine.py:MyModel")),
        ("mine.py:M@paper[lr=1]", Request("mine.py:M", preset="paper", options={"lr": 1})),
        ("~/my folder/a.b.py:_M2[3]", Request("~/my folder/a.b.py:_M2", positional=3)),
        ("../x.py:Ü[path=a.py]", Request("../x.py:Ü", options={"path": "a.py"})),
        ("npz:mine.py", Request("npz", positional="mine.py")),
        ("npz:./mine.py:MyModel", Request("npz", positional="./mine.py:MyModel")),
        ("npz[path=/a.py:B]", Request("npz", options={"path": "/a.py:B"})),
    ],
)
def test_parse(text: str, request_: Request) -> None:
    assert parse(text) == request_
    assert parse(format_request(request_, colon=text.startswith("npz"))) == request_


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "malformed name ''"),
        ("Gan", "malformed name 'Gan'"),
        ("gan@", "malformed preset ''"),
        ("gan@Paper", "malformed preset 'Paper'"),
        ("gan[", "malformed name"),
        ("gan[lr=1", "malformed name"),
        ("gan[lr=[1]", "unbalanced brackets"),
        ("gan[lr=1,lr=2]", "option lr is given twice"),
        ("gan[lr=1,2]", "malformed option '2'"),
        ("gan[1x=2]", "malformed option '1x=2'"),
        ("npz:", "nothing after ':'"),
        ("npz:a[b]", "two unnamed values"),
        ("a" * 41, "malformed name"),
        ("gan\x1b[31m", "malformed name"),
        ("./mine.py", "malformed name './mine.py': expected the path of a Python file"),
        ("./mine.py:", "malformed name './mine.py:': expected the path of a Python file"),
        ("./mine.py:2M", "malformed name './mine.py:2M': expected the path of a Python file"),
        ("./mine.py:M.N", "malformed name './mine.py:M.N': expected the path of a Python file"),
        ("./mine.pyc:M", "malformed name './mine.pyc:M': expected the path of a Python file"),
        ("./a@b/mine.py:M", "malformed name './a@b/mine.py:M': expected the path of a Python file"),
        ("./a:b/mine.py:M", "malformed name './a:b/mine.py:M': expected the path of a Python file"),
        ('./"a"/mine.py:M', "expected the path of a Python file"),
        ("./a\nb.py:M", "malformed name './a b.py:M': expected the path of a Python file"),
        ("./mine.py:M@Paper", "malformed preset 'Paper'"),
        ("./mine.py:M:", "nothing after ':'"),
        ("./mine.py:M:a[b]", "two unnamed values"),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message.replace("[", r"\[")) as caught:
        parse(text)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1", 1),
        ("1.0", 1.0),
        ("1e-3", 1e-3),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ("minimax", "minimax"),
        ('"1"', "1"),
        ("/a path/x", "/a path/x"),
        ("2020-01-01", "2020-01-01"),
        ("1\nother = 2", "1\nother = 2"),
        ("{a = 1}", "{a = 1}"),
        ("nan", "nan"),
        (".001", 0.001),
        ("-.5e-3", -0.0005),
        ("5.", 5.0),
        (".", "."),
        ("./5", "./5"),
        ("1.2.3", "1.2.3"),
        ("[1, inf]", "[1, inf]"),
        ("1_000", 1000),
        ("+.5", 0.5),
        ("1.E-3", 0.001),
        ("[.5,.999]", [0.5, 0.999]),
        ("[[.5, 1.], [-.1e1]]", [[0.5, 1.0], [-1.0]]),
        ('[".5", "a 5. b"]', [".5", "a 5. b"]),
        ('".5"', ".5"),
        ("a .5", "a .5"),
    ],
)
def test_value(text: str, read: object) -> None:
    found = value(text)
    assert found == read
    assert type(found) is type(read)
    assert value(format_value(found)) == read


def test_split_keeps_brackets_and_quotes_whole() -> None:
    assert split('gan,vae[a=1,b=[2,3]], x["a,b"],') == ["gan", "vae[a=1,b=[2,3]]", 'x["a,b"]']


@pytest.mark.parametrize(
    ("label", "name", "folder"),
    [
        ("gan", "gan", "gan"),
        ("gan@paper[lr=0.1]", "gan", "gan@paper[lr=0.1]"),
        ("npz:/a/mine.py:x", "npz", "npz:/a/mine.py:x"),
        ("/a/b/mine.py:MyModel@long[lr=0.1]", "/a/b/mine.py:MyModel", "my-model@long[lr=0.1]"),
        ("what? ever", "what? ever", "what? ever"),
    ],
)
def test_the_name_of_a_label(label: str, name: str, folder: str) -> None:
    assert (plain(label), short(label)) == (name, folder)

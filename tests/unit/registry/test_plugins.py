"""Plugins found one by one; a broken one hurts no other. Every hook has its test here."""

import pytest
from one_plugin import MODULE

from genbench import hookspecs
from genbench.errors import PluginError, RequestError
from genbench.registry.plugins import KINDS, Registry, load_registry


def problems(registry: Registry) -> dict[str, str]:
    return {plugin.distribution: plugin.problem for plugin in registry.plugins if plugin.problem}


def test_builtins_come_through_the_same_hooks() -> None:
    registry = load_registry()
    assert problems(registry) == {}
    for kind in ("model", "metric", "dataset", "extractor", "engine"):
        entries = registry.entries(kind)
        assert entries
        for entry in entries:
            assert issubclass(entry.load(), KINDS[kind].base)
            assert entry.summary


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.hook)
def test_hook(kind, install) -> None:
    install("outside", MODULE.format(hook=kind.hook, name="something-new", target="some.module:Class"))
    entry = load_registry().find(kind.name, "something-new")
    assert (entry.target, entry.plugin.distribution, entry.plugin.version) == ("some.module:Class", "outside", "2.0")


def test_every_hook_has_a_kind() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("register_")}
    assert hooks == {kind.hook for kind in KINDS.values()}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError"),
        ("import genbench\n@genbench.hookimpl\ndef register_models(register):\n    raise ValueError('no\\nluck')", "ValueError: no luck"),
        ("import genbench\n@genbench.hookimpl\ndef register_model(register): ...", "unknown hook 'register_model'"),
        ("import genbench\n@genbench.hookimpl\ndef register_models(registry): ...", "registry"),
        (MODULE.format(hook="register_models", name="Big", target="a:B"), "model name 'Big'"),
        (MODULE.format(hook="register_models", name="nan", target="a:B"), "model name 'nan'"),
        (MODULE.format(hook="register_models", name="fine", target="no class"), "neither a class nor"),
    ],
)  # fmt: skip
def test_a_broken_plugin_is_listed_and_hurts_nobody(source: str, reason: str, install) -> None:
    install("broken", source)
    install("healthy", MODULE.format(hook="register_models", name="healthy", target="a:B"))
    registry = load_registry()
    assert reason in problems(registry)["broken"]
    assert list(problems(registry)) == ["broken"]
    assert registry.find("model", "healthy").plugin.distribution == "healthy"
    assert registry.find("model", "gan").plugin.distribution == "genbench"


def test_a_builtin_keeps_its_name(install) -> None:
    source = MODULE.format(hook="register_models", name="gan", target="a:B")
    install("taker", source + '    register("taker-other", "a:B", summary="")\n')
    registry = load_registry()
    assert registry.find("model", "gan").plugin.distribution == "genbench"
    assert registry.find("model", "taker-other").plugin.distribution == "taker"
    assert problems(registry) == {"taker": "name taken by a built-in: model gan"}


def test_two_third_parties_with_one_name_are_an_error_when_it_is_asked_for(install) -> None:
    for name in ("first", "second"):
        install(name, MODULE.format(hook="register_models", name="twin", target="a:B"))
    registry = load_registry()
    assert problems(registry) == {}
    with pytest.raises(RequestError, match="registered by first and second"):
        registry.find("model", "twin")


@pytest.mark.parametrize(
    ("allowed", "loaded"), [("", []), ("one", ["one"]), ("two-point", ["two"]), ("one, two", ["one", "two"])]
)
def test_genbench_plugins_chooses(allowed: str, loaded: list[str], install, monkeypatch) -> None:
    for name in ("one", "two"):
        install(name, MODULE.format(hook="register_models", name=name, target="a:B"))
    monkeypatch.setenv("GENBENCH_PLUGINS", allowed)
    assert [plugin.distribution for plugin in load_registry().plugins] == ["genbench", *loaded]


def test_a_near_miss_is_answered() -> None:
    with pytest.raises(RequestError, match=r"unknown model 'gaan'. Did you mean gan\?"):
        load_registry().find("model", "gaan")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing-class", "there is no class 'Nowhere' in genbench_toy"),
        ("not-a-model", "genbench_toy:Brightness is a subclass of genbench.Metric, not of genbench.Model"),
    ],
)
def test_a_target_that_cannot_be_loaded_names_its_distribution(name: str, reason: str, toy: str) -> None:
    with pytest.raises(PluginError, match=f"of {toy} is broken: .*{reason}"):
        load_registry().find("model", name).load()


def test_what_a_plugin_prints_on_import_stays_out_of_stdout(install, capsys: pytest.CaptureFixture[str]) -> None:
    install("chatty", "print('hello')")
    load_registry()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")

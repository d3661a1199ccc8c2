"""How the source is laid out: no file leads back to itself, and no two of a package share a name."""

from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

import genbench

SOURCE = Path(genbench.__file__).parent


def test_no_import_leads_back_to_where_it_came_from() -> None:
    """Imports within functions and those for type checkers count too: what needs them knows of each other."""
    graph = grimp.build_graph("genbench", "genbench_plugins", exclude_type_checking_imports=False, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    imports["genbench"] = set()  # what it hands on is loaded when it is asked for
    assert len(list(TopologicalSorter(imports).static_order())) == len(imports)


def test_no_two_files_of_the_harness_share_a_name() -> None:
    names = Counter(path.name for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
    shared = {name for name, count in names.items() if count > 1}
    assert not shared

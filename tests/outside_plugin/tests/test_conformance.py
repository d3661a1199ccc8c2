"""Do the model and the metric keep the rules of genbench's plugins?"""

from collections.abc import Callable

from genbench.testing import parametrize_with_checks


@parametrize_with_checks(["mixture", "nearest-real"])
def test_conformance(check: Callable[[], None]) -> None:
    """Check one rule of one plugin."""
    check()

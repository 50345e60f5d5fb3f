"""Calls without a price are counted, and each model is told once."""

from app.gateway.unpriced import UnpricedCalls
from tests.gateway.logged_lines import log  # noqa: F401  # a fixture


def test_a_model_is_told_once_and_each_call_is_counted(log: list[str]) -> None:  # noqa: F811  # the fixture
    unpriced = UnpricedCalls()
    for _ in range(3):
        unpriced.note("nobody.knows", "Converse", "us-east-1")
    unpriced.note(None, "InvokeFlow", "us-east-1")

    assert unpriced.count == 4
    assert log == [
        "no price for 'nobody.knows' (Converse in us-east-1): its calls cost null. Add it to OUTCROP_PRICES, see "
        "docs/prices.md.",
        "no price for 'InvokeFlow' (InvokeFlow in us-east-1): its calls cost null. Add it to OUTCROP_PRICES, see "
        "docs/prices.md.",
    ]


def test_no_name_that_a_caller_makes_up_breaks_the_log(log: list[str]) -> None:  # noqa: F811  # the fixture
    UnpricedCalls().note("a\n{}\x1b" + "x" * 5000, "Converse", None)

    assert len(log[0].splitlines()) == 1
    assert len(log[0]) < 500


def test_names_are_kept_within_bounds(log: list[str]) -> None:  # noqa: F811  # the fixture
    unpriced = UnpricedCalls()
    for number in range(1500):
        unpriced.note(f"nobody.model-{number}", "Converse", "us-east-1")

    assert unpriced.count == 1500
    assert len(log) == 1000

"""What requests about accounts share: what is said, what is cleared, and what is refused."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from app.core.errors import InvalidField
from app.web.admin_api.account_forms import LIMITS, LISTS, LimitFields, ListFields, gently
from app.web.admin_api.fields import Metadata, Name, Text


class AForm(LimitFields, ListFields):
    meanings: ClassVar[Mapping[str, str]] = {"a_name": "alias"}
    nulls_clear: ClassVar[frozenset[str]] = frozenset(("rpm_limit",))
    unenforced: ClassVar[Mapping[str, str]] = {"own": "do without"}
    a_name: Text | None = None
    metadata: Metadata | None = None
    unset: list[Name] | None = None


NAMES = LIMITS | LISTS | {"a_name", "metadata"}


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        ({}, {}),
        ({"a_name": "x", "models": ["m"]}, {"alias": "x", "models": ["m"]}),
        ({"a_name": "", "models": None, "tpm_limit": None}, {}),
        ({"models": [], "metadata": {}}, {"models": [], "metadata": {}}),
        ({"rpm_limit": None}, {"rpm_limit": None}),
        ({"rpm_limit": 0}, {"rpm_limit": 0}),
        (
            {"unset": ["tpm_limit", "models", "metadata", "a_name"]},
            {"tpm_limit": None, "models": (), "metadata": {}, "alias": None},
        ),
        ({"unset": ["tpm_limit"], "tpm_limit": 5}, {"tpm_limit": None}),
        ({"nonsense": 1}, {}),
    ],
)
def test_what_is_said_by_the_names_of_accounts(sent: dict[str, object], given: dict[str, object]) -> None:
    assert AForm.model_validate(sent).given(NAMES) == given


@pytest.mark.parametrize("name", ["guardrails", "own", "unset", "budget_reset_at"])
def test_what_cannot_be_held_to_or_unset_is_refused_by_its_name(name: str) -> None:
    sent = {"unset": ["user_role"]} if name == "unset" else {name: ["x"]}
    if name == "budget_reset_at":
        sent, name = {"unset": ["budget_reset_at"]}, "unset"

    with pytest.raises(InvalidField) as caught:
        AForm.model_validate(sent).given(NAMES)

    assert caught.value.param == name


@pytest.mark.parametrize("value", [None, False, "", [], {}, {"a": []}])
def test_a_restriction_that_is_empty_says_nothing(value: object) -> None:
    assert AForm.model_validate({"guardrails": value, "metadata": {"guardrails": value}}).given({"a_name"}) == {}


def test_a_restriction_in_metadata_is_refused_where_the_peer_would_read_it() -> None:
    with pytest.raises(InvalidField) as caught:
        AForm.model_validate({"metadata": {"model_rpm_limit": {"m": 1}}}).given(NAMES)

    assert caught.value.param == "metadata.model_rpm_limit"
    assert "Instead: set rpm_limit" in caught.value.message


@pytest.mark.parametrize("count", [0, 1, 50, 51, 200])
def test_long_lists_are_the_same_when_they_are_told_gently(count: int) -> None:
    assert list(gently(range(count))) == list(range(count))

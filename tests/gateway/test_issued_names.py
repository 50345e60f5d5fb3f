"""Which tokens there are, in little memory."""

from app.gateway.issued_names import IssuedNames


def test_what_was_given_is_in_it() -> None:
    names = IssuedNames()
    names.replace([("token", "a"), ("access_key_id", "b")])
    names.add(("token", "c"))

    assert all(name in names for name in (("token", "a"), ("access_key_id", "b"), ("token", "c")))


def test_what_was_not_is_not() -> None:
    names = IssuedNames()
    names.replace([("token", "a")])

    assert ("token", "b") not in names
    assert ("access_key_id", "a") not in names


def test_a_new_list_takes_the_place_of_the_old() -> None:
    names = IssuedNames()
    names.replace([("token", "a")])
    names.replace([("token", "b")])

    assert ("token", "a") not in names
    assert ("token", "b") in names

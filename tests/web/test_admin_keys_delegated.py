"""A team's admin who kept the text of a member's key gains nothing when the member rises, on both databases."""

import pytest

from tests.web.admin_client import AdminClient


@pytest.fixture
def boss(admin: AdminClient) -> str:
    """The key of the admin of the team red, in which bob is a member."""
    for team in ("red", "blue"):
        admin.made("/team/new", team_id=team)
    for user, role in (("boss", "admin"), ("bob", "user")):
        admin.made("/user/new", user_id=user, auto_create_key=False)
        admin.made("/team/member_add", team_id="red", member={"role": role, "user_id": user})
    return admin.new_key(user_id="boss", team_id="red")


def _kept(admin: AdminClient, boss: str, how: str) -> str:
    if how == "issued":
        answer = admin.post("/key/generate", boss, team_id="red", user_id="bob")
    elif how == "rotated":
        key = admin.new_key(team_id="red", user_id="bob")
        answer = admin.post("/key/regenerate", boss, key=key)
    else:
        answer = admin.post("/key/generate", boss, team_id="red", user_id="boss")
        assert admin.post("/key/update", boss, key=answer.json["key"], user_id="bob").status_code == 200
    assert answer.status_code == 200, answer.text
    assert "delegated" not in answer.json
    text: str = answer.json["key"]
    return text


@pytest.mark.parametrize("how", ["issued", "rotated", "given away"])
def test_who_kept_a_member_s_key_is_no_administrator_when_the_member_becomes_one(
    admin: AdminClient, boss: str, how: str
) -> None:
    kept = _kept(admin, boss, how)
    own = admin.new_key(user_id="bob", team_id="red")

    admin.made("/user/update", user_id="bob", user_role="proxy_admin")

    assert admin.get("/user/list", own).status_code == 200
    assert admin.get("/user/list", kept).status_code in (401, 403)
    assert admin.get("/user/info", kept, user_id="bob").status_code in (401, 403)
    assert admin.post("/user/new", kept, user_id="eve").status_code in (401, 403)
    assert admin.post("/key/generate", kept).status_code in (401, 403)
    assert admin.post("/key/regenerate", kept, key=kept).status_code in (401, 403)
    assert admin.get("/key/info", kept).status_code == 200


def test_who_kept_a_member_s_key_is_no_admin_of_another_team_with_the_member(admin: AdminClient, boss: str) -> None:
    kept = _kept(admin, boss, "issued")
    own = admin.new_key(user_id="bob", team_id="red")

    admin.made("/team/member_add", team_id="blue", member={"role": "admin", "user_id": "bob"})

    assert admin.post("/key/generate", own, team_id="blue").status_code == 200
    assert admin.post("/key/generate", kept, team_id="blue").status_code in (401, 403)
    assert admin.get("/team/info", kept, team_id="blue").status_code in (401, 403)


def test_the_administrator_makes_it_the_user_s_own_by_rotating_it(admin: AdminClient, boss: str) -> None:
    kept = _kept(admin, boss, "issued")
    admin.made("/user/update", user_id="bob", user_role="proxy_admin")

    anew = admin.made("/key/regenerate", key=kept)["key"]

    assert admin.get("/user/list", anew).status_code == 200
    assert admin.get("/user/list", kept).status_code == 401

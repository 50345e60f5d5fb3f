"""/user routes."""

from functools import partial
from typing import Any

from app.gateway.standings import Standings
from app.gateway.user_desk import UserDesk
from app.web.admin_api.routes import AdminCall, Nothing, Route
from app.web.admin_api.user_answers import (
    UserInfo,
    UserMade,
    UserMadeAlone,
    UserPage,
    UserUpdated,
    user_answer,
    user_counted,
    user_info,
    user_made,
)
from app.web.admin_api.user_forms import UserAsked, UsersAsked, UsersNamed, UserToMake, UserUpdate


class UserViews:
    """What the routes do."""

    def __init__(self, desk: UserDesk, standings: Standings) -> None:
        self._desk = desk
        self._standings = standings

    def new(self, call: AdminCall[Nothing, UserToMake]) -> UserMade | UserMadeAlone:
        view, issued = self._desk.create(call.actor, call.body.new_user())
        return user_made(view, issued)

    def info(self, call: AdminCall[UserAsked, Nothing]) -> UserInfo:
        view = self._desk.info(call.actor, call.query.user_id or None)
        return user_info(view, self._standings.of_user(view.user))

    def update(self, call: AdminCall[Nothing, UserUpdate]) -> UserUpdated:
        body = call.body
        view = self._desk.update(call.actor, body.user_id or None, body.user_email or None, body.changes())
        return UserUpdated(user_id=view.user.id, data=user_answer(view))

    def delete(self, call: AdminCall[Nothing, UsersNamed]) -> int:
        return self._desk.delete(call.actor, call.body.user_ids)

    def list(self, call: AdminCall[UsersAsked, Nothing]) -> UserPage:
        found = self._desk.page(call.actor, call.query.query())
        return UserPage(
            users=[user_counted(view) for view in found.items],
            total=found.total,
            page=call.query.page,
            page_size=call.query.page_size,
            total_pages=-(-found.total // call.query.page_size),
        )


def routes(desk: UserDesk, standings: Standings) -> list[Route[Any, Any]]:
    """All /user routes, which the administrator may use."""
    views = UserViews(desk, standings)
    post = partial(Route, method="POST", access="administrator", query=Nothing)
    get = partial(Route, method="GET", body=Nothing)
    made: Any = UserMade | UserMadeAlone
    return [
        post(rule="/user/new", summary="Make a user, with a first key.", body=UserToMake, answer=made, view=views.new),
        get(
            rule="/user/info",
            summary="Show a user with its keys and teams.",
            # the desk refuses by 403, as the peer does
            access="holder",
            query=UserAsked,
            answer=UserInfo,
            view=views.info,
        ),
        post(rule="/user/update", summary="Change a user.", body=UserUpdate, answer=UserUpdated, view=views.update),
        post(
            rule="/user/delete",
            summary="Delete users with their keys and memberships; answers how many.",
            body=UsersNamed,
            answer=int,
            view=views.delete,
        ),
        get(
            rule="/user/list",
            summary="List users.",
            access="administrator",
            query=UsersAsked,
            answer=UserPage,
            view=views.list,
        ),
    ]

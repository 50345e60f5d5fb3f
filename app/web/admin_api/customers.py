"""/customer routes, which the peer has under /end_user too."""

from typing import Any

from app.gateway.customer_desk import CustomerDesk
from app.gateway.standings import Standings
from app.web.admin_api.account_forms import gently
from app.web.admin_api.customer_forms import (
    CustomerAnswer,
    CustomerAsked,
    CustomerInfo,
    CustomersAsked,
    CustomersBlocked,
    CustomersDeleted,
    CustomersNamed,
    CustomerUpdate,
    NewCustomer,
    customer_answer,
    customer_info,
)
from app.web.admin_api.routes import AdminCall, Nothing, Route


class CustomerViews:
    """What the routes do."""

    def __init__(self, desk: CustomerDesk, standings: Standings) -> None:
        self._desk = desk
        self._standings = standings

    def new(self, call: AdminCall[Nothing, NewCustomer]) -> CustomerAnswer:
        return customer_answer(self._desk.create(call.actor, call.body.user_id, call.body.changes()))

    def info(self, call: AdminCall[CustomerAsked, Nothing]) -> CustomerInfo:
        view = self._desk.info(call.actor, call.query.end_user_id)
        return customer_info(view, self._standings.of_customer(view.customer, view.budget))

    def update(self, call: AdminCall[Nothing, CustomerUpdate]) -> CustomerAnswer:
        return customer_answer(self._desk.update(call.actor, call.body.user_id, call.body.changes()))

    def delete(self, call: AdminCall[Nothing, CustomersNamed]) -> CustomersDeleted:
        count = self._desk.delete(call.actor, call.body.user_ids)
        message = f"Successfully deleted customers with ids: {call.body.user_ids}"
        return CustomersDeleted(deleted_customers=count, message=message)

    def list(self, call: AdminCall[CustomersAsked, Nothing]) -> list[CustomerAnswer]:
        return [customer_answer(view) for view in gently(self._desk.every(call.actor, call.query.team_id))]

    def block(self, call: AdminCall[Nothing, CustomersNamed]) -> CustomersBlocked:
        views = self._desk.block(call.actor, call.body.user_ids)
        return CustomersBlocked(blocked_users=[customer_answer(view) for view in views])

    def unblock(self, call: AdminCall[Nothing, CustomersNamed]) -> CustomersBlocked:
        views = self._desk.unblock(call.actor, call.body.user_ids)
        return CustomersBlocked(blocked_users=[customer_answer(view) for view in views])


def routes(desk: CustomerDesk, standings: Standings) -> list[Route[Any, Any]]:
    """All /customer routes, which the administrator may use."""
    views = CustomerViews(desk, standings)
    table: list[tuple[str, str, str, Any, Any, Any]] = [
        ("POST", "new", "Make an end user known.", NewCustomer, CustomerAnswer, views.new),
        ("GET", "info", "Show an end user.", CustomerAsked, CustomerInfo, views.info),
        ("POST", "update", "Change an end user.", CustomerUpdate, CustomerAnswer, views.update),
        ("POST", "delete", "Delete end users.", CustomersNamed, CustomersDeleted, views.delete),
        ("GET", "list", "List end users.", CustomersAsked, list[CustomerAnswer], views.list),
        ("POST", "block", "Block end users, also unknown ones.", CustomersNamed, CustomersBlocked, views.block),
        ("POST", "unblock", "Let blocked end users call.", CustomersNamed, CustomersBlocked, views.unblock),
    ]
    return [
        Route(
            method=method,
            rule=f"/customer/{name}",
            also=(f"/end_user/{name}",),
            summary=summary,
            access="administrator",
            query=form if method == "GET" else Nothing,
            body=Nothing if method == "GET" else form,
            answer=answer,
            view=view,
        )
        for method, name, summary, form, answer, view in table
    ]

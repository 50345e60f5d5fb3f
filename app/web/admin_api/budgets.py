"""/budget routes."""

from functools import partial
from typing import Any

from app.core.errors import InvalidField
from app.gateway.budget_desk import BudgetDesk
from app.web.admin_api.customer_forms import (
    BudgetAnswer,
    BudgetFields,
    BudgetNamed,
    BudgetsNamed,
    BudgetUpdate,
    budget_answer,
)
from app.web.admin_api.routes import AdminCall, Nothing, Route


class BudgetViews:
    """What the routes do."""

    def __init__(self, desk: BudgetDesk) -> None:
        self._desk = desk

    def new(self, call: AdminCall[Nothing, BudgetFields]) -> BudgetAnswer:
        return budget_answer(self._desk.create(call.actor, call.body.budget_id or None, call.body.changes()))

    def info(self, call: AdminCall[Nothing, BudgetsNamed]) -> list[BudgetAnswer]:
        if not call.body.budgets:
            raise InvalidField("Specify list of budget id's to query. Passed in=[]", "budgets")
        return [budget_answer(budget) for budget in self._desk.named(call.actor, call.body.budgets)]

    def update(self, call: AdminCall[Nothing, BudgetUpdate]) -> BudgetAnswer:
        if not call.body.budget_id:
            raise InvalidField("budget_id is required", "budget_id")
        return budget_answer(self._desk.update(call.actor, call.body.budget_id, call.body.changes()))

    def list(self, call: AdminCall[Nothing, Nothing]) -> list[BudgetAnswer]:
        return [budget_answer(budget) for budget in self._desk.every(call.actor)]

    def delete(self, call: AdminCall[Nothing, BudgetNamed]) -> BudgetAnswer:
        return budget_answer(self._desk.delete(call.actor, call.body.id))


def routes(desk: BudgetDesk) -> list[Route[Any, Any]]:
    """All /budget routes, which the administrator may use."""
    views = BudgetViews(desk)
    post = partial(Route, method="POST", access="administrator", query=Nothing)
    get = partial(Route, method="GET", access="administrator", body=Nothing)
    return [
        post(rule="/budget/new", summary="Make a budget.", body=BudgetFields, answer=BudgetAnswer, view=views.new),
        post(
            rule="/budget/info",
            summary="Show budgets.",
            body=BudgetsNamed,
            answer=list[BudgetAnswer],
            view=views.info,
            reads=True,
        ),
        post(
            rule="/budget/update", summary="Change a budget.", body=BudgetUpdate, answer=BudgetAnswer, view=views.update
        ),
        get(rule="/budget/list", summary="List budgets.", query=Nothing, answer=list[BudgetAnswer], view=views.list),
        post(
            rule="/budget/delete",
            summary="Delete a budget that nothing names.",
            body=BudgetNamed,
            answer=BudgetAnswer,
            view=views.delete,
        ),
    ]

"""Operations whose usage is no model's tokens: counting, guardrails, reranking, what is started and ends elsewhere."""

from app.core import usage_forms
from app.core.json_skim import Skimmed
from app.core.usage import Usage
from app.core.usage_forms import count, members
from app.core.usage_reader import Asked, Reader

_NAMES = ("inputTokens", "input_tokens")
_CHECKS = ("contentFilter", "promptAttack", "sensitiveInformation")


class Units(Reader):
    """A reader of counts that stand in a JSON answer by themselves."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.estimates = False
        self.found: dict[str, int] | None = None

    def _usage(self, *, complete: bool) -> Usage:
        if complete and self.found is not None and not self.problem:
            return self._told(Usage("reported", self.found, self.method))
        return self._unknown(self.problem)


class CountTokens(Units):
    """Free of charge."""

    wants = frozenset(_NAMES)
    method = "count_tokens"

    def read_body(self, skimmed: Skimmed) -> None:
        counted = count(skimmed.values, *_NAMES)
        self.found = None if counted is None else {"counted": counted}


class ApplyGuardrail(Units):
    """Its units, in AWS's words; none of them is no charge."""

    wants = frozenset(("usage",))
    method = "guardrail"

    def read_body(self, skimmed: Skimmed) -> None:
        usage = skimmed.values.get("usage")
        if isinstance(usage, dict):
            self.found = dict(usage_forms.guardrail_units(usage))


class InvokeGuardrailChecks(Units):
    """`usage.contentFilter.textUnits` and so on: contentFilterTextUnits."""

    wants = frozenset(("usage",))
    method = "guardrail_checks"

    def read_body(self, skimmed: Skimmed) -> None:
        usage = skimmed.values.get("usage")
        if not isinstance(usage, dict):
            return
        self.found = {}
        for check in _CHECKS:
            units = count(members(usage.get(check)), "textUnits")
            if units:
                self.found[f"{check}TextUnits"] = units


class Requested(Units):
    """What the request says AWS will bill, once an answer shows that AWS took it."""

    method = "request"
    wants = frozenset(("results", "invocationArn"))

    def read_body(self, skimmed: Skimmed) -> None:
        taken = "results" in skimmed.sizes or isinstance(skimmed.values.get("invocationArn"), str)
        if taken and self.asked.facts.units:
            self.found = dict(self.asked.facts.units)

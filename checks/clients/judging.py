"""Whether a call came out as it must: what its client shows, and what AWS got of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from checks.clients.answers import THROTTLED_MESSAGE
from checks.clients.aws_clients import Attempt
from checks.clients.children import Given, Outcome
from checks.clients.configurations import Call, Client
from tests.standin_bedrock import SIGNING_NAMES
from tests.standin_messages import Recorded

LONGEST = 300  # characters of a reason


@dataclass(frozen=True)
class Verdict:
    """ok without a reason; a note says what else is worth knowing."""

    reason: str = ""
    note: str = ""


def succeeded(call: Call, outcome: Outcome, arrived: Sequence[Recorded], given: Given) -> Verdict:
    """Judge a call that must be answered."""
    wrong = [] if call.text in outcome.text and not outcome.error else [f"the client shows {shown(outcome)}"]
    if len(arrived) != 1:
        wrong.append(f"{len(arrived)} requests arrived at AWS")
    return Verdict("; ".join(wrong + _wrong_at_aws(call, arrived, given)))


def throttled(client: Client, outcome: Outcome, arrived: Sequence[Recorded], given: Given) -> Verdict:
    """Judge a call that AWS refuses."""
    wrong = _wrong_error([*client.throttled, THROTTLED_MESSAGE], outcome)
    note = f"{', '.join(client.throttled)}; attempts: {len(arrived)}"
    return Verdict("; ".join(wrong + _wrong_at_aws(client.calls[0], arrived, given)), note)


def refused(words: Sequence[str], outcome: Outcome, arrived: Sequence[Recorded]) -> Verdict:
    """Judge a call that the gateway refuses, which the client must show in these words."""
    wrong = _wrong_error(words, outcome)
    if arrived:
        wrong.append(f"{len(arrived)} requests arrived at AWS")
    return Verdict("; ".join(wrong), ", ".join(words[:-1]))


def answered_so(answered: Sequence[Attempt], expected: Sequence[Attempt]) -> Verdict:
    """Judge what the gateway answered a client, attempt by attempt."""
    note = ", then ".join(error or str(status) for status, error in answered)
    return Verdict("" if answered == expected else f"the gateway answered {answered}", note)


def stands_in_readme(client: Client, readme: str) -> Verdict:
    """Judge whether the client is configured as README.md's table says."""
    row = re.search(rf"^\| {re.escape(client.readme)} \| `([^`]*)`.*\|$", readme, re.MULTILINE)
    if not row:
        return Verdict(f"README.md's table has no client {client.readme!r}")
    told = row[1]
    variables = " ".join(f"{name}={value}" for name, value in client.variables.items())
    pattern = re.escape(_bare(told)).replace(r"\.\.\.", ".+?")  # `messages=...` is the caller's own business
    if set(told.split()) <= set(variables.split()) or re.search(pattern, _bare(client.how.source())):
        return Verdict()
    return Verdict(f"README.md says {told}, and what runs here is another configuration")


def shown(outcome: Outcome) -> str:
    return ascii(outcome.error or outcome.text)[:LONGEST]


def _wrong_error(expected: Sequence[str], outcome: Outcome) -> list[str]:
    missing = [words for words in expected if words not in outcome.error]
    return [f"{missing} is missing in what the client shows: {shown(outcome)}"] if missing else []


def _wrong_at_aws(call: Call, arrived: Sequence[Recorded], given: Given) -> list[str]:
    wrong = [] if arrived else ["nothing arrived at AWS"]
    for request in arrived:
        verdict = request.verdict
        if verdict is None or not verdict.ok:
            wrong.append(f"the signature does not verify: {verdict.reason if verdict else 'there is none'}")
        elif verdict.service != SIGNING_NAMES[request.service]:
            wrong.append(f"signed for {verdict.service}")
        if request.service != call.service:
            wrong.append(f"it went to {request.service}, not {call.service}")
        if any(secret.encode() in request.raw for secret in given.secrets()):
            wrong.append("AWS got a credential of the caller's")
        if call.body and request.body != call.body:
            wrong.append(f"AWS got {len(request.body)} bytes that are not the {len(call.body)} sent")
    return wrong


def _bare(code: str) -> str:
    """Code without what a formatter may change."""
    return re.sub(r",(?=[)}])", "", re.sub(r"[\s\"']", "", code))

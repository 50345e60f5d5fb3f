"""A list of models holds against every spelling: hypothesis writes the calls, and an oracle of its own says what runs.

The oracle knows nothing of app/core: it reads what AWS would receive, as AWS documents ids and ARNs.
"""

import functools
import json
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.core.errors import AccessDenied, MalformedRequest
from app.core.operations import Operation
from app.core.targets import parse
from tests.core.judging import SAMPLE_LABELS, SERVICES, TABLE, body_with, judge, target_of, with_key

ONLY_ANTHROPIC = with_key(models=("anthropic.*",), operations=("all",))
QUICK = settings(
    derandomize=True, database=None, max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
RUNS_ANTHROPIC = re.compile(
    r"(arn:aws[a-z-]*:bedrock:[a-z0-9-]*:[0-9]*:(foundation-model|inference-profile)/)?"
    r"((us|eu|apac|ap|jp|au|ca|us-gov|global)\.)?anthropic\.[^/]*",
    re.DOTALL,
)
ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
WRAPPERS = [
    *(
        "{}",
        "{}",
        "{}",
        "us.{}",
        "global.{}",
        "us-gov.{}",
        "xx.{}",
        "us.us.{}",
        "US.{}",
        "bedrock/{}",
        "{}/abcdef012345",
    ),
    *(f"{ACCOUNT}:inference-profile/{{}}", f"{ACCOUNT}:inference-profile/eu.{{}}", f"{ACCOUNT}:foundation-model/{{}}"),
    "arn:aws:bedrock:us-east-1::foundation-model/{}",
    "arn:aws-cn:bedrock:us-east-1::foundation-model/{}",
    "ARN:aws:bedrock:us-east-1::foundation-model/{}",
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint/{}",
    "arn:aws:sagemaker:us-east-1::foundation-model/{}",
    *(
        f"{ACCOUNT}:{kind}/{{}}"
        for kind in (
            *("application-inference-profile", "provisioned-model", "imported-model", "custom-model-deployment"),
            *("prompt-router", "default-prompt-router", "prompt", "custom-model", "foundation-model/x"),
        )
    ),
    f"{ACCOUNT}:custom-model/anthropic.claude/{{}}",
    f"{ACCOUNT}:custom-model/{{}}/abcdef012345",
]
NAMES = [
    *("anthropic.claude-3-haiku-20240307-v1:0", "amazon.nova-lite-v1:0", "Anthropic.claude-v2", "anthropicx.model-v1"),
    *("xanthropic.claude-v2", "anthropic", "anthropic.", "abcdef012345", "meta.anthropic.x", "amazon.anthropic.x"),
    *("anthropic.x:0", "anthropic%2Eclaude", "ANTHROPIC.CLAUDE", "anthropic.*", "*", "cohere.rerank-v3-5:0"),
]
MASK_BITS = 40
MASKS = st.integers(0, 2**MASK_BITS - 1)
SUFFIXES = [
    *("converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens", "converse/", "Converse"),
    *("invoke/", "x", "%63onverse", "converse%2F", "async-invoke", "converse?x=1"),
]
OTHER_CHARACTERS = "/%.:;*? -_\\aA0\u00e9\x00\n&=+@#"
BODY_PLACES = [
    (operation, path) for operation in TABLE.operations for path in operation.models if path.startswith("body.")
]

PATH_PLACES = [
    (operation, path.removeprefix("path."))
    for operation in TABLE.operations
    for path in operation.models
    if path.startswith("path.") and not operation.bidirectional
]


@st.composite
def model_texts(draw: st.DrawFn) -> str:
    """A model's name in some wrapper, with up to two characters put in."""
    text = draw(st.sampled_from(WRAPPERS)).format(draw(st.sampled_from(NAMES)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(OTHER_CHARACTERS)) + text[at:]
    return text


@st.composite
def spelt_in_a_path(draw: st.DrawFn, text: str) -> str:
    """Characters raw or percent-encoded, in either case, up to three times over."""
    layers = draw(st.sampled_from([0, 1, 1, 1, 2, 3]))
    if not layers:
        return quote(text, safe=":")
    spelt = _some(draw(MASKS), text, _escaped)
    for _ in range(layers - 1):
        spelt = spelt.replace("%", draw(st.sampled_from(["%25", "%2525"])))
    if draw(st.booleans()):
        spelt = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), spelt)
    return quote(spelt, safe="%/:;*?-_.&=+@")


@st.composite
def spelt_in_a_body(draw: st.DrawFn, text: str) -> str:
    """A JSON string, some of its characters escaped, and perhaps in another case."""
    cases: list[Callable[[str], str]] = [str, str, str, str.upper, str.lower, str.swapcase]
    case = draw(st.sampled_from(cases))
    return '"' + _some(draw(MASKS), case(text), _escaped_in_json, lambda c: json.dumps(c)[1:-1]) + '"'


def _some(
    mask: int, text: str, changed: Callable[[str], str], kept: Callable[[str], str] = lambda character: character
) -> str:
    """The characters whose bit is set changed, the others kept."""
    return "".join(changed(c) if mask >> (at % MASK_BITS) & 1 else kept(c) for at, c in enumerate(text))


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _escaped_in_json(character: str) -> str:
    return f"\\u{ord(character):04x}"


@st.composite
def calls_of_models(draw: st.DrawFn) -> tuple[str, str]:
    spelt = draw(spelt_in_a_path(draw(model_texts())))
    region = draw(st.sampled_from(["", "", "us-east-1/"]))
    front = draw(st.sampled_from(["/bedrock", "/bedrock", "/bedrock-runtime"]))
    return f"{front}/{region}", f"model/{spelt}/{draw(st.sampled_from(SUFFIXES))}"


@QUICK
@given(call=calls_of_models())
@example(call=("/bedrock/", "model/amazon.nova-lite-v1:0/converse/"))
@example(call=("/bedrock/", "model/anthropic.x%2F..%2Famazon.nova-lite-v1:0/converse"))
@example(call=("/bedrock/", "model/anthropic.x%252F..%252Famazon.nova-lite-v1:0/invoke"))
def test_no_spelling_of_a_path_reaches_another_model(call: tuple[str, str]) -> None:
    raw = "".join(call)
    try:
        judge(ONLY_ANTHROPIC, raw, {"messages": []})
    except (AccessDenied, MalformedRequest):
        return
    received = parse(raw, SERVICES).path.split("/")

    assert received[1] == "model"
    assert RUNS_ANTHROPIC.fullmatch(unquote(received[2])), raw


@QUICK
@given(
    place=st.sampled_from(BODY_PLACES),
    text=model_texts(),
    data=st.data(),
)
def test_no_spelling_in_a_body_reaches_another_model(
    place: tuple[Operation, str], text: str, data: st.DataObject
) -> None:
    operation, path = place
    raw, headers = target_of(operation, {})
    value = data.draw(spelt_in_a_body(text))
    spell = functools.partial(_spelt_name, data.draw(MASKS), data.draw(st.booleans()))
    names = re.sub(r'"([^"@]+)"(?=:)', spell, json.dumps(body_with(path, "@")))
    # the others are for what stands in the path of some, where no id of a model of Anthropic's may stand
    who = with_key(models=("anthropic.*", "abcdef012345", "X"), operations=("all", operation.operation))
    try:
        judge(who, raw, names.replace('"@"', value).encode(), method=operation.method, headers=headers)
    except (AccessDenied, MalformedRequest):
        return

    told = json.loads(value)
    assert RUNS_ANTHROPIC.fullmatch(re.sub(r"(?<![^/])(abcdef012345|X)$", "anthropic.x", told)), told


def _spelt_name(mask: int, upper: bool, found: re.Match[str]) -> str:
    name = found[1].upper() if upper else found[1]
    return '"' + _some(mask, name, _escaped_in_json) + '"'


@QUICK
@given(
    model=st.sampled_from(["", "us.", "eu.", "global.", "us-gov."]).map(
        "{}anthropic.claude-3-haiku-20240307-v1:0".format
    ),
    wrapper=st.sampled_from(["{}", f"{ACCOUNT}:inference-profile/{{}}"]),
    mask=MASKS,
)
def test_every_single_encoding_of_an_allowed_model_passes(model: str, wrapper: str, mask: int) -> None:
    spelt = _some(mask, wrapper.format(model), _escaped)

    judge(ONLY_ANTHROPIC, f"/bedrock/model/{spelt.replace('/', '%2F')}/converse", {"messages": []})


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("anthropic.claude-v2", True),
        ("us.anthropic.claude-v2", True),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2", True),
        ("amazon.nova-lite-v1:0", False),
        ("Anthropic.claude", False),
        (f"{ACCOUNT}:custom-model/anthropic.claude/abcdef012345", False),
        (f"{ACCOUNT}:prompt-router/anthropic.claude", False),
    ],
)
def test_the_oracle_knows_what_runs(text: str, runs: bool) -> None:
    assert bool(RUNS_ANTHROPIC.fullmatch(text)) is runs


@pytest.mark.parametrize(("operation", "label"), PATH_PLACES, ids=lambda value: getattr(value, "operation", value))
def test_under_the_list_no_operation_names_another_model_in_its_path(operation: Operation, label: str) -> None:
    who = with_key(models=("anthropic.*",), operations=("all", operation.operation))
    for model in ("amazon.nova-lite-v1:0", SAMPLE_LABELS.get(label, "X")):
        raw, _ = target_of(operation, {label: model})
        with pytest.raises((AccessDenied, MalformedRequest)):
            judge(who, raw, {}, method=operation.method)

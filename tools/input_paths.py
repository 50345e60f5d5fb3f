"""Which places of an operation's input name a model, a resource or an S3 location.

A path starts with where the value travels: `path.`, `query.`, `header.` or `body.`, then wire names (`locationName`,
not the member's name in the SDK) joined by dots. `a[]` is every element of the list `a`, `a{}` every value of the map
`a`. `**` is any depth, none included: `body.definition.**.modelId` is every key `modelId` somewhere below
`definition`. It stands where a shape contains itself, and where botocore does not model what is inside (a model's own
request body). A payload member is the body. Unions need nothing of their own: what a request leaves out names nothing.

Resources are things of Bedrock's own services. One that exists only inside another which the same call names (an
action group, a version, a memory record, a session of an agent) is not listed: the outer one is. Agent aliases, flow
aliases and data sources are, since they are granted one by one, and so is whatever stands alone (jobs, async
invocations, sessions with an ARN of their own). What other services own (roles, keys, functions, networks, log groups)
is not. `s3:` marks an S3 location, which AWS writes in three ways: `s3://bucket/key`, a bucket's ARN, or a bare bucket
name whose key is a sibling.

The decision hangs on the member's name, or on `Shape.member` where the name alone does not tell, and is reviewed by
hand in input_members.json. A member that looks like an identifier and is in none of its lists stops the generator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REVIEW = Path(__file__).with_name("input_members.json")

LOCATIONS = {"uri": "path", "querystring": "query", "header": "header", "headers": "header", None: "body"}

IDENTIFIER_NAME = re.compile(
    r"(?:arns?|ids?|identifiers?|uris?|models?|bucket(?:name)?)$|(?:arn|model)equals$", re.IGNORECASE
)
IDENTIFIER_PATTERN = re.compile(
    r":bedrock(?:-agentcore)?:|s3://|foundation-model|inference-profile|provisioned-model|custom-model|imported-model|model-package"
)

# The native bodies of models are not modelled; those that read from S3 (Nova, TwelveLabs) write `s3Location: {uri}`.
# Converse adds the fields it is given to such a body.
OPAQUE_BODIES = {
    "Converse": "s3:body.additionalModelRequestFields.**.s3Location.uri",
    "ConverseStream": "s3:body.additionalModelRequestFields.**.s3Location.uri",
    "CountTokens": "s3:body.input.converse.additionalModelRequestFields.**.s3Location.uri",
    "InvokeModel": "s3:body.**.s3Location.uri",
    "InvokeModelWithResponseStream": "s3:body.**.s3Location.uri",
    "StartAsyncInvoke": "s3:body.modelInput.**.s3Location.uri",
}


class UnreviewedInputError(Exception):
    """Members that look like identifiers and that nobody has put into a list."""


@dataclass(frozen=True)
class Leaf:
    """One scalar of an input: where it is on the wire, and what botocore calls it."""

    path: str
    parent: str
    member: str
    shape: Any

    @property
    def looks_like_an_identifier(self) -> bool:
        """Whether its name or its pattern says so; closed vocabularies never do."""
        if self.shape.type_name != "string" or self.shape.metadata.get("enum"):
            return False
        pattern = self.shape.metadata.get("pattern", "")
        return bool(IDENTIFIER_NAME.search(self.member) or IDENTIFIER_PATTERN.search(pattern))


@dataclass(frozen=True)
class MemberReview:
    """The reviewed lists: what a member's name means."""

    kinds: dict[str, str]

    @classmethod
    def read(cls, source: Path = REVIEW) -> MemberReview:
        lists: dict[str, list[str]] = json.loads(source.read_text(encoding="utf-8"))
        return cls({member: kind for kind, members in lists.items() for member in members})

    def kind(self, leaf: Leaf) -> str | None:
        """`models`, `resources`, `s3`, `neither`, or None where nobody has said."""
        return self.kinds.get(f"{leaf.parent}.{leaf.member}", self.kinds.get(leaf.member))


@dataclass
class InputPaths:
    """The paths of one operation, and the labels of its URL that name a model."""

    models: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    labels: dict[str, Any] = field(default_factory=dict)

    def add(self, leaf: Leaf, kind: str) -> None:
        """Enter one reviewed leaf."""
        if kind == "models":
            self.models.append(leaf.path)
            if leaf.path.startswith("path."):
                self.labels[leaf.path.removeprefix("path.")] = leaf.shape
            # An inference profile is a model to run and a resource to look at or delete.
            if leaf.member == "inferenceProfileIdentifier":
                self.resources.append(leaf.path)
        elif kind == "resources":
            self.resources.append(leaf.path)
        elif kind == "s3":
            self.resources.append(f"s3:{leaf.path}")


def wire_name(member: str, shape: Any) -> str:
    """The name that travels."""
    return str(shape.serialization.get("name", member))


def input_leaves(shape: Any) -> Iterator[Leaf]:
    """Every scalar of an operation's input shape; below a shape that contains itself, by its last name only."""
    if shape is None:
        return
    payload = shape.serialization.get("payload")
    for member, inner in shape.members.items():
        location = LOCATIONS[inner.serialization.get("location")]
        path = "body" if member == payload else f"{location}.{wire_name(member, inner)}"
        for leaf in _walk(inner, Leaf(path, shape.name, member, inner), (shape.name,)):
            if leaf.shape.type_name == "structure":
                yield from _at_any_depth(leaf)
            else:
                yield leaf


def _walk(shape: Any, at: Leaf, above: tuple[str, ...]) -> Iterator[Leaf]:
    """The scalars of a shape, and the places where a shape meets itself, which stay structures."""
    if shape.type_name == "structure" and shape.name not in above:
        for member, inner in shape.members.items():
            inside = Leaf(f"{at.path}.{wire_name(member, inner)}", shape.name, member, inner)
            yield from _walk(inner, inside, (*above, shape.name))
    elif shape.type_name == "list":
        yield from _walk(shape.member, Leaf(f"{at.path}[]", at.parent, at.member, shape.member), above)
    elif shape.type_name == "map":
        yield from _walk(shape.value, Leaf(f"{at.path}{{}}", at.parent, at.member, shape.value), above)
    else:
        yield at


def _at_any_depth(place: Leaf) -> Iterator[Leaf]:
    for leaf in _walk(place.shape, place, ()):
        if leaf.shape.type_name != "structure":
            last = leaf.path.rpartition(".")[2]
            yield Leaf(f"{place.path}.**.{last}", leaf.parent, leaf.member, leaf.shape)


def input_paths(operation: Any, review: MemberReview) -> InputPaths:
    """What an operation's input names, by the review."""
    found, unreviewed = InputPaths(), []
    for leaf in input_leaves(operation.input_shape):
        kind = review.kind(leaf)
        if kind is None and leaf.looks_like_an_identifier:
            unreviewed.append(f"{leaf.path} ({leaf.parent}.{leaf.member})")
        elif kind is not None and leaf.shape.type_name == "string" and not leaf.shape.metadata.get("enum"):
            found.add(leaf, kind)
    if unreviewed:
        places = "; ".join(sorted(set(unreviewed)))
        message = f"{operation.name}: not reviewed: {places}. Add the member to a list of tools/{REVIEW.name}."
        raise UnreviewedInputError(message)
    if operation.name in OPAQUE_BODIES:
        found.resources.append(OPAQUE_BODIES[operation.name])
    found.models = sorted(set(found.models))
    found.resources = sorted(set(found.resources))
    return found

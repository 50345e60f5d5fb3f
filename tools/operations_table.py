"""Make app/core/bedrock_operations.json from the installed botocore's service models; no network.

    python -m tools.operations_table            write the table
    python -m tools.operations_table --check    say what differs and exit 1

What botocore cannot know is reviewed by hand, in files beside this one: operation_effects.json (what a call does to
the account), billed_operations.json (what AWS charges for), unnamed_models.json (which of these run a model that the
call does not name, or none), input_members.json (what an input names; input_paths.py explains the paths) and
shaped_paths.py (what botocore does not model). Keys of a row that would be null, false or empty are left out. Keys
that need a word:

    stream           true: the answer is an event stream, or a body that may be one;
                     "body": `"stream": true` in the request decides
    break_exception  the member of the event stream's union that may end it when the upstream breaks
    label_patterns   labels of the path that name a model: which of "patterns" a decoded value must match in full
    arn, arn_in      which ARN belongs here where services share method and path: the path's, unless arn_in says where
    unnamed_model    it runs a model that the call does not name, whatever models it names besides
    named_only       another service owns this path too; this row is meant only where the caller named the service
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import Loader
from botocore.model import ServiceModel

from tools.input_paths import MemberReview, UnreviewedInputError, input_paths
from tools.shaped_paths import MANTLE, shaped_rows
from tools.table_review import (
    BILLED,
    EFFECTS,
    UNNAMED,
    TableError,
    check_billed,
    check_effects,
    check_routes,
    check_unnamed,
    reviewed,
)

HERE = Path(__file__).parent
TABLE = HERE.parent / "app" / "core" / "bedrock_operations.json"

SERVICES = (
    *("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime", "bedrock-agentcore"),
    *("bedrock-agentcore-control", "bedrock-data-automation", "bedrock-data-automation-runtime"),
)

# An agent's own answer is a blob that botocore does not call a stream; it is SSE where the agent says so.
STREAMING_BLOBS = frozenset({"InvokeAgentRuntime"})
BIDIRECTIONAL = frozenset({"InvokeModelWithBidirectionalStream"})
BREAK_EXCEPTIONS = ("modelStreamErrorException", "internalServerException", "serviceUnavailableException")

AGENTCORE = {"arn": {"service": "bedrock-agentcore"}}
SESSION = {"arn": {"service": "bedrock", "resource": ["session"]}}
OTHERWISE = {"arn": {"otherwise": True}}
DATA_AUTOMATION = {
    "arn": {
        "service": "bedrock",
        "resource": [
            "blueprint",
            "blueprint-optimization-invocation",
            "data-automation-library",
            "data-automation-library-ingestion-job",
            "data-automation-project",
        ],
    },
    "arn_in": "body.resourceARN",
}
TAGS = ("ListTagsForResource", "TagResource", "UntagResource")
RESOURCE_POLICIES = ("DeleteResourcePolicy", "GetResourcePolicy", "PutResourcePolicy")

# What tells apart the operations that share method and path. PrepareAgent and InvokeInlineAgent need nothing here:
# they differ by a trailing slash.
COLLISIONS: dict[tuple[str, str], dict[str, Any]] = {
    **{("bedrock", name): {**OTHERWISE, "arn_in": "body.resourceARN"} for name in TAGS},
    **{("bedrock-data-automation", name): DATA_AUTOMATION for name in TAGS},
    **{("bedrock-agent", name): OTHERWISE for name in (*TAGS, *RESOURCE_POLICIES)},
    **{("bedrock-agent-runtime", name): SESSION for name in TAGS},
    **{("bedrock-agentcore-control", name): AGENTCORE for name in (*TAGS, *RESOURCE_POLICIES)},
}


ROW_KEYS = (
    *("service", "operation", "method", "path", "target", "effect", "billed", "unnamed_model"),
    *(
        "stream",
        "break_exception",
        "bidirectional",
        "named_only",
        "arn",
        "arn_in",
        "label_patterns",
        "models",
        "resources",
    ),
)


def service_models() -> dict[str, Any]:
    """The installed botocore's models."""
    loader = Loader()
    return {name: ServiceModel(loader.load_service_model(name, "service-2"), name) for name in SERVICES}


def service_row(model: Any) -> dict[str, Any]:
    """Where a service lives and how it is signed."""
    metadata = model.metadata
    speaks_json = metadata["protocol"] == "json"
    return {
        "service_id": metadata["serviceId"],
        "endpoint_prefix": metadata["endpointPrefix"],
        "signing_name": metadata.get("signingName", metadata["endpointPrefix"]),
        "bearer": "smithy.api#httpBearerAuth" in metadata.get("auth", []),
        "target_prefix": metadata["targetPrefix"] if speaks_json else None,
        "json_version": metadata["jsonVersion"] if speaks_json else None,
    }


def break_exception(operation: Any) -> str | None:
    """The exception that may end this operation's event stream."""
    if not operation.has_event_stream_output:
        return None
    members = operation.get_event_stream_output().members
    return next((name for name in BREAK_EXCEPTIONS if name in members), None)


def label_patterns(labels: Mapping[str, Any], patterns: dict[str, str]) -> dict[str, str]:
    """The name of each label's pattern; the pattern itself goes into `patterns`."""
    named = {}
    for label, shape in sorted(labels.items()):
        pattern = shape.metadata.get("pattern")
        if pattern is None:
            continue
        if patterns.setdefault(shape.name, pattern) != pattern:
            raise TableError(f"two services give {shape.name} different patterns: name them apart")
        re.compile(pattern)
        named[label] = shape.name
    return named


def operation_row(
    service: str, operation: Any, members: MemberReview, column: Mapping[str, Any], patterns: dict[str, str]
) -> dict[str, Any]:
    """One operation of botocore's. `column`: what was reviewed of it."""
    path = operation.http["requestUri"]
    if "?" in path or "+}" in path:
        raise TableError(
            f"{service} {operation.name}: {path} has a query or a greedy label, which the table cannot say"
        )
    inputs = input_paths(operation, members)
    metadata = operation.service_model.metadata
    return {
        "service": service,
        "operation": operation.name,
        "method": operation.http["method"],
        "path": path,
        "target": f"{metadata['targetPrefix']}.{operation.name}" if metadata["protocol"] == "json" else None,
        "stream": operation.has_event_stream_output or operation.name in STREAMING_BLOBS,
        "bidirectional": operation.name in BIDIRECTIONAL,
        "models": inputs.models,
        "resources": inputs.resources,
        "label_patterns": label_patterns(inputs.labels, patterns),
        "break_exception": break_exception(operation),
        **column,
        **COLLISIONS.get((service, operation.name), {}),
    }


def compact(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without what says nothing, its keys in one order."""
    return {key: row[key] for key in ROW_KEYS if row.get(key)}


def build(
    models: Mapping[str, Any],
    effects: Mapping[str, Mapping[str, str]],
    billed: Mapping[str, Iterable[str]],
    unnamed: Mapping[str, Mapping[str, Iterable[str]]],
) -> dict[str, Any]:
    """The whole table."""
    check_effects(models, effects)
    check_billed(models, billed)
    members, rows = MemberReview.read(), shaped_rows()
    patterns: dict[str, str] = {}
    for service, model in models.items():
        charged, untold = set(billed.get(service, ())), set(unnamed["unnamed"].get(service, ()))
        for name in model.operation_names:
            column = {"effect": effects[service][name], "billed": name in charged, "unnamed_model": name in untold}
            rows.append(operation_row(service, model.operation_model(name), members, column, patterns))
    check_unnamed(rows, unnamed)
    check_routes(rows)
    services = {service: service_row(model) for service, model in models.items()}
    return {
        "botocore": botocore.__version__,
        "partitions": partitions(),
        "services": dict(sorted({**services, "bedrock-mantle": MANTLE}.items())),
        "patterns": dict(sorted(patterns.items())),
        "operations": sorted(map(compact, rows), key=lambda row: (row["service"], row["operation"], row["path"])),
    }


def partitions() -> list[dict[str, str]]:
    """Which regions have which host names, in botocore's order."""
    return [
        {
            "regex": partition["regionRegex"],
            "dns_suffix": partition["outputs"]["dnsSuffix"],
            "dual_stack_dns_suffix": partition["outputs"]["dualStackDnsSuffix"],
        }
        for partition in Loader().load_data("partitions")["partitions"]
    ]


def written(table: Mapping[str, Any]) -> str:
    """One entry a line, so that a diff reads as a list of what changed."""
    parts = []
    for key, value in table.items():
        if isinstance(value, dict):
            lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items()]
            body = "{\n" + ",\n".join(lines) + "\n }"
        elif isinstance(value, list):
            body = "[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in value) + "\n ]"
        else:
            body = json.dumps(value)
        parts.append(f" {json.dumps(key)}: {body}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def difference(expected: str, found: str) -> str:
    """What --check prints."""
    lines = difflib.unified_diff(found.splitlines(), expected.splitlines(), "committed", "botocore", n=0, lineterm="")
    return "\n".join(line if len(line) <= 300 else f"{line[:300]}..." for line in lines)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.operations_table", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--check", action="store_true", help="compare with the committed table and say what differs")
    wanted = parser.parse_args(arguments)
    try:
        text = written(build(service_models(), reviewed(EFFECTS), reviewed(BILLED), reviewed(UNNAMED)))
    except (TableError, UnreviewedInputError) as error:
        print(error, file=sys.stderr)
        return 1
    if not wanted.check:
        TABLE.write_text(text, encoding="utf-8")
        return 0
    found = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    if found == text:
        return 0
    print(difference(text, found))
    print(f"{TABLE.name} is not what botocore {botocore.__version__} gives: run make table", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

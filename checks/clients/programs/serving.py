"""A client program's side of the check: calls come in on standard input, outcomes go out as JSON, one a line each."""

import json
import os
import sys
from collections.abc import Callable, Mapping

KEY = os.environ.get("KEY", "")  # unset where a client is configured by variables of its own
URL = os.environ.get("URL", "")
MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
OPENAI_MODEL = "openai.gpt-oss-120b-1:0"


def serve(calls: Mapping[str, Callable[[str], str]]) -> None:
    """Run the calls that are asked for, each with its prompt, until standard input ends."""
    for line in sys.stdin:
        name, prompt = line.split()
        try:
            outcome = {"text": calls[name](prompt)}
        except Exception as error:  # noqa: BLE001 - what a client raises is what the check wants to see
            outcome = {"error": type(error).__name__, "message": str(error)}
        # on a line of its own, whatever the client itself has printed before
        sys.stdout.write("\n" + json.dumps({"outcome": outcome}) + "\n")
        sys.stdout.flush()

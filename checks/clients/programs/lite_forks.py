"""`lite`, LiteLLM's command line, imported once: each command runs it in a fork, which saves the seconds of an import.

A call's prompt is the command's words and the key, as JSON; its outcome is what the command printed and its exit code.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import NoReturn

from litellm.proxy.client.cli import cli

from checks.clients.programs.serving import serve


def lite(prompt: str) -> str:
    asked = json.loads(prompt)
    with TemporaryFile() as output, TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            os.environ["LITELLM_PROXY_API_KEY"] = asked["key"]
            as_its_script_does(asked["words"])
        _, status = os.waitpid(child, 0)
        output.seek(0)
        errors.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return json.dumps({"code": code, "output": output.read().decode(), "errors": errors.read().decode()})


def as_its_script_does(words: Sequence[str]) -> NoReturn:
    """Run bin/lite's one line, `sys.exit(cli())`, and end this process as Python would."""
    sys.argv = ["lite", *words]
    code = 1
    try:
        cli()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, a command shows it and ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve({"lite": lite})

"""What there is to say of a client: how it is started and configured, its calls, and how it shows errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from checks.clients.answers import WHOLE_TEXT
from checks.clients.children import REPOSITORY, Program, Startable

HERE = Path(__file__).resolve().parent
ENVIRONMENT = REPOSITORY / ".venv-clients" / "bin"
LITELLM_ENVIRONMENT = REPOSITORY / ".venv-clients" / "litellm" / "bin"
TOLD = {"KEY": "$KEY", "URL": "$URL"}  # for programs that configure their client in code

RUNTIME, CONTROL, AGENTS, MANTLE = "bedrock-runtime", "bedrock", "bedrock-agent-runtime", "bedrock-mantle"
MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
OPENAI_MODEL = "openai.gpt-oss-120b-1:0"
PASSAGE = "An outcrop is visible bedrock."
UNKNOWN_KEY = "is not known here"  # what the gateway says of a wrong key


@dataclass(frozen=True)
class Call:
    """A call, what of the answer its client must show, and the service that must get it, with the body if it counts."""

    name: str
    text: str = WHOLE_TEXT
    service: str = RUNTIME
    body: bytes = b""


@dataclass(frozen=True)
class Client:
    """refused and throttled: words of the client's own error, when the key is wrong and when AWS throttles.

    operations: what its key may call; nothing is a key's default rights, which refuse the call `beyond_default`.
    """

    name: str
    how: Startable
    calls: tuple[Call, ...]
    refused: tuple[str, ...]
    throttled: tuple[str, ...]
    readme: str = ""  # its row in README.md's table
    throttled_by: str = ""  # the call that meets the throttling, where the first one would try again for minutes
    variables: Mapping[str, str] = field(default_factory=lambda: TOLD)
    operations: tuple[str, ...] = ()
    beyond_default: str = ""
    refusal: str = UNKNOWN_KEY  # what the gateway says where the key or the secret is wrong


def python(name: str, environment: Path = ENVIRONMENT) -> Program:
    command = [str(environment / "python"), "-m", f"checks.clients.programs.{name}"]
    return Program(command, HERE / "programs" / f"{name}.py")


def node(name: str) -> Program:
    file = HERE / "programs" / f"{name}.mjs"
    return Program(["node", str(file)], file)


def names(*calls: str) -> tuple[Call, ...]:
    return tuple(Call(name) for name in calls)


AWS_ERRORS = ("UnrecognizedClientException",), ("ThrottlingException",)
BOTO3_ERRORS = ("ClientError", "UnrecognizedClientException"), ("ThrottlingException",)
SDK_ERRORS = ("AuthenticationError",), ("RateLimitError",)

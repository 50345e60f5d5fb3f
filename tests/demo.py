"""`make demo`: the real gateway in front of a stand-in for AWS, shown to a person in a few seconds.

python -m tests.demo
"""

import json
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse

from botocore.eventstream import EventStreamBuffer

from tests.event_frames import Frame
from tests.gateway_process import GatewayProcess
from tests.standin_answers import converse_frames
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import event_stream

MODEL = "/bedrock/model/amazon.nova-lite-v1:0"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]})
KEY = "sk-demo"  # a weak one: with it the gateway serves this machine only
WRONG_KEY = "sk-wrong"
PACE_SECONDS = 0.2  # slow enough to see the events arrive one by one
WIDTH = 100


@dataclass
class Caller:
    """Calls the gateway as curl does."""

    gateway: GatewayProcess
    key: str = KEY

    def curl(self, path: str, body: str = BODY) -> str:
        """The same call for a shell."""
        return (
            f"    curl -N {self.gateway.url}{path} \\\n      -H 'Authorization: Bearer {self.key}' \\\n"
            f"      -H 'Content-Type: application/json' \\\n      -d '{body}' --output -"
        )

    def post(self, path: str, body: str = BODY) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", self.gateway.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", "Connection": "close"}
        connection.request("POST", path, body, headers)
        return connection.getresponse()


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def explain(text: str) -> None:
    say(textwrap.fill(text, WIDTH))


def main() -> None:
    explain(
        "Outcrop, without an AWS account: a stand-in on this machine plays AWS. It checks signatures as AWS does and "
        "always gives the same answer. The gateway in front of it is the real one, served by gunicorn."
    )
    say()
    with StandinBedrock() as standin, GatewayProcess({"LITELLM_MASTER_KEY": KEY}, standin) as gateway:
        say(f"The gateway serves {gateway.url}/bedrock")
        show_answer(gateway, standin)
        show_stream(gateway, standin)
        show_virtual_key(gateway)
        show_refusal(gateway, standin)
        show_log(gateway)
        say()
        if sys.stdin.isatty():
            input("The gateway still runs: try the lines above from another shell. Enter stops it. ")
        say("Stopping: calls under way would be finished first.")
        gateway.stop()
    say("Stopped. To serve your own account: set AWS credentials and AWS_REGION_NAME, then `make run`.")


def show_answer(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    title("1. One answer")
    path = f"{MODEL}/converse"
    caller = Caller(gateway)
    say(caller.curl(path))
    started = time.monotonic()
    reply = caller.post(path)
    answer = json.loads(reply.read())
    say()
    say(f"{reply.status} after {(time.monotonic() - started) * 1000:.0f} ms: {answer['output']['message']}")
    [received] = standin.requests
    signed_by = received.verdict.access_key_id if received.verdict else "nobody"
    seen = "IS" if KEY.encode() in received.raw else "is not"
    explain(f"AWS received {received.method} {received.target}, signed as {signed_by}. The caller's key {seen} in it.")


def show_stream(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    title("2. A streamed answer, event by event as it comes")
    path = f"{MODEL}/converse-stream"
    caller = Caller(gateway)
    say(caller.curl(path))
    say()
    standin.script(event_stream(converse_frames(), pace=PACE_SECONDS))
    started = time.monotonic()
    for frame in frames(caller.post(path)):
        say(f"{time.monotonic() - started:5.2f} s  {frame.event_type:<18} {summary(frame)}".rstrip())


def show_virtual_key(gateway: GatewayProcess) -> None:
    title("3. A virtual key that may call one model")
    order = json.dumps({"key_alias": "carol", "models": ["amazon.nova-micro-*"], "duration": "1h"})
    say(Caller(gateway).curl("/key/generate", order))
    made = json.loads(Caller(gateway).post("/key/generate", order).read())
    carol = Caller(gateway, made["key"])
    say()
    say(f"carol's key: {made['key']}, until {made['expires']}")
    for model in ("amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"):
        reply = carol.post(f"/bedrock/model/{model}/converse")
        answer = json.loads(reply.read())
        explain(f"With it, {model}: {reply.status} {answer.get('message', 'answered')}")


def show_refusal(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    title("4. A call with a wrong key")
    path = f"{MODEL}/converse"
    caller = Caller(gateway, WRONG_KEY)
    say(caller.curl(path))
    before = len(standin.requests)
    reply = caller.post(path)
    refusal = json.loads(reply.read())
    say()
    explain(f"{reply.status} {reply.headers['x-amzn-ErrorType']}: {refusal['message']}")
    say(f"Calls that reached AWS: {len(standin.requests) - before}")


def show_log(gateway: GatewayProcess) -> None:
    title("What the gateway logged: one line a call, never a key, never what was said")
    gateway.wait_for_log(lambda line: line["status"] == 401)
    for line in gateway.log_lines():
        shown = ("status", "ended", "operation", "model", "key_alias", "streamed", "duration_ms", "error")
        say("    " + json.dumps({name: line[name] for name in shown}))


def title(text: str) -> None:
    say()
    say(text)
    say("-" * len(text))


def frames(reply: HTTPResponse) -> Iterator[Frame]:
    """Event-stream frames, each as soon as it is whole."""
    buffer = EventStreamBuffer()
    while piece := reply.read1():
        buffer.add_data(piece)
        for event in buffer:
            yield Frame(dict(event.headers), bytes(event.payload))


def summary(frame: Frame) -> str:
    """What a person wants to see of an event."""
    content: Mapping[str, object] = json.loads(frame.payload)
    shown = content.get("delta") or content.get("usage") or content.get("stopReason") or ""
    return shown if isinstance(shown, str) else json.dumps(shown)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("Stopped.")

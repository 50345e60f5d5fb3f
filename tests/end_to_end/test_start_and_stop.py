"""The life of the real process: a start that fails in one line or says what it serves, and a stop that cuts nobody."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.streams import CONVERSE, CONVERSE_STREAM, FRAMES, converse_request
from tests.gateway_process import MASTER_KEY, POLL_SECONDS, GatewayProcess
from tests.raw_client import RawConnection, exchange, raw_request
from tests.standin_answers import ACCOUNT, INPUT_TOKENS, OUTPUT_TOKENS
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import event_stream

SECRET = "topsecret"
# one of each kind: tests/test_settings.py and test_settings_safety.py have them all
WRONG = {
    "PORT": [("abc", "whole number")],
    "OUTCROP_REGIONS": [("eu-west-1", "default region")],
    "AWS_USE_FIPS_ENDPOINT": [("yes", "true or false")],
}
# their values are secrets, or have some in them
WRONG_SECRETS = {
    "LITELLM_MASTER_KEY": [(f"{SECRET} {SECRET}", "visible ASCII")],
    "AWS_ENDPOINT_URL": [(f"http://:{SECRET}@127.0.0.1", "expected")],
    "AWS_CA_BUNDLE": [("/nowhere/ca.pem", "expected")],
    "DATABASE_URL": [
        (f"postgres://u:{SECRET}@h:port/d", "expected"),
        ("sqlite:////proc/nowhere/outcrop.db", "expected"),
    ],
}


@pytest.fixture(scope="module")
def speaking(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """A gateway whose first words are kept, in text."""
    with GatewayProcess(env={"LOG_FORMAT": "text"}, standin=standin_for_all) as running:
        yield running


@pytest.fixture(scope="module")
def bare(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """A gateway that was told next to nothing."""
    env = {"AWS_REGION_NAME": None, "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    with GatewayProcess(env=env, standin=standin_for_all) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "value", "expected"), [(name, *case) for name, cases in WRONG.items() for case in cases]
)
def test_a_wrong_setting_stops_the_start_with_one_line(name: str, value: str, expected: str) -> None:
    line = _line_of_a_failed_start(name, value)

    assert name in line
    assert value in line
    assert expected in line


@pytest.mark.parametrize(
    ("name", "value", "expected"), [(name, *case) for name, cases in WRONG_SECRETS.items() for case in cases]
)
def test_the_line_about_a_secret_setting_does_not_tell_it(name: str, value: str, expected: str) -> None:
    line = _line_of_a_failed_start(name, value)

    assert name in line
    assert expected in line
    assert SECRET not in line


def _line_of_a_failed_start(name: str, value: str) -> str:
    """Everything such a start says. Fails if it does not end within 30 s."""
    gateway = GatewayProcess(env={name: value})
    gateway.launch()
    try:
        code = gateway.wait_exit(timeout=30)
    except subprocess.TimeoutExpired:
        gateway.kill()
        pytest.fail(f"it started with {name}={value!r}")
    finally:
        gateway.stop()
    assert code != 0
    assert gateway.stdout == []
    [line] = gateway.stderr
    return line


def test_a_start_says_what_is_served_and_where_and_for_whom(speaking: GatewayProcess, standin: StandinBedrock) -> None:
    speaking.wait_for_output(f"account {ACCOUNT} as arn:aws:iam::{ACCOUNT}:user/outcrop")

    told = speaking.output()
    assert f"serves AWS Bedrock at port {speaking.port} of all interfaces, under /bedrock" in told
    assert "default region us-east-1; callers may name us-east-1" in told
    assert f"bedrock-runtime goes to {standin.url('bedrock-runtime')}" in told
    assert "sts goes to" in told
    assert MASTER_KEY not in told
    assert speaking.environment["AWS_SECRET_ACCESS_KEY"] not in told


def test_a_start_says_what_is_missing(bare: GatewayProcess) -> None:
    missing = bare.wait_for_log(lambda line: "none found" in line["message"], event="log")

    assert missing["level"] == "warning"
    assert "AWS_ACCESS_KEY_ID" in missing["message"]
    bare.wait_for_log(lambda line: "us-east-1 (assumed: set AWS_REGION_NAME" in line["message"], event="log")


def test_a_start_answers_soon(standin: StandinBedrock, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = GatewayProcess(standin=standin)
    started = time.monotonic()
    gateway.start()
    seconds = time.monotonic() - started
    gateway.stop()
    with capsys.disabled():
        sys.stdout.write(f" start to first answer {seconds:.2f} s ")

    assert seconds < 10


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness"])
def test_liveness_is_answered_as_the_peer_does(gateway: GatewayProcess, path: str) -> None:
    reply = exchange(gateway.port, raw_request("GET", path))

    assert (reply.status, reply.body.strip()) == (200, b'"I\'m alive!"')


def test_readiness_tells_of_the_database(gateway: GatewayProcess) -> None:
    reply = exchange(gateway.port, raw_request("GET", "/health/readiness"))

    assert reply.status == 200
    assert b'"db":"connected"' in reply.body.replace(b" ", b"")


def test_a_call_is_one_line_of_json(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    request = converse_request(CONVERSE)
    reply = exchange(gateway.port, request)
    line = gateway.wait_for_log()

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert all(isinstance(line.pop(name), float) for name in ("overhead_ms", "first_byte_ms", "duration_ms"))
    assert line == {
        "event": "request",
        "call_id": reply.header("x-litellm-call-id"),
        "method": "POST",
        "key_alias": "master",
        "team": None,
        "user": None,
        "service": "bedrock-runtime",
        "operation": "Converse",
        "model": "amazon.nova-lite-v1:0",
        "region": "us-east-1",
        "status": 200,
        "error": None,
        "aws_request_id": standin.requests[0].request_id,
        "streamed": False,
        "bytes_in": len(request.partition(b"\r\n\r\n")[2]),
        "bytes_out": len(reply.body),
        "ended": "complete",
        "usage_source": "reported",
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        # 0.06 and 0.24 US dollars for a million tokens
        "cost": (INPUT_TOKENS * 6 + OUTPUT_TOKENS * 24) / 1e8,
    }


def test_a_refused_call_is_one_line_too(gateway: GatewayProcess) -> None:
    exchange(gateway.port, converse_request(CONVERSE, "sk-unknown"))
    line = gateway.wait_for_log()

    assert (line["status"], line["error"], line["ended"]) == (401, "UnrecognizedClientException", "refused")
    assert "sk-unknown" not in gateway.output()


def test_a_call_is_one_line_of_text_where_that_is_asked_for(speaking: GatewayProcess, standin: StandinBedrock) -> None:
    call_id = exchange(speaking.port, converse_request(CONVERSE)).header("x-litellm-call-id")
    speaking.wait_for_output(str(call_id))

    [line] = [line for line in speaking.stdout if str(call_id) in line]
    assert re.match(r"\S+Z 200 complete: POST Converse amazon\.nova-lite-v1:0 in us-east-1 for master, \d+ ms", line)


def test_a_path_cannot_write_a_line_of_its_own(speaking: GatewayProcess, standin: StandinBedrock) -> None:
    target = "/bedrock/foundation-models/x%C2%85y%E2%80%A8z%E2%80%AE%1B"
    exchange(speaking.port, raw_request("GET", target, [("x-api-key", MASTER_KEY)]))
    exchange(speaking.port, raw_request("GET", target.removesuffix("%1B"), [("x-api-key", MASTER_KEY)]))

    assert all(line.isprintable() for line in speaking.stdout)


def test_a_stop_lets_20_live_streams_end(standin: StandinBedrock) -> None:
    standin.answer = lambda request: event_stream(FRAMES, pace=0.6)
    gateway = GatewayProcess(standin=standin)
    gateway.start()
    streams = [RawConnection(gateway.port, timeout=30) for _ in range(20)]
    for stream in streams:
        stream.send(converse_request(CONVERSE_STREAM))
    standin.wait_for_requests(20)
    gateway.terminate()
    newcomer = _ask_for_health(gateway)
    replies = [stream.read_reply() for stream in streams]
    ended = time.monotonic()
    code = gateway.wait_exit()
    lingered = time.monotonic() - ended
    for stream in streams:
        stream.close()
    gateway.stop()

    assert (code, lingered < 15) == (0, True)  # a second or two on a quiet machine; the grace is 24
    assert {(reply.status, reply.ended, reply.body) for reply in replies} == {(200, "clean", b"".join(FRAMES))}
    assert newcomer in {0, 200}
    assert len(gateway.log_lines()) == 20


def test_a_call_that_a_stop_cuts_is_told(standin: StandinBedrock) -> None:
    standin.answer = lambda request: event_stream(FRAMES, pace=10)
    with GatewayProcess(standin=standin, env={"GUNICORN_CMD_ARGS": "--graceful-timeout 3"}) as gateway:
        stream = RawConnection(gateway.port, timeout=30)
        stream.send(converse_request(CONVERSE_STREAM))
        standin.wait_for_requests(1)
        gateway.terminate()
        gateway.wait_exit()
        [line] = gateway.log_lines()
        stream.close()

    assert line["ended"] == "stopped"


def _ask_for_health(gateway: GatewayProcess) -> int:
    """The status of a new caller's answer; 0 where the connection is refused."""
    try:
        return exchange(gateway.port, raw_request("GET", "/health/liveliness")).status
    except ConnectionError:
        return 0


def test_a_stop_does_not_wait_for_idle_connections(standin: StandinBedrock) -> None:
    gateway = GatewayProcess(standin=standin)
    gateway.start()
    with RawConnection(gateway.port) as used, RawConnection(gateway.port) as never_used:
        used.send(converse_request(CONVERSE))
        assert used.read_reply().status == 200
        gateway.terminate()

        assert gateway.wait_exit(timeout=15) == 0
        assert (used.wait_ended(), never_used.wait_ended()) == ("cut", "cut")
    gateway.stop()


def test_two_workers_both_serve_and_one_speaks(standin: StandinBedrock) -> None:
    with GatewayProcess(env={"WEB_CONCURRENCY": "2"}, standin=standin) as gateway:
        gateway.wait_for_output("AWS credentials: account")
        while len(gateway.worker_pids()) < 2:
            time.sleep(POLL_SECONDS)
        for other in gateway.worker_pids():
            os.kill(other, signal.SIGSTOP)  # who still answers is not this one
            try:
                assert exchange(gateway.port, converse_request(CONVERSE)).status == 200
            finally:
                os.kill(other, signal.SIGCONT)
        assert gateway.output().count("Outcrop serves AWS Bedrock") == 1

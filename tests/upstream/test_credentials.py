"""The gateway's own credentials: published beside the request path, kept when a refresh fails, found later too."""

import gc
import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gevent
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError, ProfileNotFound
from botocore.session import Session

from app.core.errors import CredentialsMissing
from app.upstream.credentials import AwsCredentials, CredentialKeeper, from_botocore
from tests.standin_answers import ASSUMED_ACCESS_KEY_ID, ASSUMED_SECRET, ASSUMED_TOKEN
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY, StandinBedrock

FIRST = AwsCredentials("AKIAFIRST", "secret-1", None)
SECOND = AwsCredentials("AKIASECOND", "secret-2", "token-2")
FAILURES = [
    CredentialRetrievalError(provider="x", error_msg="y"),
    ProfileNotFound(profile="x"),
    ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole"),
    OSError("no file"),
    ValueError("no JSON"),
    KeyError("AccessKeyId"),
    TypeError("None is not a date"),
    RuntimeError("whatever a provider raises"),
]


class Look:
    """Answers in turn, the last answer ever after; counts how often it was asked."""

    def __init__(self, *answers: AwsCredentials | Exception | None) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self) -> AwsCredentials | None:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def make() -> Iterator[Callable[..., CredentialKeeper]]:
    """Make keepers that look often; they stop with the test."""
    made = []

    def keeper(look: Callable[[], AwsCredentials | None], look_seconds: float = 0.001) -> CredentialKeeper:
        made.append(CredentialKeeper(look, look_seconds))
        return made[-1]

    yield keeper
    gevent.killall([keeper._greenlet for keeper in made if keeper._greenlet])


def until(holds: Callable[[], object]) -> None:
    """Let the keepers work until it holds."""
    with gevent.Timeout(2):
        while not holds():
            gevent.sleep(0.001)


def test_what_is_found_is_published(make: Any) -> None:
    """The first call waits for the first look."""
    assert make(Look(FIRST)).current() == FIRST


def test_starting_looks_before_any_call(make: Any) -> None:
    """So that not even the first call waits."""
    look = Look(FIRST)
    keeper = make(look)
    keeper.start()
    until(lambda: look.asked)

    assert keeper._current == FIRST


def test_starting_twice_looks_once(make: Any) -> None:
    """One greenlet a worker."""
    look = Look(FIRST)
    keeper = make(look, 60)
    keeper.start()
    keeper.start()
    until(lambda: look.asked)
    gevent.sleep(0)

    assert look.asked == 1


def test_calls_never_look_once_there_is_something(make: Any) -> None:
    """A look may be a network call to an instance's role."""
    look = Look(FIRST)
    keeper = make(look, 60)
    for _ in range(50):
        keeper.current()

    assert look.asked == 1


def test_refreshed_credentials_are_published(make: Any) -> None:
    """Before the old ones expire; nobody asks for it."""
    keeper = make(Look(FIRST, SECOND))

    assert keeper.current() == FIRST
    until(lambda: keeper.current() == SECOND)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the gateway says, also once an application has taken its log for itself."""
    logger = logging.getLogger("app")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failing_refresh_keeps_what_was_published(
    make: Any, failure: Exception, log: pytest.LogCaptureFixture
) -> None:
    """They go on until they expire, the log says what is wrong, and the looking goes on."""
    look = Look(FIRST, failure)
    keeper = make(look)
    assert keeper.current() == FIRST
    until(lambda: look.asked > 2 or keeper._greenlet.dead)

    assert keeper.current() == FIRST
    assert not keeper._greenlet.dead
    assert type(failure).__name__ in log.text


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failing_first_look_is_missing_credentials_at_once(make: Any, failure: Exception) -> None:
    """No call waits out the whole bound for a look that has ended."""
    with gevent.Timeout(2), pytest.raises(CredentialsMissing):
        make(Look(failure)).current()


def test_a_recovered_refresh_is_published(make: Any) -> None:
    """After a failure comes another look."""
    keeper = make(Look(FIRST, OSError("no network"), SECOND))
    keeper.start()

    until(lambda: keeper.current() == SECOND)


def test_missing_credentials_say_which_variables_to_set(make: Any) -> None:
    """It is a 500 to the caller, and help to the operator."""
    with pytest.raises(CredentialsMissing, match="AWS_ACCESS_KEY_ID") as raised:
        make(Look(None)).current()

    assert "AWS_BEARER_TOKEN_BEDROCK" in raised.value.message


def test_missing_credentials_that_come_later_are_used(make: Any) -> None:
    """A role that was attached after the start needs no restart."""
    keeper = make(Look(None, FIRST))
    with pytest.raises(CredentialsMissing):
        keeper.current()
    keeper.start()
    until(lambda: keeper._current)

    assert keeper.current() == FIRST


def test_calls_that_wait_for_the_first_look_wait_together(make: Any) -> None:
    """One look for all of them."""
    look = Look(FIRST)
    keeper = make(look, 60)
    waiting = [gevent.spawn(keeper.current) for _ in range(20)]
    gevent.joinall(waiting, timeout=5)

    assert [greenlet.value for greenlet in waiting] == [FIRST] * 20
    assert look.asked == 1


def test_botocore_finds_nothing_where_there_is_nothing() -> None:
    """No account of this machine is in sight."""
    assert from_botocore()() is None


@pytest.mark.parametrize("token", [None, "a-token"])
def test_botocore_finds_static_keys(token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, with and without a session."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)

    assert from_botocore()() == AwsCredentials("AKIAENV", "env-secret", token)


def test_botocore_finds_keys_that_are_set_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same look, asked again."""
    look = from_botocore()
    assert look() is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")

    assert look() == AwsCredentials("AKIAENV", "env-secret", None)


def sessions() -> int:
    return sum(isinstance(one, Session) for one in gc.get_objects())


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("where", ["in variables", "in a file", "nowhere"])
def test_looks_leave_nothing_behind(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of botocore's holds itself, with 100 kB: one each 30 s looked like a leak for hours."""
    if where == "in variables":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    elif where == "in a file":
        shared = tmp_path / "credentials"
        shared.write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = file-secret\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    look = from_botocore()
    before = sessions()

    found = [look() for _ in range(5)]

    assert sessions() <= before
    assert [one is None for one in found] == [where == "nowhere"] * 5


def test_botocore_finds_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that AWS_PROFILE names."""
    shared = tmp_path / "credentials"
    shared.write_text("[default]\n[bedrock]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = profile-secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    monkeypatch.setenv("AWS_PROFILE", "bedrock")

    assert from_botocore()() == AwsCredentials("AKIAPROFILE", "profile-secret", None)


def test_a_profile_that_is_not_there_is_missing_credentials(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start goes on; the call and the log say it."""
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(CredentialsMissing):
        make(from_botocore()).current()


def test_botocore_assumes_a_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: StandinBedrock, make: Any
) -> None:
    """By STS, with the keys of another profile."""
    config = tmp_path / "config"
    config.write_text(
        f"[profile keys]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/bedrock\nsource_profile = keys\nregion = us-east-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "role")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", standin.url("sts"))

    assert make(from_botocore(), 60).current() == AwsCredentials(ASSUMED_ACCESS_KEY_ID, ASSUMED_SECRET, ASSUMED_TOKEN)
    assert b"Action=AssumeRole" in standin.sts_requests[0].body


class Container(ThreadingHTTPServer):
    """What ECS and EKS offer to a container: an address that answers with credentials."""

    def __init__(self, answer: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _ContainerHandler)
        self.answer = json.dumps(answer).encode()


class _ContainerHandler(BaseHTTPRequestHandler):
    server: Container

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name for it
        """Say nothing."""


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    """Start one, and name it as AWS does."""
    answer = {"AccessKeyId": "ASIATASK", "SecretAccessKey": "task-secret", "Token": "task-token"}
    with Container({**answer, "Expiration": "2099-01-01T00:00:00Z"}) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/task")
        yield server
        server.shutdown()


@pytest.mark.usefixtures("container")
def test_botocore_finds_a_containers_role(make: Any) -> None:
    """On Fargate, EKS and the like."""
    assert make(from_botocore(), 60).current() == AwsCredentials("ASIATASK", "task-secret", "task-token")


def test_a_container_that_answers_nonsense_is_missing_credentials(make: Any, container: Container) -> None:
    """And the keeper looks again: the next answer may be right."""
    container.answer = b'{"message": "not yet"}'
    keeper = make(from_botocore(), 60)
    with gevent.Timeout(2), pytest.raises(CredentialsMissing):
        keeper.current()

    assert not keeper._greenlet.dead

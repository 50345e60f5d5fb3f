"""What a start says: what is served, where, for which region and account, and what is missing."""

import logging
from collections.abc import Callable, Iterable

import gevent

from app.gateway.diagnosis import Diagnosis
from app.settings import Settings

# A poll that hangs, with a server that went away without a word, is broken off and its connection with it.
_POLL_SECONDS = 3.0
_AGAIN_SECONDS = 1.0
_log = logging.getLogger(__name__)


def announcement(settings: Settings, database: str) -> list[str]:
    """The lines that need no network."""
    where = f"http://{settings.bind}/bedrock"
    if not settings.loopback_only:
        where = f"port {settings.port} of all interfaces, under /bedrock"
    regions = ", ".join(sorted(settings.regions))
    lines = [f"Outcrop serves AWS Bedrock at {where} (workers: {settings.workers}; database: {database})"]
    assumed = " (assumed: set AWS_REGION_NAME to say where)" if settings.region_is_assumed else ""
    lines.append(f"default region {settings.region}{assumed}; callers may name {regions}")
    if settings.master_key is None:
        lines.append("LITELLM_MASTER_KEY is not set: any key is accepted, from this machine only")
    elif settings.master_key_is_weak:
        lines.append(
            "LITELLM_MASTER_KEY is weak (fewer than 20 characters, fewer than 8 different ones, or published): calls "
            'are accepted from this machine only. Make one with "sk-$(openssl rand -hex 32)"'
        )
    lines += [f"{name or 'every service'} goes to {url}" for name, url in sorted(settings.endpoint_urls.items())]
    return lines


class _Loop:
    """Calls a function again and again, beside everything else."""

    def __init__(self, work: Callable[[], float]) -> None:
        """`work` returns in how many seconds to call it again."""
        self._work = work

    def start(self, *_: object) -> None:
        """It ends by errors nobody foresaw alone, which gevent prints, and is then begun again."""
        gevent.spawn_later(_AGAIN_SECONDS if _ else 0, self._run).link_exception(self.start)

    def _run(self) -> None:
        while True:
            seconds = _AGAIN_SECONDS
            with gevent.Timeout(_POLL_SECONDS, False):  # noqa: FBT003  # gevent's way: end the block, raise nothing
                seconds = self._work()
            gevent.sleep(seconds)


class Startup:
    """What a worker does once it is up."""

    def __init__(  # noqa: PLR0913  # the collaborators, each by name
        self,
        settings: Settings,
        *,
        keep_credentials: Callable[[], None],
        loops: Iterable[Callable[[], float]],
        close_books: Callable[[float], None],
        diagnosis: Diagnosis,
        database: str,
        database_answers: Callable[[], bool],
    ) -> None:
        """`keep_credentials` begins to look for AWS credentials, beside the request path.

        `loops` go on as long as the worker: each says in how many seconds to call it again. `close_books` books what is
        left, within so many seconds.
        """
        self._settings = settings
        self._keep_credentials = keep_credentials
        self._loops = [_Loop(work) for work in loops]
        self.close_books = close_books
        self._diagnosis = diagnosis
        self._database = database
        self._database_answers = database_answers

    def run(self, *, announce: bool) -> None:
        """`announce` in one worker alone."""
        self._keep_credentials()
        for loop in self._loops:
            loop.start()
        if announce:
            for line in announcement(self._settings, self._database):
                _log.info(line)
            gevent.spawn(self._look_around)

    def _look_around(self) -> None:
        """Beside everything else: neither may be in reach, and no call needs the answer."""
        if not self._database_answers():
            _log.warning("the database does not answer: check DATABASE_URL; calls are served all the same")
        if self._settings.bearer_token:
            _log.info("AWS_BEARER_TOKEN_BEDROCK is used for bedrock, bedrock-runtime and bedrock-mantle")
        found = self._diagnosis.credentials()
        if found.remedy:
            _log.warning("AWS credentials: %s. %s", found.text, found.remedy)
        else:
            _log.info("AWS credentials: %s", found.text)

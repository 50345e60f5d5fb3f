"""Where the disk is waited for: in a thread of gevent's pool, so that a slow disk stops no other call of the worker."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from gevent import get_hub
from gevent.monkey import is_module_patched

Result = TypeVar("Result")


def off_the_hub(work: Callable[..., Result], *arguments: Any) -> Result:
    """What `work` returns or raises; it is never left alone half done. In the calling thread where threads are real."""
    if not is_module_patched("threading"):
        return work(*arguments)
    job = get_hub().threadpool.spawn(_outcome, work, *arguments)
    try:
        outcome: tuple[Result, None] | tuple[None, OSError | ValueError] = job.get()
    except BaseException:
        job.wait()  # who was interrupted must not go on while the thread still writes
        raise
    result, error = outcome
    if error is not None:
        raise error
    return cast(Result, result)


def _outcome(work: Callable[..., Result], *arguments: Any) -> tuple[Result | None, OSError | ValueError | None]:
    """What a disk may do wrong is handed back: gevent prints whatever its threads raise."""
    try:
        return work(*arguments), None
    except (OSError, ValueError) as error:
        return None, error

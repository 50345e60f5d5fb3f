"""Where the disk is waited for: in a thread of gevent's pool, so that a slow disk stops no other call of the worker."""

from collections.abc import Callable
from typing import Any, TypeVar

from gevent import get_hub
from gevent.monkey import is_module_patched

Result = TypeVar("Result")


def off_the_hub(work: Callable[..., Result], *arguments: Any) -> Result:
    """What `work` returns or raises; it is never left alone half done. In the calling thread where threads are real."""
    if not is_module_patched("threading"):
        return work(*arguments)
    job = get_hub().threadpool.spawn(work, *arguments)
    try:
        result: Result = job.get()
    except BaseException:
        job.wait()  # who was interrupted must not go on while the thread still writes
        raise
    return result

"""A request's WSGI environ (PEP 3333), as gunicorn makes it, less what nothing here asks for: ways to send files and
early hints, and a writer to the log that is made anew for each request.

Names of headers with an underscore never reach it: SCRIPT_NAME, X_Forwarded_For and the like would be taken for what
the server or a proxy says. One is let in, as LiteLLM's callers send it.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from gunicorn.http import wsgi

_UNDERSCORED = frozenset(("LITELLM_USER_API_KEY",))
_OWN_KEYS = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}
_LONGEST_KNOWN = 64
_LEFT_OUT = ("wsgi.file_wrapper",)


def base_environ(cfg: Any) -> dict[str, Any]:
    """What is the same for all requests of a gevent worker."""
    base: dict[str, Any] = wsgi.base_environ(cfg)
    return {name: found for name, found in base.items() if name not in _LEFT_OUT} | {"wsgi.multithread": True}


def environ_of(base: Mapping[str, Any], request: Any, connection: Any, peer: Any, listener: Any) -> dict[str, Any]:
    """`peer`, `listener`: addresses as sockets tell them: tuples, or of a UNIX socket text or bytes."""
    major, minor = request.version
    remote, port = (peer[0], str(peer[1])) if isinstance(peer, tuple) else ("", "")
    name, at = (listener[0], str(listener[1])) if isinstance(listener, tuple) else ("localhost", "")
    environ = {
        **base,
        "wsgi.input": request.body,
        "wsgi.url_scheme": request.scheme,
        "gunicorn.socket": connection,
        "REQUEST_METHOD": request.method,
        "RAW_URI": request.uri,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": f"HTTP/{major}.{minor}",
        "SERVER_NAME": name,
        "SERVER_PORT": at,
        "REMOTE_ADDR": remote,
        "REMOTE_PORT": port,
        **wsgi.proxy_environ(request),
    }
    for header, value in request.headers:
        key = _key(header)
        if key in environ:
            environ[key] += f",{value}"
        elif key:
            environ[key] = value
    return environ


def _key(header: str) -> str:
    """Under which a header stands, in upper case; "" for one that does not."""
    # what is remembered is the callers' to choose
    return _known_key(header) if len(header) <= _LONGEST_KNOWN else _made_key(header)


def _made_key(header: str) -> str:
    if "_" in header and header not in _UNDERSCORED:
        return ""
    return _OWN_KEYS.get(header) or "HTTP_" + header.replace("-", "_")


_known_key = lru_cache(maxsize=1024)(_made_key)

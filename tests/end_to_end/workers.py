"""Connections of which one knows the worker: what a kernel spreads over processes, sorted by who took it."""

import re
from contextlib import ExitStack
from pathlib import Path

from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection, raw_request

_TRIES = 500


def connection_to_each_worker(gateway: GatewayProcess, stack: ExitStack) -> list[RawConnection]:
    """One connection to every worker of the gateway, closed with the stack."""
    wanted = set(gateway.worker_pids())
    found: dict[int, RawConnection] = {}
    for _ in range(_TRIES):
        connection = RawConnection(gateway.port)
        # once it has answered, a worker has it
        connection.send(raw_request("GET", "/health/liveliness"))
        connection.read_reply("GET")
        pid = _owner(gateway, connection)
        if pid in found:
            connection.close()
            continue
        found[pid] = connection
        stack.callback(connection.close)
        if set(found) == wanted:
            return list(found.values())
    raise TimeoutError(f"after {_TRIES} connections only {len(found)} of {len(wanted)} workers took one")


def _owner(gateway: GatewayProcess, connection: RawConnection) -> int:
    """Which worker holds the other end: /proc knows each connection's inode, and who has it open."""
    port = connection._socket.getsockname()[1]
    sockets = Path("/proc/net/tcp").read_text()
    remote = rf"^ *\d+: 0100007F:{gateway.port:04X} 0100007F:{port:04X} (?:\S+ +){{6}}(\d+)"
    match = re.search(remote, sockets, re.MULTILINE)
    assert match, "the connection is not there"
    socket = f"socket:[{match[1]}]"
    return next(pid for pid in gateway.worker_pids() if socket in _open_files(pid))


def _open_files(pid: int) -> list[str]:
    names = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            names.append(str(descriptor.readlink()))
        except FileNotFoundError:
            pass  # closed since it was listed
    return names

"""A slow disk holds up who waits for it and nobody else, where gevent runs a worker's calls."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.store.disk_thread import off_the_hub

ROOT = Path(__file__).resolve().parent.parent.parent
# A disk of half a second, beside a greenlet that counts its turns; then a wait for it that is broken off.
_UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent
from app.store.disk_thread import off_the_hub
sleep = monkey.get_original("time", "sleep")
turns, written = [], []

def count():
    while True:
        gevent.sleep(0.01)
        turns.append(1)

def write(seconds):
    sleep(seconds)
    for _ in range(1000):  # a busy machine gives turns late
        if len(turns) > 5:
            break
        sleep(0.01)
    written.append(seconds)
    return "written"

gevent.spawn(count)
assert off_the_hub(write, 0.5) == "written"
assert len(turns) > 5, turns
try:
    off_the_hub(int, "no number")
except ValueError:
    pass
else:
    raise AssertionError("the error was lost")
broken_off = gevent.spawn(off_the_hub, write, 0.2)
gevent.sleep(0.05)
broken_off.kill()
assert written == [0.5, 0.2], written
print("held")
"""


def test_other_calls_go_on_while_the_disk_is_waited_for_and_no_write_is_left_half_done() -> None:
    done = subprocess.run([sys.executable, "-c", _UNDER_GEVENT], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("held\n", "")


def test_real_threads_wait_for_themselves() -> None:
    assert off_the_hub(sorted, [2, 1]) == [1, 2]
    with pytest.raises(ValueError, match="invalid literal"):
        off_the_hub(int, "no number")

"""Where the top-level members of a JSON object of any size are, found window by window, without building what it says.

Reads what RFC 8259 calls an object; of what stands inside its members only strings and brackets are looked at. Work is
linear in the bytes: each is passed by C (bytes.find, possessive regular expressions) at most three times.
"""

import json
import re
from collections.abc import Callable

# A member longer than this is not kept: what decides or reports something is a few hundred bytes.
LONGEST_KEPT = 64 * 1024
# A bound on what hostile brackets and members cost, about a second. A 32 MB conversation makes a few thousand steps.
MOST_STEPS = 200_000
# How far a stretch without structure, such as numbers, is looked ahead for at once: so much costs less than one step.
_STRETCH = 4096
_STRING = rb'"[^"\\]{0,256}+(?:\\.[^"\\]*+)*+"'
_PLAIN = rb'[^"{}\[\]]++'
_SPACES = re.compile(rb"[ \t\r\n]*+")
_SCALAR = re.compile(rb'[^ \t\r\n,:"{}\[\]]*+')
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_STRINGS = re.compile(_STRING, re.DOTALL)
_RUN_IN_ARRAY = re.compile(rb"(?:" + _PLAIN + rb"|" + _STRING + rb")*+", re.DOTALL)
# Containers that hold no others are passed at once.
_FLAT = rb"[\[{](?:" + _PLAIN + rb"|" + _STRING + rb")*+[\]}]"
_RUN = re.compile(rb"(?:" + _PLAIN + rb"|" + _STRING + rb"|" + _FLAT + rb")*+", re.DOTALL)
_OPENING, _CLOSING = re.compile(rb"[\[{]++"), re.compile(rb"[\]}]++")
_STRUCTURE = (b'"', b"[", b"]", b"{", b"}")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


class JsonScanner:
    """Fed with windows of an object's bytes, keeps the wanted members' own and counts the elements of wanted arrays.

    `kept`: name -> bytes of its value, the last one where a name stands twice; `counts`: name -> number of elements, of
    arrays too long to keep as well. `broken`: what came is no JSON object, or more than anybody sends; nothing is
    read from then on. `done`: the object is closed, and nothing but white space came after it.
    """

    def __init__(self, wanted: frozenset[str], most_steps: int = MOST_STEPS) -> None:
        """`most_steps`: what is more than anybody sends; one is a bracket, string or member, some microseconds."""
        self.kept: dict[str, bytes] = {}
        self.counts: dict[str, int] = {}
        self.broken = False
        self._wanted = wanted
        self._most_steps = most_steps
        # with its quotes; every character of a name may be written as \uXXXX
        self._longest_name = 2 + 6 * max(map(len, wanted), default=0)
        self._state: Callable[[JsonScanner, bytes, int], int] = JsonScanner._begin
        self._after_string: Callable[[JsonScanner, bytes, int], int] = JsonScanner._after
        self._steps = 0
        self._depth = 0
        self._escaped = False
        self._name = ""
        # what is being collected of a name or value, None where it is not wanted, and where it goes on in this window
        self._held: bytearray | None = None
        self._bound = 0
        self._from = 0
        self._counting = False
        self._commas = 0
        self._filled = False

    @property
    def done(self) -> bool:
        return not self.broken and self._state is JsonScanner._end

    def read(self, window: bytes) -> None:
        self._from = position = 0
        size = len(window)
        while position < size and not self.broken:
            self._steps += 1
            if self._steps > self._most_steps:
                self.broken = True
            position = self._state(self, window, position)
        self._hold(window, size)

    def _begin(self, window: bytes, position: int) -> int:
        return self._expect(window, position, {b"{": JsonScanner._first_member})

    def _first_member(self, window: bytes, position: int) -> int:
        return self._expect(window, position, {b'"': JsonScanner._begin_name, b"}": JsonScanner._end}, stay=b'"')

    def _member(self, window: bytes, position: int) -> int:
        return self._expect(window, position, {b'"': JsonScanner._begin_name}, stay=b'"')

    def _after(self, window: bytes, position: int) -> int:
        return self._expect(window, position, {b",": JsonScanner._member, b"}": JsonScanner._end})

    def _end(self, window: bytes, position: int) -> int:
        return self._expect(window, position, {})

    def _colon(self, window: bytes, position: int) -> int:
        return self._expect(window, position, {b":": JsonScanner._value})

    def _expect(
        self,
        window: bytes,
        position: int,
        states: dict[bytes, "Callable[[JsonScanner, bytes, int], int]"],
        stay: bytes = b"",
    ) -> int:
        """Past white space, the state that belongs to the next byte; one that is in `stay` is left to that state."""
        position = _skip(_SPACES, window, position)
        found = window[position : position + 1]
        if found in states:
            self._state = states[found]
            return position if found == stay else position + 1
        self.broken = bool(found)
        return position

    def _begin_name(self, window: bytes, position: int) -> int:
        self._held, self._bound, self._from = bytearray(), self._longest_name, position
        self._state, self._after_string = JsonScanner._string, JsonScanner._end_name
        return position + 1

    def _end_name(self, window: bytes, position: int) -> int:
        raw = self._release(window, position)
        self._name = "" if raw is None else _spelt(bytes(raw))
        self._state = JsonScanner._colon
        return position

    def _value(self, window: bytes, position: int) -> int:
        position = _skip(_SPACES, window, position)
        first = window[position : position + 1]
        if not first:
            return position
        if self._name in self._wanted:
            self._held, self._bound, self._from = bytearray(), LONGEST_KEPT, position
            self.kept.pop(self._name, None)
            self.counts.pop(self._name, None)
            self._counting = first == b"["
            self._commas, self._filled = 0, False
        if first in (b"{", b"["):
            self._state, self._depth = JsonScanner._nested, 2
            return position + 1
        if first == b'"':
            self._state, self._after_string = JsonScanner._string, JsonScanner._end_value
            return position + 1
        self._state = JsonScanner._scalar
        self.broken = first in b",:}]"
        return position

    def _scalar(self, window: bytes, position: int) -> int:
        position = _skip(_SCALAR, window, position)
        if position < len(window):
            self._state = JsonScanner._end_value
        return position

    def _end_value(self, window: bytes, position: int) -> int:
        wanted = self._name in self._wanted
        raw = self._release(window, position)
        if wanted and raw is not None:
            self.kept[self._name] = bytes(raw)
        if self._counting:
            self.counts[self._name] = self._commas + self._filled
        self._counting = False
        self._name = ""
        self._state = JsonScanner._after
        return position

    def _string(self, window: bytes, position: int) -> int:
        """Inside a string, after its first quote."""
        if self._escaped:
            self._escaped = False
            return position + 1
        end = window.find(_QUOTE, position)
        if end < 0:
            end = len(window)
        if window.find(_BACKSLASH, position, end) >= 0:
            end = _skip(_IN_STRING, window, position)
        if end == len(window):
            return end
        if window[end] == _BACKSLASH:  # the window's last byte
            self._escaped = True
        else:
            self._state = self._after_string
        return end + 1

    def _nested(self, window: bytes, position: int) -> int:
        """Inside brackets, between strings."""
        end = _past_plain(window, position)
        if end - position < _STRETCH:
            end = _skip(_RUN_IN_ARRAY if self._counting else _RUN, window, end)
        if self._counting and self._depth == 2:
            self._count(window[position:end])
        found = window[end : end + 1]
        if found == b'"':
            self._state, self._after_string = JsonScanner._string, JsonScanner._resume
            self._filled = True
        elif found in (b"{", b"["):
            self._filled = True
            opened = _skip(_OPENING, window, end) - end
            self._depth += opened
            return end + opened
        elif found in (b"}", b"]"):
            closed = min(_skip(_CLOSING, window, end) - end, self._depth - 1)
            self._depth -= closed
            if self._depth == 1:
                self._state = JsonScanner._end_value
            return end + closed
        return end + len(found) if found == b'"' else end

    def _resume(self, window: bytes, position: int) -> int:
        self._state = JsonScanner._nested
        return position

    def _count(self, run: bytes) -> None:
        self._filled = self._filled or bool(run.strip(b" \t\r\n"))
        self._commas += (_STRINGS.sub(b"", run) if _QUOTE in run else run).count(b",")

    def _hold(self, window: bytes, end: int) -> None:
        if self._held is None:
            return
        self._held += window[self._from : end]
        self._from = end
        if len(self._held) > self._bound:
            self._held = None

    def _release(self, window: bytes, end: int) -> bytearray | None:
        self._hold(window, end)
        held, self._held = self._held, None
        return held


def _skip(pattern: re.Pattern[bytes], window: bytes, position: int) -> int:
    found = pattern.match(window, position)
    return found.end() if found else position


def _past_plain(window: bytes, position: int) -> int:
    """Where the first byte of structure stands, or the end of a stretch without one."""
    end = min(position + _STRETCH, len(window))
    for byte in _STRUCTURE:
        found = window.find(byte, position, end)
        if found >= 0:
            end = found
    return end


def _spelt(name: bytes) -> str:
    """A name as it stands between its quotes, or "" where it is no JSON in UTF-8."""
    try:
        return str(json.loads(name.decode(), strict=False))
    except ValueError:
        return ""

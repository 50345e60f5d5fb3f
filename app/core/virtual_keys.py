"""The text of a virtual key: how it is made, what it may be, and what is kept of it instead.

A key is `sk-` and at least 128 random bits, as the peer's are, so that every client which knows those takes it. It is
shown once; kept are its SHA-256, which finds it again, and its last four characters, by which people tell keys apart.
A plain digest is enough: what is random in 128 bits cannot be guessed from it, and is looked up at every call.
"""

import re
from collections.abc import Callable
from hashlib import sha256

from app.core.errors import InvalidField

PREFIX = "sk-"
_RANDOM_BYTES = 24
_SHORTEST, _LONGEST = 16, 512
# visible ASCII without what would make the text ambiguous in a header: `,` joins repeated headers, `"` quotes, `/` and
# `=` divide a Signature Version 4 credential
_TEXT = re.compile(r'sk-[^\x00-\x20\x7f-\U0010ffff,"/=]+')


def new_text(random_text: Callable[[int], str]) -> str:
    """A key nobody has yet. `random_text`: so many random bytes, url-safe, such as secrets.token_urlsafe."""
    return PREFIX + random_text(_RANDOM_BYTES)


def is_text(text: str) -> bool:
    """Whether this can be a key's text at all."""
    return _SHORTEST <= len(text) <= _LONGEST and _TEXT.fullmatch(text) is not None


def check_chosen(text: str) -> str:
    """The text that an administrator chose for a key. Raises InvalidField."""
    if not is_text(text):
        raise InvalidField(
            f"key must start with {PREFIX!r} and be {_SHORTEST} to {_LONGEST} visible ASCII characters without spaces, "
            'commas, double quotes, "/" and "=". Leave it out to have one made.',
            "key",
        )
    return text


def token_of(text: str) -> str:
    """What is kept instead of the text, and finds it: SHA-256 in hex."""
    return sha256(text.encode()).hexdigest()


def name_of(text: str) -> str:
    """What is shown instead of the text: `sk-...` and its last four characters."""
    return f"{PREFIX}...{text[-4:]}"

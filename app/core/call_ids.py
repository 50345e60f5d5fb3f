"""The ids of calls: UUIDs that begin with their time (RFC 9562, section 5.7, version 7).

The ledger's rows stand in order of them: what is booked together is written to the same page of its index. Random ids
touch a page each, which is most of what a large ledger's writes cost.
"""

from collections.abc import Callable

_RANDOM_BYTES = 10


def call_id(milliseconds: int, random_bytes: Callable[[int], bytes]) -> str:
    """`milliseconds` since 1970 UTC, below 2^48; `random_bytes(n)` answers with n of them, such as os.urandom."""
    digits = random_bytes(_RANDOM_BYTES).hex()
    # the first digit is the version; the two high bits of the fifth are the variant
    variant = "89ab"[int(digits[3], 16) & 3]
    time = f"{milliseconds:012x}"
    return f"{time[:8]}-{time[8:]}-7{digits[:3]}-{variant}{digits[4:7]}-{digits[7:19]}"

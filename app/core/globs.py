"""Patterns in lists of rights: `*` is any run of characters but `/`, everything else is itself, case and all.

Matched without regular expressions, in time linear in pattern and text, since both may come from people who mean harm.
"""


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` fits `pattern`."""
    patterns, texts = pattern.split("/"), text.split("/")
    return len(patterns) == len(texts) and all(map(_segment_matches, patterns, texts))


def _segment_matches(pattern: str, text: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    at = len(first)
    *middle, last = rest
    # the leftmost fit of each part leaves the most room for those after it
    for part in middle:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(text) - len(last) >= at and text.endswith(last)

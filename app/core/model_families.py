"""Whose model it is, as far as that tells how its tokens relate to text."""

from functools import lru_cache

from app.core.model_names import model_name

OTHER = "other"
_BY_START = {
    "anthropic.": "anthropic",
    "amazon.nova": "nova",
    "amazon.titan": "titan",
    "meta.": "meta",
    "mistral.": "mistral",
    "cohere.": "cohere",
    "ai21.": "ai21",
    "openai.": "openai",
    "qwen.": "qwen",
    "deepseek.": "deepseek",
    "google.": "google",
    "stability.": "stability",
    "twelvelabs.": "twelvelabs",
    "luma.": "luma",
}
FAMILIES = (*_BY_START.values(), OTHER)


def bare_model(model: str | None) -> str:
    """The id of the foundation model that a model id or ARN says runs; "" where it does not say."""
    spellings = model_name(model).spellings if model else ()
    return spellings[-1] if spellings else ""


@lru_cache(maxsize=2048)
def family_of(model: str | None) -> str:
    """One of FAMILIES, for a model id or ARN of at most LONGEST_MODEL characters, or None."""
    bare = bare_model(model)
    return next((family for start, family in _BY_START.items() if bare.startswith(start)), OTHER)

"""A request's headers as core reads them: lower-case names, from WSGI's environ."""

from collections.abc import Mapping


def lower_case_headers(environ: Mapping[str, str]) -> dict[str, str]:
    """By name; gunicorn.conf.py has dropped every name with an underscore but litellm_user_api_key."""
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    return headers

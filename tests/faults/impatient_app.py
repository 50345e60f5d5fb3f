"""The watched product, looking for its AWS credentials each half second, where it takes half a minute."""

from app.upstream.credentials import CredentialKeeper

LOOK_SECONDS = 0.5
# before the product is made, which is what importing it does
CredentialKeeper.__init__.__defaults__ = (LOOK_SECONDS,)

from tests.faults.watched_app import app  # noqa: E402  # for the reason above

__all__ = ["app"]

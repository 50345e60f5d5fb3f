"""May this caller call for this end user? A customer may be blocked, or be another team's; a key may ask for one."""

from app.core.attribution import END_USER_HEADERS
from app.core.callers import Caller
from app.core.errors import AccessDenied, MalformedRequest
from app.core.limits import PayingCustomer
from app.core.usage import Attribution
from app.gateway.key_directory import KeyDirectory


class EndUsers:
    """Who is registered as a customer, and what that allows."""

    def __init__(self, directory: KeyDirectory) -> None:
        self._directory = directory

    def check(self, caller: Caller, attribution: Attribution) -> PayingCustomer | None:
        """The customer that a call names, None if it names none. The master key may name every team's.

        Raises AccessDenied, MalformedRequest where the key must name one, StoreUnavailable or WorkerFull.
        """
        if attribution.end_user is None:
            if caller.grant and caller.grant.key.end_user_required:
                raise MalformedRequest(
                    f"This key's calls must name the end user that they are for: send it as the header "
                    f"{END_USER_HEADERS[0]}."
                )
            return None
        found = self._directory.customer(attribution.end_user)
        if found is None:
            return None
        team_id = found.customer.team_id
        if team_id is not None and caller.grant and caller.team_id != team_id:
            raise AccessDenied(
                f"This key may not call for the end user in {attribution.source}. An administrator can give the end "
                "user to the key's team by /customer/update."
            )
        if found.customer.blocked:
            raise AccessDenied(
                f"The end user in {attribution.source} is blocked. An administrator can unblock it by "
                "/customer/unblock."
            )
        return found

"""Who changed what, for those who see everything."""

from app.core.accounts import AuditEntry
from app.core.admin_rights import require_administrator
from app.core.callers import Actor
from app.core.registry_messages import AuditQuery, Page
from app.gateway.audited_changes import AuditedRegistry


class AuditTrail:
    """Reads what AuditedRegistry notes."""

    def __init__(self, registry: AuditedRegistry) -> None:
        self._registry = registry

    def page(self, actor: Actor, query: AuditQuery) -> Page[AuditEntry]:
        """Raises NotAdministrator or StoreUnavailable."""
        require_administrator(actor.caller, "/audit", reads=True)
        return self._registry.read(lambda records: records.audit(query))

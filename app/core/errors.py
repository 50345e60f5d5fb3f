"""Everything that can end a call early, as one tree.

    GatewayError
    ├── CallerError                 the caller can mend it
    │   ├── Unauthenticated             no or malformed credential
    │   │   ├── KeyUnknown
    │   │   ├── KeyExpired
    │   │   ├── KeyBlocked                  the key, or its team
    │   │   ├── NotAdministrator            an admin route, with a key that may not
    │   │   └── SignatureWrong              a key pair issued here, and a signature that is not its
    │   │       └── ClockOff                    made too long ago, or in the future
    │   ├── AccessDenied                known, but not allowed this
    │   ├── BudgetSpent                 until its window ends, or somebody raises it
    │   ├── Throttled                   a rate, tokens or parallel limit, or a budget that calls in flight hold
    │   ├── MalformedRequest            cannot be forwarded faithfully
    │   │   ├── MethodUnknown
    │   │   ├── BodyTooLarge
    │   │   ├── BodyTooSlow                 it comes slower than anybody sends
    │   │   └── NeedsFullDuplex             bidirectional streams
    │   ├── InvalidField                an admin request that cannot be carried out as it stands
    │   │   ├── AlreadyThere                to make a user who is there
    │   │   └── DatesMissing                a report without its dates
    │   └── NotFound                    an admin request for what is not there
    └── GatewayFault                the caller can only wait, or tell the operator
        ├── CredentialsMissing          the gateway has no AWS credentials
        ├── WorkerFull                  a bound of this worker is reached
        ├── StoreUnavailable            the database does not answer
        ├── ModelsUnlisted              AWS does not tell which models it offers
        ├── UpstreamUnreachable         nothing was sent: a retry is safe
        ├── UpstreamSilent              no headers within the deadline
        ├── UpstreamBroke               the connection broke after the request was sent
        └── ClientLeft                  nobody is there to answer
            └── ClientLeftEarly             nor was anything sent to AWS

`code` is the AWS name that SDKs raise as a typed exception. The HTTP status belongs to web/errors.py. A message says
what happened and what to do next, and never contains a credential.
"""


class GatewayError(Exception):
    """What ends a call before AWS's own answer does."""

    code = "InternalServerException"

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        """`retry_after`: seconds the caller should wait; set on what SDKs may retry."""
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class CallerError(GatewayError):
    """The caller can mend it."""


class Unauthenticated(CallerError):
    """No credential, or one that is malformed or unknown."""

    code = "UnrecognizedClientException"


class KeyUnknown(Unauthenticated):
    """A well-formed credential that is none of this gateway's."""


class KeyExpired(Unauthenticated):
    """The key's time is over, or the grace of a text that was rotated away."""


class KeyBlocked(Unauthenticated):
    """The key or its team is blocked."""


class NotAdministrator(Unauthenticated):
    """An admin route, with a key that may not do this. The peer answers 401."""


class SignatureWrong(Unauthenticated):
    """Signed with the id of a key pair issued here, and the signature is not its."""

    code = "InvalidSignatureException"


class ClockOff(SignatureWrong):
    """The signature's date is too far from this gateway's clock. SDKs correct their clocks by this code."""

    code = "RequestTimeTooSkewed"


class AccessDenied(CallerError):
    """The caller is known and may not do this."""

    code = "AccessDeniedException"


class BudgetSpent(CallerError):
    """A budget has no room for this call, and waiting for other calls does not make any. SDKs do not retry it."""

    code = "ServiceQuotaExceededException"


class Throttled(CallerError):
    """A limit has no room for this call now; SDKs may retry it after `retry_after`."""

    code = "ThrottlingException"


class MalformedRequest(CallerError):
    """The request cannot be forwarded faithfully."""

    code = "ValidationException"


class MethodUnknown(MalformedRequest):
    """No Bedrock operation uses this HTTP method."""


class BodyTooLarge(MalformedRequest):
    """The body passes OUTCROP_MAX_BODY_BYTES."""


class BodyTooSlow(MalformedRequest):
    """The body stopped coming, or comes too slowly. Nothing was sent to AWS: SDKs try again by this code."""

    code = "RequestTimeoutException"


class NeedsFullDuplex(MalformedRequest):
    """The operation needs HTTP/2 in both directions at once, which WSGI cannot carry."""


class InvalidField(CallerError):
    """An admin request that cannot be carried out as it stands. `param` names the field."""

    code = "ValidationException"

    def __init__(self, message: str, param: str = "None") -> None:
        super().__init__(message)
        self.param = param


class AlreadyThere(InvalidField):
    """An admin request to make a user who is there. The peer answers 409; of other things it says 400."""


class DatesMissing(InvalidField):
    """A report without its dates. The peer has a type of its own for it."""


class NotFound(CallerError):
    """An admin request for what is not there. `param` names the field that asked for it."""

    code = "ResourceNotFoundException"

    def __init__(self, message: str, param: str = "None") -> None:
        super().__init__(message)
        self.param = param


class GatewayFault(GatewayError):
    """The caller can only wait, or tell the operator."""


class CredentialsMissing(GatewayFault):
    """The gateway has no AWS credentials to sign with."""


class WorkerFull(GatewayFault):
    """A bound of this worker is reached: memory for bodies, or calls in flight."""

    code = "ServiceUnavailableException"


class StoreUnavailable(GatewayFault):
    """The database does not answer, and without it this cannot be decided."""

    code = "ServiceUnavailableException"

    def __init__(self, message: str, *, retry_after: int | None = None, reason: str = "") -> None:
        """`reason`: what its driver said. It names hosts and users, so it is for the log and the operator alone."""
        super().__init__(message, retry_after=retry_after)
        self.reason = reason


class ModelsUnlisted(GatewayFault):
    """AWS does not tell which models it offers: an admin request for them cannot be answered."""

    code = "ServiceUnavailableException"


class UpstreamUnreachable(GatewayFault):
    """The connection to AWS could not be made: nothing was sent, so a retry is safe."""

    code = "ServiceUnavailableException"


class UpstreamSilent(GatewayFault):
    """AWS sent no headers within the deadline."""

    code = "ModelTimeoutException"


class UpstreamBroke(GatewayFault):
    """The connection broke after the request was sent: the model may have run, so SDKs must not pay again."""

    code = "ModelErrorException"


class ClientLeft(GatewayFault):
    """The caller closed its connection: nobody is there to answer."""

    code = "ClientClosedRequest"


class ClientLeftEarly(ClientLeft):
    """The same, before anything of its call was sent to AWS."""

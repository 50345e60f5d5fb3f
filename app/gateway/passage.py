"""What happens to a call, in order, on one screen."""

from collections.abc import Callable

from app.core import bedrock_calls, header_rules, policy
from app.core.bedrock_calls import BedrockCall
from app.core.callers import Caller
from app.core.json_bodies import JsonBody
from app.core.messages import CallRecord, Cancellation, ProxyRequest, UpstreamRequest
from app.core.operations import OperationsTable
from app.core.policy import RegionRules
from app.core.request_metadata import identity_of, with_identity
from app.gateway.bookkeeping import Bookkeeping, Tab
from app.gateway.doorman import Doorman
from app.gateway.in_flight import InFlight
from app.gateway.metered_reply import MeteredReply
from app.gateway.ports import Bedrock, Body, Client, Journal, UpstreamReply
from app.gateway.settlement import Settlement

_ERROR = 400


class Passage:
    """The way of every call, from its caller to AWS and back."""

    def __init__(  # noqa: PLR0913  # the collaborators, each by name
        self,
        *,
        doorman: Doorman,
        operations: OperationsTable,
        regions: RegionRules,
        bedrock: Bedrock,
        bookkeeping: Bookkeeping,
        journal: Journal,
        clock: Callable[[], float],
        most_in_flight: int = 1000,
        tells_aws_who: bool = False,
    ) -> None:
        """`most_in_flight`: calls at once; `tells_aws_who`: write who is calling into what AWS logs of a call."""
        self.in_flight = InFlight(journal, most_in_flight)
        self._doorman = doorman
        self._operations = operations
        self._regions = regions
        self._bedrock = bedrock
        self._bookkeeping = bookkeeping
        self._clock = clock
        self._tells_aws_who = tells_aws_who

    def open(self, record: CallRecord, client: Client) -> Settlement:
        """A call has arrived: what ends it, exactly once."""
        self.in_flight.arrive()
        return Settlement(record, client, self._bookkeeping, self.in_flight, self._clock)

    def run(self, request: ProxyRequest, body: Body, settlement: Settlement) -> MeteredReply:
        """One call, up to the head of its reply. Raises GatewayError, which ends in settlement.refuse."""
        record = settlement.record
        self.in_flight.check()
        caller, proof = self._doorman.admit_call(request)
        _note_caller(record, caller)
        call = bedrock_calls.resolve(self._operations, request.method, request.target, request.headers)
        _note(record, call)
        record.region = self._region(request)
        policy.check_path(caller, call, request, record.region)
        headers = header_rules.to_aws(request.headers.items())
        cancellation = Cancellation()
        try:
            began = self._clock()
            content = body.read()
            uploaded_ms = (self._clock() - began) * 1000
            record.bytes_in = len(content)
            proof.check(content)
            call = _decided(caller, call, JsonBody(content, request.headers))
            _note(record, call)
            settlement.tab = tab = self._bookkeeping.open(caller, call, request, content, record)
            if self._tells_aws_who:
                headers, content = with_identity(call, headers, content, identity_of(caller, tab.attribution))
            if call.streams:
                settlement.client.watch(cancellation)
            target = request.target.path_and_query
            record.sent = True
            reply = self._bedrock.send(
                UpstreamRequest(call.service, record.region, request.method, target, headers, content), cancellation
            )
        finally:
            body.release()
        record.overhead_ms = round(settlement.elapsed_ms() - reply.waited_ms - uploaded_ms, 2)
        return self._metered(reply, tab, settlement, cancellation)

    def _region(self, request: ProxyRequest) -> str:
        in_arns = bedrock_calls.region_in_arns(request.target.segments)
        in_scope = request.scope.region if request.scope else None
        return policy.choose_region(self._regions, request.target.region, in_arns, in_scope)

    def _metered(
        self, reply: UpstreamReply, tab: Tab, settlement: Settlement, cancellation: Cancellation
    ) -> MeteredReply:
        record = settlement.record
        record.status = reply.status
        record.aws_request_id = _header(reply, "x-amzn-requestid")
        if reply.status >= _ERROR:
            record.error = (_header(reply, "x-amzn-errortype") or "").partition(":")[0] or None
        break_exception = tab.call.operation.break_exception if tab.call.operation else None
        try:
            tap = self._bookkeeping.answered(tab, reply.status, reply.headers)
            metered = MeteredReply(reply, settlement, cancellation, tap, break_exception)
            record.streamed = metered.streamed
            if metered.streamed and not tab.call.streams:
                settlement.client.watch(cancellation)
            metered.begin()
        except BaseException:  # nobody else can close it yet, nor end the watch over it
            reply.close()
            raise
        return metered


def _decided(caller: Caller, call: BedrockCall, body: JsonBody) -> BedrockCall:
    """The call as its body makes it, once policy let it pass. What was parsed is let go before AWS is called."""
    call = bedrock_calls.decide_by_body(call, body)
    policy.check_body(caller, call, body)
    return call


def _header(reply: UpstreamReply, name: str) -> str | None:
    return next((value for known, value in reply.headers if known.lower() == name), None)


def _note_caller(record: CallRecord, caller: Caller) -> None:
    team = caller.grant.team if caller.grant else None
    record.caller, record.user = caller.alias, caller.user_id
    record.team = (team and team.alias) or caller.team_id


def _note(record: CallRecord, call: BedrockCall) -> None:
    record.service, record.operation, record.model = call.service, call.name, call.model

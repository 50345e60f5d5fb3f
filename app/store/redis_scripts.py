"""The scripts that Redis runs, each as a whole: nothing else happens meanwhile.

KEYS are two of each claim: its account's minute, its account's leases. Keys end by themselves when nothing has used
them for longer than they mean anything. Clocks are Redis's own; milliseconds fit into Lua's numbers exactly.
"""

from dataclasses import dataclass, field
from hashlib import sha1


@dataclass(frozen=True, slots=True)
class Script:
    """`sha`: the name by which Redis knows it, once it has seen it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        name = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", name)


_CLOCK = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local minute = math.floor(time[1] / 60)
local function this_minute(key)
    local kept = redis.call('HMGET', key, 'minute', 'requests', 'tokens')
    if tonumber(kept[1] or -1) ~= minute then return 0, 0 end
    return tonumber(kept[2] or 0), tonumber(kept[3] or 0)
end
local function keep(key, requests, tokens)
    redis.call('HSET', key, 'minute', minute, 'requests', requests, 'tokens', tokens)
    redis.call('EXPIRE', key, 120)
end
"""

# ARGV: lease in ms, call, then of each claim rpm, tpm, parallel (-1: no limit)
# Answers the number of the claim that refuses (0: none does), which limit (0 rpm, 1 tpm, 2 parallel), the minute, and
# the account's requests, tokens and calls in flight.
TAKE = Script(
    _CLOCK
    + """
local lease, call = tonumber(ARGV[1]), ARGV[2]
for i = 1, #KEYS / 2 do
    local rpm, tpm, parallel = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
    local requests, tokens = this_minute(KEYS[2 * i - 1])
    local in_flight, refused = 0, -1
    if parallel >= 0 then
        redis.call('ZREMRANGEBYSCORE', KEYS[2 * i], '-inf', now)
        in_flight = redis.call('ZCARD', KEYS[2 * i])
        if in_flight >= parallel then refused = 2 end
    end
    if tpm >= 0 and tokens >= tpm then refused = 1 end
    if rpm >= 0 and requests >= rpm then refused = 0 end
    if refused >= 0 then return {i, refused, minute, requests, tokens, in_flight} end
end
for i = 1, #KEYS / 2 do
    local requests, tokens = this_minute(KEYS[2 * i - 1])
    keep(KEYS[2 * i - 1], requests + 1, tokens)
    if tonumber(ARGV[3 * i + 2]) >= 0 then
        redis.call('ZADD', KEYS[2 * i], now + lease, call)
        redis.call('PEXPIRE', KEYS[2 * i], 2 * lease)
    end
end
return {0, 0, minute, 0, 0, 0}
"""
)

# ARGV: call, tokens
SETTLE = Script(
    _CLOCK
    + """
for i = 1, #KEYS / 2 do
    local requests, tokens = this_minute(KEYS[2 * i - 1])
    keep(KEYS[2 * i - 1], requests, tokens + tonumber(ARGV[2]))
    redis.call('ZREM', KEYS[2 * i], ARGV[1])
end
return {}
"""
)

# ARGV: call, the minute in which it counted
GIVE_BACK = Script(
    _CLOCK
    + """
for i = 1, #KEYS / 2 do
    local requests, tokens = this_minute(KEYS[2 * i - 1])
    if minute == tonumber(ARGV[2]) and requests > 0 then keep(KEYS[2 * i - 1], requests - 1, tokens) end
    redis.call('ZREM', KEYS[2 * i], ARGV[1])
end
return {}
"""
)

# KEYS: the leases' alone; ARGV: lease in ms, then the call of each key
RENEW = Script(
    _CLOCK
    + """
for i = 1, #KEYS do
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
    redis.call('ZADD', KEYS[i], 'XX', now + tonumber(ARGV[1]), ARGV[i + 1])
    redis.call('PEXPIRE', KEYS[i], 2 * tonumber(ARGV[1]))
end
return {}
"""
)

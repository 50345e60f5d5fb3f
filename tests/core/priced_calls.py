"""What well-known calls cost, worked out by hand from AWS's published prices.

Each row: model, region, service, tier, what was used, US dollars. Most use 1,000 input and 500 output tokens, so that
a row's cost is its input price / 1,000 + its output price / 2,000.
"""

from typing import NamedTuple

RUNTIME, MANTLE = "bedrock-runtime", "bedrock-mantle"
TALK = {"input": 1000, "output": 500}


class PricedCall(NamedTuple):
    """One row."""

    model: str
    cost: str
    region: str = "us-east-1"
    service: str = RUNTIME
    tier: str | None = None
    used: dict[str, int] = TALK


SONNET_45 = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU_45 = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:012345678901:inference-profile"
CALLS = (
    # geo profiles and bare ids cost the regional rate, global profiles a tenth less
    PricedCall(f"us.{SONNET_45}", "0.01155"),
    PricedCall(SONNET_45, "0.01155"),
    PricedCall(f"global.{SONNET_45}", "0.0105"),
    PricedCall(f"global.{SONNET_45}", "0.0105", region="eu-central-1"),
    PricedCall(f"us-gov.{SONNET_45}", "0.0126", region="us-gov-west-1"),
    PricedCall(SONNET_45, "0.0126", region="us-gov-east-1"),
    PricedCall(f"us.{HAIKU_45}", "0.00385"),
    PricedCall(f"global.{HAIKU_45}", "0.0035"),
    PricedCall("us.anthropic.claude-sonnet-4-6", "0.01155"),
    PricedCall("global.anthropic.claude-sonnet-5", "0.007"),
    PricedCall("eu.anthropic.claude-sonnet-5", "0.0077", region="eu-west-1"),
    PricedCall("us.anthropic.claude-opus-4-5-20251101-v1:0", "0.01925"),
    PricedCall("us.anthropic.claude-opus-4-8", "0.01925"),
    # models from before global profiles
    PricedCall("us.anthropic.claude-opus-4-1-20250805-v1:0", "0.0525"),
    PricedCall("us.anthropic.claude-sonnet-4-20250514-v1:0", "0.0105"),
    PricedCall(f"{PROFILE}/us.anthropic.claude-3-7-sonnet-20250219-v1:0", "0.0105"),
    PricedCall("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-haiku-20241022-v1:0", "0.0028"),
    PricedCall("anthropic.claude-3-5-sonnet-20240620-v1:0", "0.0105"),
    PricedCall("anthropic.claude-3-haiku-20240307-v1:0:200k", "0.000875"),
    # Nova costs more in the EU and in Asia, and most in GovCloud
    PricedCall("amazon.nova-pro-v1:0", "0.0024"),
    PricedCall("eu.amazon.nova-pro-v1:0", "0.00315", region="eu-north-1"),
    PricedCall("apac.amazon.nova-pro-v1:0", "0.00252", region="ap-south-1"),
    PricedCall("amazon.nova-pro-v1:0", "0.00288", region="us-gov-west-1"),
    PricedCall("us.amazon.nova-pro-v1:0", "0.0012", tier="flex"),
    PricedCall("us.amazon.nova-lite-v1:0", "0.00018"),
    PricedCall("eu.amazon.nova-lite-v1:0", "0.000234", region="eu-west-1"),
    PricedCall("us.amazon.nova-micro-v1:0", "0.000105"),
    PricedCall("us.amazon.nova-premier-v1:0", "0.00875"),
    PricedCall("amazon.titan-text-express-v1", "0.0005"),
    PricedCall("amazon.titan-text-lite-v1:0:4k", "0.00025"),
    PricedCall("amazon.titan-embed-text-v2:0", "0.00002", used={"input": 1000}),
    PricedCall("us.meta.llama3-3-70b-instruct-v1:0", "0.00108"),
    PricedCall("mistral.mistral-7b-instruct-v0:2", "0.00025"),
    PricedCall("us.deepseek.r1-v1:0", "0.00405"),
    PricedCall("ai21.jamba-1-5-large-v1:0", "0.006"),
    PricedCall("ai21.jamba-1-5-mini-v1:0", "0.0004"),
    PricedCall("openai.gpt-oss-120b-1:0", "0.00045"),
    PricedCall("openai.gpt-oss-20b", "0.00022", service=MANTLE),
    PricedCall("openai.gpt-oss-120b", "0.00054", service=MANTLE, region="us-gov-west-1"),
    PricedCall("qwen.qwen3-32b-v1:0", "0.00045"),
    PricedCall("google.gemma-3-27b-it", "0.00042"),
    # one model, three prices for a place
    PricedCall("moonshotai.kimi-k2-thinking", "0.00185"),
    PricedCall("moonshotai.kimi-k2-thinking", "0.002245", region="eu-west-1"),
    PricedCall("moonshotai.kimi-k2-thinking", "0.00185", region="eu-west-1", service=MANTLE),
    # caches, and the two lives of what is written to them
    PricedCall(f"us.{SONNET_45}", "0.00033", used={"cache_read": 1000}),
    PricedCall(f"us.{SONNET_45}", "0.004125", used={"cache_write_5m": 1000}),
    PricedCall(f"us.{SONNET_45}", "0.0066", used={"cache_write_1h": 1000}),
    # a threshold is about the whole request: below it, at it, above it
    PricedCall(f"us.{SONNET_45}", "0.6599967", used={"input": 199_999}),
    PricedCall(f"us.{SONNET_45}", "0.66", used={"input": 200_000}),
    PricedCall(f"us.{SONNET_45}", "1.3200066", used={"input": 200_001}),
    PricedCall(f"us.{SONNET_45}", "0.0957", used={"input": 10_000, "cache_read": 190_000}),
    PricedCall(f"us.{SONNET_45}", "0.19140066", used={"input": 10_000, "cache_read": 190_001}),
    # tiers
    PricedCall("openai.gpt-6.1-sol", "0.0462", service=MANTLE, tier="ultrafast"),
    PricedCall("openai.gpt-6.1-sol", "0.0077", service=MANTLE),
    PricedCall("us.amazon.nova-lite-v1:0", "0.00018", tier="priority"),
    PricedCall("us.amazon.nova-pro-v1:0", "0.0024", tier="default"),
    # images, queries, seconds
    PricedCall("cohere.rerank-v3-5:0", "0.004", used={"query": 2}),
    PricedCall("amazon.rerank-v1:0", "0.001", used={"query": 1}),
    PricedCall("amazon.nova-canvas-v1:0", "0.18", used={"output_image": 3}),
    PricedCall("us.twelvelabs.pegasus-1-2-v1:0", "0.0369", used={"input_video_second": 60, "output": 1000}),
)

"""A small price list in AWS's form, written by hand: the offers' three grammars, and what must be left alone."""

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One product and its price."""

    usage_type: str
    usd: str
    unit: str = "1K tokens"
    region: str = "us-east-1"
    model: str | None = None
    servicename: str = "Amazon Bedrock"
    feature: str | None = "On-demand Inference"
    inference_type: str | None = None


def market(usage_type: str, usd: str, name: str, region: str = "us-east-1", unit: str = "Units") -> Row:
    """A row of AmazonBedrockFoundationModels."""
    return Row(usage_type, usd, unit, region, servicename=f"{name} (Amazon Bedrock Edition)", feature=None)


def offer(*rows: Row, published: str = "2026-11-20T10:00:00Z") -> dict[str, Any]:
    """An offer, as its index.json has it."""
    products, terms = {}, {}
    for number, row in enumerate(rows):
        sku = f"SKU{number}"
        attributes = {
            "servicename": row.servicename,
            "regionCode": row.region,
            "usagetype": row.usage_type,
            "operation": "",
            "model": row.model,
            "feature": row.feature,
            "inferenceType": row.inference_type,
        }
        products[sku] = {
            "sku": sku,
            "attributes": {name: value for name, value in attributes.items() if value is not None},
        }
        terms[sku] = {
            f"{sku}.JRTCKXETXF": {
                "priceDimensions": {
                    f"{sku}.JRTCKXETXF.6YS6EN2CT7": {"unit": row.unit, "pricePerUnit": {"USD": row.usd}}
                }
            }
        }
    return {"publicationDate": published, "products": products, "terms": {"OnDemand": terms}}


# as the book has it
NOVA_PRO = (
    Row("USE1-NovaPro-input-tokens", "0.0008000000", model="Nova Pro", inference_type="Input tokens"),
    Row("USE1-NovaPro-output-tokens", "0.0032000000", model="Nova Pro", inference_type="Output tokens"),
    Row("USE1-NovaPro-cache-read-input-token-count", "0.0002000000", model="Nova Pro"),
    Row("USE1-NovaPro-input-tokens-flex", "0.0004000000", model="Nova Pro", inference_type="Input tokens flex"),
)
# dearer than the book has it, and whole
NOVA_PRO_LONDON = (
    Row("EUW2-NovaPro-input-tokens", "0.0012", region="eu-west-2", model="Nova Pro"),
    Row("EUW2-NovaPro-output-tokens", "0.0048", region="eu-west-2", model="Nova Pro"),
    Row("EUW2-NovaPro-cache-read-input-token-count", "0.0003", region="eu-west-2", model="Nova Pro"),
    Row("EUW2-NovaPro-input-tokens-priority", "0.0021", region="eu-west-2", model="Nova Pro"),
    Row("EUW2-NovaPro-output-tokens-priority", "0.0084", region="eu-west-2", model="Nova Pro"),
)
# Claude in both of the marketplace's grammars
HAIKU = "Claude Haiku 4.5"
HAIKU_45 = (
    market("USE1-MP:USE1_InputTokenCount-Units", "1.1000000000", HAIKU),
    market("USE1-MP:USE1_OutputTokenCount-Units", "5.5000000000", HAIKU),
    market("USE1-MP:USE1_InputTokenCount_Global-Units", "0.9", HAIKU),
    market("USE1-MP:USE1_OutputTokenCount_Global-Units", "4.5", HAIKU),
    market("USE1-MP:USE1_CacheReadInputTokenCount_Global-Units", "0.09", HAIKU, unit="1M tokens"),
    market("USE1-MP:USE1_CacheWriteInputTokenCount_Global-Units", "1.125", HAIKU),
    market("USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units", "1.8", HAIKU),
    market("USE1-MP:USE1_InputTokenCount_Global_Batch-Units", "0.45", HAIKU),
)
OPUS_5 = (
    market("USW2-MP:USW2_input_tokens_standard-Units", "5.6", "Claude Opus 5", "us-west-2"),
    market("USW2-MP:USW2_output_tokens_standard-Units", "28", "Claude Opus 5", "us-west-2"),
    market("USW2-MP:USW2_cache_read_tokens_standard-Units", "0.56", "Claude Opus 5", "us-west-2"),
    market("USW2-MP:USW2_cache_write_tokens_standard-Units", "7", "Claude Opus 5", "us-west-2"),
    market("USW2-MP:USW2_cache_write_tokens_1h_standard-Units", "11.2", "Claude Opus 5", "us-west-2"),
)
# a model that the book does not know, by its id
NEW_MODEL = (
    Row("USE1-maker.new-model-mantle-input-tokens-standard", "0.0002"),
    Row("USE1-maker.new-model-mantle-output-tokens-standard", "0.0009"),
)
LEFT_ALONE = (
    Row("USE1-NovaLite-input-tokens-custom-model", "0.00006", model="Nova Lite"),
    Row("USE1-NovaMicro-Customization-Training", "0.001", model="Nova Micro"),
    Row("USE1-NovaMicro-input-tokens", "0.001", model="Nova Micro", feature="Model Customization"),
    Row("USE1-NovaLite-input-tokens", "0.03", model="Nova Lite", inference_type="Input tokens priority"),
    Row("USE1-NovaLite-output-tokens", "9", model="Nova Lite"),
    Row("USE1-NovaLite-input-tokens", "0.00006", model="Nova Lite", unit="images"),
    Row("USE1-NovaLite-input-tokens", "free", model="Nova Lite"),
    Row("USE1-NovaLite-input-tokens", "0.00006", model="Nova Lite", region="nowhere"),
    Row("USE1-SomethingNew-input-tokens", "0.001", model="Something New"),
    market("USE1-MP:USE1_Reserved_1Month_InputTPM_Geo-Units", "7", HAIKU),
    market("USE1-MP:USE1_InputImageCount-Units", "7", HAIKU),
    market("USE1-MP:USE1_cache_write_tokens_30m_standard-Units", "7", "GPT-6 Astra"),
    market("USE1-MP:USE1_input_tokens_long_ctx_standard-Units", "11", "Claude Opus 5"),
    Row("EUW1-NovaPro-input-tokens", "0.0013", region="eu-west-1", model="Nova Pro"),
)

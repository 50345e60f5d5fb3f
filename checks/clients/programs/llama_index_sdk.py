"""LlamaIndex's model for Bedrock's Converse."""

from llama_index.llms.bedrock_converse import BedrockConverse

from checks.clients.programs.serving import KEY, MODEL, URL, serve

model = BedrockConverse(
    model=MODEL, endpoint_url=URL, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key="x"
)
impatient = BedrockConverse(  # the other one tries 10 times, which takes minutes
    model=MODEL,
    endpoint_url=URL,
    region_name="us-east-1",
    aws_access_key_id=KEY,
    aws_secret_access_key="x",
    max_retries=1,
)


def complete(prompt: str) -> str:
    return str(model.complete(prompt).text)


def complete_impatiently(prompt: str) -> str:
    return str(impatient.complete(prompt).text)


def stream(prompt: str) -> str:
    return "".join(piece.delta or "" for piece in model.stream_complete(prompt))


if __name__ == "__main__":
    serve({"complete": complete, "complete_impatiently": complete_impatiently, "stream_complete": stream})

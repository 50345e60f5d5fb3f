"""LangChain's chat model for Bedrock's Converse."""

from langchain_aws import ChatBedrockConverse

from checks.clients.programs.serving import KEY, MODEL, URL, serve

model = ChatBedrockConverse(
    model=MODEL, endpoint_url=URL, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key="x"
)


def invoke(prompt: str) -> str:
    return str(model.invoke(prompt).text)


def stream(prompt: str) -> str:
    return "".join(str(chunk.text) for chunk in model.stream(prompt))


if __name__ == "__main__":
    serve({"invoke": invoke, "stream": stream})

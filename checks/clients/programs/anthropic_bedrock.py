"""Anthropic's client for Bedrock: InvokeModel and its stream."""

from anthropic import AnthropicBedrock

from checks.clients.programs.serving import KEY, MODEL, URL, serve

client = AnthropicBedrock(base_url=URL, api_key=KEY, aws_region="us-east-1")


def create(prompt: str) -> str:
    message = client.messages.create(model=MODEL, max_tokens=64, messages=[{"role": "user", "content": prompt}])
    return str(message.content[0].text)


def stream(prompt: str) -> str:
    with client.messages.stream(model=MODEL, max_tokens=64, messages=[{"role": "user", "content": prompt}]) as streamed:
        return "".join(streamed.text_stream)


if __name__ == "__main__":
    serve({"create": create, "stream": stream})

"""The Anthropic API of Bedrock, with Anthropic's own client."""

from anthropic import Anthropic

from checks.clients.programs.serving import KEY, MODEL, URL, serve

client = Anthropic(base_url=URL + "/anthropic", api_key=KEY)


def create(prompt: str) -> str:
    message = client.messages.create(model=MODEL, max_tokens=64, messages=[{"role": "user", "content": prompt}])
    return str(message.content[0].text)


def stream(prompt: str) -> str:
    with client.messages.stream(model=MODEL, max_tokens=64, messages=[{"role": "user", "content": prompt}]) as streamed:
        return "".join(streamed.text_stream)


if __name__ == "__main__":
    serve({"create": create, "stream": stream})

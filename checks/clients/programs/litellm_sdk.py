"""The LiteLLM SDK."""

from typing import Any

from litellm import completion

from checks.clients.programs.serving import KEY, MODEL, URL, serve


def complete(messages: list[dict[str, str]], **options: Any) -> Any:
    return completion(
        model="bedrock/converse/" + MODEL,
        api_key=KEY,
        aws_bedrock_runtime_endpoint=URL,
        aws_region_name="us-east-1",
        messages=messages,
        **options,
    )


def unary(prompt: str) -> str:
    return str(complete([{"role": "user", "content": prompt}]).choices[0].message.content)


def stream(prompt: str) -> str:
    chunks = complete([{"role": "user", "content": prompt}], stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


if __name__ == "__main__":
    serve({"completion": unary, "stream": stream})

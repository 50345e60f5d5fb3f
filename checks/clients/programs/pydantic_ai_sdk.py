"""Pydantic AI."""

import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

from checks.clients.programs.serving import KEY, MODEL, URL, serve

provider = BedrockProvider(base_url=URL, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key="x")
agent = Agent(BedrockConverseModel(MODEL, provider=provider))


def run(prompt: str) -> str:
    return str(agent.run_sync(prompt).output)


def stream(prompt: str) -> str:
    return asyncio.run(streamed(prompt))


async def streamed(prompt: str) -> str:
    async with agent.run_stream(prompt) as result:
        return "".join([text async for text in result.stream_text(delta=True)])


if __name__ == "__main__":
    serve({"run": run, "run_stream": stream})

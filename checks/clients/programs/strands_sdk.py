"""Strands Agents. The agent may not retry: it would wait for minutes on a throttled model."""

import asyncio

import boto3
from strands import Agent
from strands.models import BedrockModel

from checks.clients.programs.serving import KEY, MODEL, URL, serve

model = BedrockModel(
    boto_session=boto3.Session(aws_access_key_id=KEY, aws_secret_access_key="x", region_name="us-east-1"),
    endpoint_url=URL,
    model_id=MODEL,
)


def agent(*, streaming: bool) -> Agent:
    model.update_config(streaming=streaming)
    return Agent(model=model, callback_handler=None, retry_strategy=None)


def call(prompt: str) -> str:
    return str(agent(streaming=False)(prompt)).strip()


def stream(prompt: str) -> str:
    return asyncio.run(streamed(agent(streaming=True), prompt))


async def streamed(chosen: Agent, prompt: str) -> str:
    return "".join([event["data"] async for event in chosen.stream_async(prompt) if "data" in event])


if __name__ == "__main__":
    serve({"agent": call, "stream_async": stream})

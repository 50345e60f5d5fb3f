"""The OpenAI API of Bedrock: bedrock-runtime's, and bedrock-mantle's."""

from openai import OpenAI

from checks.clients.programs.serving import KEY, OPENAI_MODEL, URL, serve

client = OpenAI(base_url=URL + "/openai/v1", api_key=KEY)
mantle = OpenAI(base_url=URL + "/v1", api_key=KEY)


def chat(prompt: str) -> str:
    return chat_with(client, prompt)


def chat_with(chosen: OpenAI, prompt: str) -> str:
    answer = chosen.chat.completions.create(model=OPENAI_MODEL, messages=[{"role": "user", "content": prompt}])
    return str(answer.choices[0].message.content)


def chat_stream(prompt: str) -> str:
    return chat_stream_with(client, prompt)


def chat_stream_with(chosen: OpenAI, prompt: str) -> str:
    chunks = chosen.chat.completions.create(
        model=OPENAI_MODEL, messages=[{"role": "user", "content": prompt}], stream=True
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def responses(prompt: str) -> str:
    return str(client.responses.create(model=OPENAI_MODEL, input=prompt).output_text)


def responses_stream(prompt: str) -> str:
    events = client.responses.create(model=OPENAI_MODEL, input=prompt, stream=True)
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def embeddings(prompt: str) -> str:
    return str(client.embeddings.create(model="cohere.embed-v4:0", input=prompt).data[0].embedding)


def models(prompt: str) -> str:
    return str(client.models.list().data[0].id)


def mantle_chat(prompt: str) -> str:
    return chat_with(mantle, prompt)


def mantle_chat_stream(prompt: str) -> str:
    return chat_stream_with(mantle, prompt)


def mantle_models(prompt: str) -> str:
    return str(mantle.models.list().data[0].id)


CALLS = (
    chat,
    chat_stream,
    responses,
    responses_stream,
    embeddings,
    models,
    mantle_chat,
    mantle_chat_stream,
    mantle_models,
)

if __name__ == "__main__":
    serve({call.__name__: call for call in CALLS})

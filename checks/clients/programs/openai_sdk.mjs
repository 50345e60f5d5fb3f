// The OpenAI API of Bedrock with OpenAI's JavaScript client: bedrock-runtime's, and bedrock-mantle's.
import OpenAI from 'openai';

import { joined, KEY, OPENAI_MODEL, serve, URL } from './serving.mjs';

const client = new OpenAI({ baseURL: URL + '/openai/v1', apiKey: KEY });
const mantle = new OpenAI({ baseURL: URL + '/v1', apiKey: KEY });
const asked = (prompt) => ({ model: OPENAI_MODEL, messages: [{ role: 'user', content: prompt }] });

const chat = (chosen) => async (prompt) => {
  return (await chosen.chat.completions.create(asked(prompt))).choices[0].message.content;
};

const chatStream = (chosen) => async (prompt) => {
  return joined(deltas(await chosen.chat.completions.create({ ...asked(prompt), stream: true })));
};

async function* deltas(chunks) {
  for await (const chunk of chunks) yield chunk.choices[0]?.delta.content;
}

async function responses(prompt) {
  return (await client.responses.create({ model: OPENAI_MODEL, input: prompt })).output_text;
}

async function embeddings(prompt) {
  return JSON.stringify((await client.embeddings.create({ model: 'cohere.embed-v4:0', input: prompt })).data[0].embedding);
}

async function models() {
  return (await client.models.list()).data[0].id;
}

await serve({
  chat: chat(client),
  chat_stream: chatStream(client),
  responses,
  embeddings,
  models,
  mantle_chat: chat(mantle),
  mantle_chat_stream: chatStream(mantle),
});

// Anthropic's JavaScript client for Bedrock: InvokeModel and its stream.
import { AnthropicBedrock } from '@anthropic-ai/bedrock-sdk';

import { joined, KEY, MODEL, serve, URL } from './serving.mjs';

const client = new AnthropicBedrock({ baseURL: URL, apiKey: KEY, awsRegion: 'us-east-1' });
const asked = (prompt) => ({ model: MODEL, max_tokens: 64, messages: [{ role: 'user', content: prompt }] });

async function create(prompt) {
  return (await client.messages.create(asked(prompt))).content[0].text;
}

async function stream(prompt) {
  return joined(deltas(await client.messages.create({ ...asked(prompt), stream: true })));
}

async function* deltas(events) {
  for await (const event of events) if (event.type === 'content_block_delta') yield event.delta.text;
}

await serve({ create, stream });

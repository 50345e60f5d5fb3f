// The Vercel AI SDK.
import { createAmazonBedrock } from '@ai-sdk/amazon-bedrock';
import { generateText, streamText } from 'ai';

import { joined, KEY, MODEL, serve, URL } from './serving.mjs';

const bedrock = createAmazonBedrock({ baseURL: URL, apiKey: KEY, region: 'us-east-1' });

async function generate(prompt) {
  return (await generateText({ model: bedrock(MODEL), prompt })).text;
}

async function stream(prompt) {
  return joined(streamText({ model: bedrock(MODEL), prompt }).textStream);
}

await serve({ generateText: generate, streamText: stream });

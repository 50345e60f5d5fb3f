// AWS's SDK for JavaScript with the key as Bedrock API key: the variable AWS_BEARER_TOKEN_BEDROCK is all it takes.
import { BedrockClient, ListFoundationModelsCommand } from '@aws-sdk/client-bedrock';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';

import { joined, MODEL, serve, URL } from './serving.mjs';

const runtime = new BedrockRuntimeClient({
  endpoint: URL,
  region: 'us-east-1',
  requestHandler: new NodeHttpHandler(),
});
const control = new BedrockClient({ endpoint: URL, region: 'us-east-1' });
const asked = (prompt) => ({ modelId: MODEL, messages: [{ role: 'user', content: [{ text: prompt }] }] });

async function converse(prompt) {
  const answer = await runtime.send(new ConverseCommand(asked(prompt)));
  return answer.output.message.content[0].text;
}

async function converseStream(prompt) {
  const { stream } = await runtime.send(new ConverseStreamCommand(asked(prompt)));
  return joined(deltas(stream));
}

async function* deltas(stream) {
  for await (const event of stream) yield event.contentBlockDelta?.delta.text;
}

async function listFoundationModels() {
  const { modelSummaries } = await control.send(new ListFoundationModelsCommand({}));
  return modelSummaries[0].modelId;
}

await serve({ converse, converseStream, listFoundationModels });

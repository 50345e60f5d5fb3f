// AWS's SDK for JavaScript, the key as access key id. Two of its three clients speak HTTP/2 unless told otherwise.
import { BedrockClient, ListFoundationModelsCommand } from '@aws-sdk/client-bedrock';
import { BedrockAgentRuntimeClient, InvokeAgentCommand } from '@aws-sdk/client-bedrock-agent-runtime';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';

import { joined, KEY, MODEL, serve, URL } from './serving.mjs';

const runtime = new BedrockRuntimeClient({
  endpoint: URL,
  region: 'us-east-1',
  requestHandler: new NodeHttpHandler(),
  credentials: { accessKeyId: KEY, secretAccessKey: 'x' },
});
const control = new BedrockClient({
  endpoint: URL,
  region: 'us-east-1',
  credentials: { accessKeyId: KEY, secretAccessKey: 'x' },
});
const agents = new BedrockAgentRuntimeClient({
  endpoint: URL,
  region: 'us-east-1',
  requestHandler: new NodeHttpHandler(),
  credentials: { accessKeyId: KEY, secretAccessKey: 'x' },
});
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

async function invokeAgent(prompt) {
  const agent = { agentId: 'L1RT58GYRW', agentAliasId: 'MFPSBCXYTW', sessionId: '12345', inputText: prompt };
  const { completion } = await agents.send(new InvokeAgentCommand(agent));
  return joined(chunks(completion));
}

async function* chunks(completion) {
  for await (const event of completion) yield new TextDecoder().decode(event.chunk?.bytes);
}

await serve({ converse, converseStream, listFoundationModels, invokeAgent });

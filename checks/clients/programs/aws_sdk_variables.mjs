// AWS's SDK for JavaScript with nothing but variables; two of its three clients speak HTTP/2 unless told otherwise.
import { BedrockClient, ListFoundationModelsCommand } from '@aws-sdk/client-bedrock';
import { BedrockAgentRuntimeClient, InvokeAgentCommand, RetrieveCommand } from '@aws-sdk/client-bedrock-agent-runtime';
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';

import { joined, MODEL, serve } from './serving.mjs';

const runtime = new BedrockRuntimeClient({ requestHandler: new NodeHttpHandler() });
const control = new BedrockClient({});
const agents = new BedrockAgentRuntimeClient({ requestHandler: new NodeHttpHandler() });
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

async function invokeModel(prompt) {
  const { body } = await runtime.send(new InvokeModelCommand({ modelId: MODEL, body: JSON.stringify({ prompt }) }));
  return JSON.parse(new TextDecoder().decode(body)).content[0].text;
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

async function retrieve(prompt) {
  const asked = { knowledgeBaseId: 'KB12345678', retrievalQuery: { text: prompt } };
  const { retrievalResults } = await agents.send(new RetrieveCommand(asked));
  return retrievalResults[0].content.text;
}

await serve({ converse, converseStream, invokeModel, listFoundationModels, invokeAgent, retrieve });

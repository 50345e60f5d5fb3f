// A client program's side of the check: calls come in on standard input, outcomes go out as JSON, one a line each.
import { createInterface } from 'node:readline';

export const { KEY, URL } = process.env;
export const MODEL = 'anthropic.claude-3-haiku-20240307-v1:0';
export const OPENAI_MODEL = 'openai.gpt-oss-120b-1:0';

/** Run the calls that are asked for, each with its prompt, until standard input ends. */
export async function serve(calls) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, prompt] = line.split(' ');
    const outcome = await calls[name](prompt).then((text) => ({ text }), described);
    process.stdout.write('\n' + JSON.stringify({ outcome }) + '\n');
  }
}

export async function joined(texts) {
  let whole = '';
  for await (const text of texts) whole += text ?? '';
  return whole;
}

function described(error) {
  return { error: error.name === 'Error' ? error.constructor.name : error.name, message: error.message };
}

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { judge } from '../activities/measure/judge';
import { modelTypesOf } from '../activities/agents';
import { localModel } from '../activities/model/local';
import { openAiModel } from '../activities/model/openai';
import { ModelBusy, type ModelRequest } from '../activities/model/port';
import { fillPrompt } from '../activities/model/prompt';
import { scriptedModel } from '../activities/model/scripted';
import { readConfig } from '../src/config';
import { Secret } from '../src/secret';
import { READY_TEMPLATES, type Rule } from '../workflows/content/templates';

const request = (given: Partial<ModelRequest> = {}): ModelRequest => ({
  taskId: '7c9e6679-7425-40de-944b-e07fc1f90ae7', attempt: 1, technicalTry: 1, prompt: 'Describe a hose.', failures: [], variables: {},
  signal: new AbortController().signal, ...given,
});
const context = { prompt: '', quotable: [], bannedWords: ['lorem'] };

describe('local', () => {
  test.each(READY_TEMPLATES.map((template) => [template.name, template] as const))('keeps the rules of %s', async (_, { prompt, rules }) => {
    const variables = { product: 'Garden hose', topic: 'Durable execution', prompt: 'Tell me something' };
    for (let task = 0; task < 20; task += 1) {
      const { text } = await localModel.generate(request({ taskId: `task-${task}`, variables, prompt: fillPrompt(prompt, variables) }));
      expect(await judge(text, rules, { ...context, prompt: fillPrompt(prompt, variables) })).toEqual({ failures: [], score: 1 });
    }
  });

  test('writes the same for the same task and attempt, and something else otherwise', async () => {
    const texts = await Promise.all([request(), request({ technicalTry: 4 }), request({ attempt: 2 }), request({ taskId: 'other' })].map(localModel.generate));
    const [first, again, second, other] = texts.map((one) => one.text);
    expect(again).toBe(first);
    expect(new Set([first, second, other]).size).toBe(3);
  });

  test.each<[Rule['fact'], Rule['operator'], Rule['value'], object?]>([
    ['words', 'greaterThanInclusive', 900],
    ['words', 'lessThan', 7],
    ['words', 'equal', 33],
    ['characters', 'lessThanInclusive', 120],
    ['characters', 'greaterThan', 9_000],
    ['paragraphs', 'equal', 7],
    ['paragraphs', 'lessThan', 2],
    ['sentences', 'equal', 4],
    ['sentences', 'greaterThan', 60],
    ['language', 'equal', 'pt'],
    ['language', 'in', ['es', 'pt']],
    ['keywords', 'contains', 'Temporal'],
    ['keywords', 'doesNotContain', 'reason'],
    ['bannedWords', 'equal', 0, { product: 'lorem hose' }],
    ['personalData', 'equal', 0, { product: 'ana@example.com' }],
  ])('mends a draft that broke %s %s %j', async (fact, operator, value, variables = {}) => {
    const rules: Rule[] = [{ name: 'asked', fact, operator, value }];
    let broken = 0;
    // A first draft may keep a rule by chance; of ten tasks some break it.
    for (let task = 0; task < 10; task += 1) {
      const asked = request({ taskId: `task-${task}`, variables: { ...variables } });
      const { failures } = await judge((await localModel.generate(asked)).text, rules, context);
      if (failures.length === 0) continue;
      broken += 1;
      const { text } = await localModel.generate({ ...asked, attempt: 2, failures });
      expect((await judge(text, rules, context)).failures).toEqual([]);
    }
    expect(broken).toBeGreaterThan(0);
  });
});

describe('scripted', () => {
  const answer = (drafts: unknown, attempt = 1, technicalTry = 1) =>
    scriptedModel.generate(request({ attempt, technicalTry, variables: { drafts } })).then(({ text }) => text, (thrown: Error) => `fault: ${thrown.message}`);

  test('gives attempt n its draft, and the last one from then on', async () => {
    expect(await Promise.all([1, 2, 3, 9].map((attempt) => answer(['a', 'b', 'c'], attempt)))).toEqual(['a', 'b', 'c', 'c']);
    expect(await answer('only')).toBe('only');
  });

  test('fails as often as it says, then gives the draft of the entry', async () => {
    const drafts = ['a', { error: 'busy', times: 2, draft: 'b' }];
    expect(await Promise.all([1, 2, 3, 4].map((technicalTry) => answer(drafts, 2, technicalTry)))).toEqual(['fault: busy', 'fault: busy', 'b', 'b']);
  });

  test('fails as often as it says, then gives the next text', async () => {
    const drafts = [{ error: 'busy', times: 1 }, { error: 'busy', times: 9, draft: 'x' }, 'b', 'c'];
    expect(await Promise.all([1, 2].map((technicalTry) => answer(drafts, 1, technicalTry)))).toEqual(['fault: busy', 'b']);
    expect(await answer(['a', { error: 'busy', times: 1 }, 'b'], 2, 2)).toBe('b');
    expect(await answer([{ error: 'busy', times: 1 }], 1, 2)).toBe('fault: the script has no draft after entry 1');
  });

  test('names the entry that it cannot follow', async () => {
    expect(await answer(['a', 7])).toMatch(/entry 2/);
  });

  test('without drafts it writes what the local model writes', async () => {
    expect(await answer(undefined)).toBe((await localModel.generate(request())).text);
  });
});

describe('an OpenAI-compatible endpoint', () => {
  let server: Server;
  let respond: (body: { model: string; messages: { role: string; content: string }[] }) => { status?: number; headers?: Record<string, string>; body: string };
  const seen: { url: string | undefined; authorization: string | undefined }[] = [];

  beforeAll(async () => {
    server = createServer((incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        seen.push({ url: incoming.url, authorization: incoming.headers.authorization });
        const { status = 200, headers = {}, body } = respond(JSON.parse(Buffer.concat(chunks).toString()));
        outgoing.writeHead(status, headers).end(body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const KEY = 'sk-very-secret';
  const model = (apiKey?: Secret) =>
    openAiModel({ name: 'house', baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`, apiKey, model: 'house-7b' });
  const said = (content: string, rest: object = {}) => ({ body: JSON.stringify({ choices: [{ message: { content } }], ...rest }) });

  test('is asked by the prompt and what the last draft failed on', async () => {
    respond = ({ model: asked, messages }) => said(JSON.stringify({ asked, messages }), { model: 'house-7b-0613', usage: { prompt_tokens: 12, completion_tokens: 34 } });
    const failures = [{ rule: 'long enough', fact: 'words', operator: 'greaterThan', expected: 40, measured: 3 }];
    const answer = await model(new Secret(KEY)).generate(request({ failures }));
    expect(answer).toMatchObject({ model: 'house-7b-0613', usage: { inputTokens: 12, outputTokens: 34 } });
    const { asked, messages } = JSON.parse(answer.text) as { asked: string; messages: { content: string }[] };
    expect(asked).toBe('house-7b');
    expect(messages[0]?.content).toBe('Describe a hose.');
    expect(messages[1]?.content).toMatch(/long enough: words must be greaterThan 40, but was 3/);
    expect(seen.at(-1)).toEqual({ url: '/v1/chat/completions', authorization: `Bearer ${KEY}` });
  });

  test('may leave out what it counts and who it is', async () => {
    respond = () => said('x', { model: 'bad\u0000name', usage: { prompt_tokens: -1 } });
    expect(await model().generate(request())).toEqual({ text: 'x', model: 'house-7b', usage: { inputTokens: null, outputTokens: null } });
    expect(seen.at(-1)?.authorization).toBeUndefined();
  });

  test.each([[429, '7', 7_000], [503, '0', 0]])('%i with Retry-After says when to come back', async (status, header, retryAfterMs) => {
    respond = () => ({ status, headers: { 'retry-after': header }, body: '' });
    const thrown = await model().generate(request()).catch((cause: unknown) => cause);
    expect(thrown).toBeInstanceOf(ModelBusy);
    expect(thrown).toMatchObject({ retryAfterMs });
  });

  test('is not followed elsewhere', async () => {
    const asked = seen.length;
    respond = () => (seen.length === asked + 1 ? { status: 307, headers: { location: '/elsewhere' }, body: '' } : said('followed'));
    await expect(model().generate(request())).rejects.toThrow(/fetch failed/);
    expect(seen.at(-1)?.url).toBe('/v1/chat/completions');
  });

  test.each([
    ['a client error, its key not repeated', () => ({ status: 401, body: `wrong key ${KEY}` }), /^house answered 401$/],
    ['no JSON', () => ({ body: 'oops' }), /no JSON/],
    ['no content', () => ({ body: '{"choices":[]}' }), /without choices/],
    ['an empty draft', () => said(''), /without choices/],
    ['an answer without end', () => said('x'.repeat(9 * 1024 * 1024)), /more than 8388608 bytes/],
  ])('%s is a fault', async (_, response, message) => {
    respond = response;
    await expect(model(new Secret(KEY)).generate(request())).rejects.toThrow(message);
  });
});

test('an agent registers the models of its configuration', () => {
  expect(modelTypesOf(readConfig({ MODEL_GPT4_BASE_URL: 'https://models.example/v1' }))).toEqual(['gpt4', 'local', 'scripted']);
  expect(modelTypesOf(readConfig({ MODEL_SCRIPTED: 'false' }))).toEqual(['local']);
});

test('a prompt is filled with what was given and shows what was not', () => {
  expect(fillPrompt('{{a}} {{ b }} {{c}} {{toString}} {{a}}', { a: '$1', b: ['x', 1] })).toBe('$1 ["x",1] {{c}} {{toString}} $1');
  expect(() => fillPrompt('{{a}}'.repeat(1_000), { a: 'x'.repeat(10_000) })).toThrow(/longer than 1 Mi/);
});

import { randomUUID } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, type Info } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { Pool } from 'pg';
import { DRAFT_BYTES_MAX, type Drafts } from '../activities/drafts';
import { technicalFault } from '../activities/model/patience';
import { ModelBusy, UNCOUNTED, type Model, type ModelRequest } from '../activities/model/port';
import { modelActivities, type GenerateRequest } from '../activities/models';
import { readConfig } from '../src/config';
import { FazendaError } from '../src/errors';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { tellFacts } from '../src/facts/tell';
import { content } from '../workflows/content/definition';
import { READY_TEMPLATES } from '../workflows/content/templates';
import { domainNamed } from '../workflows/domains';
import { ownDatabase } from './setup/database';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';

/**
 * A model's fault is tried again until the deadline of its attempt and then ends it; any other fault is
 * not the model's, and is tried again without end.
 */

const BEGAN = Date.parse('2026-01-01T00:00:00Z');
const DEADLINE = BEGAN + 100_000;

let db: Pool;
let drop: () => Promise<void>;
const config = readConfig({});

beforeAll(async () => {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  drop = database.drop;
  db = openPool(readConfig({ DATABASE_URL: database.url }), 'test');
  await migrate(db);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
});

async function taskWith(variables: Record<string, unknown>): Promise<GenerateRequest> {
  const id = randomUUID();
  const data = {
    eventId: id, taskId: id, templateId: READY_TEMPLATES[0]?.id ?? '', priority: 'normal', modelType: 'test', timestamp: BEGAN, userId: 'ana', variables,
  };
  const { stored } = await tellFacts(db, domainNamed(content.name), [{ id, fact: { type: 'TaskCreated', version: 1, at: new Date(BEGAN).toISOString(), data } }]);
  expect(stored.size).toBe(1);
  return { id, version: 3, templateId: data.templateId, modelType: 'test', attempt: 1, failures: [], deadlineAt: DEADLINE, callTimeoutMs: 30_000 };
}

const answer = (text: string) => ({ text, model: 'test-1', usage: UNCOUNTED });

/** Faults are what these tests are about; their log would hide everything else. */
const logger = new DefaultLogger('ERROR', () => undefined);
const tryScheduledAt = (currentAttemptScheduledTimestampMs: number, info: Partial<Info> = {}) =>
  new MockActivityEnvironment({ currentAttemptScheduledTimestampMs, ...info }, { logger });

/** One try of the activity: what it answers or throws, what the model was asked, what was kept in heartbeats. */
async function tryOnce(
  request: GenerateRequest,
  { generate, put, info, env = tryScheduledAt(BEGAN, info) }: {
    generate: Model['generate']; put?: Drafts['put']; info?: Partial<Info>; env?: MockActivityEnvironment;
  },
) {
  const asked: ModelRequest[] = [];
  const beats: unknown[] = [];
  env.on('heartbeat', (details) => beats.push(details));
  const drafts: Drafts = {
    put: put ?? (async (text) => ({ uri: 's3://test/drafts/x', sha256: 'x', bytes: text.length })),
    read: async () => Buffer.from(''),
  };
  const model: Model = {
    generate: (given) => {
      asked.push(given);
      return generate(given);
    },
  };
  const { generateDraft } = modelActivities({ config, db, drafts, models: new Map([['test', model]]) });
  const outcome = await env.run(generateDraft, request).catch((thrown: unknown) => thrown);
  return { outcome, asked, beats };
}

const fault = async (): Promise<never> => {
  throw new Error('overloaded');
};

test('the model gets the filled prompt, and the draft goes by reference', async () => {
  const request = await taskWith({ product: 'a hose' });
  const { outcome, asked } = await tryOnce(request, { generate: async () => answer('text') });
  expect(outcome).toEqual({ contentUri: 's3://test/drafts/x', sha256: 'x', model: 'test-1', usage: UNCOUNTED });
  expect(asked[0]).toMatchObject({ taskId: request.id, attempt: 1, technicalTry: 1, prompt: 'Describe a hose for a shop, in plain words, in two paragraphs.' });
});

test('a version that is told already is answered with its facts, and no model is called', async () => {
  const request = await taskWith({});
  const { outcome, asked } = await tryOnce({ ...request, version: 1 }, { generate: fault });
  expect(outcome).toMatchObject({ told: [{ type: 'TaskCreated', version: 1 }] });
  expect(asked).toEqual([]);
});

test.each([
  [1, 0, 1_000], [2, 0, 2_000], [5, 0, 16_000], [6, 0, 30_000], [40, 0, 30_000],
  // Near the deadline the wait ends there, never before it.
  [6, 90_000, 10_000], [6, 99_998.6, 2],
])('a fault of try %i, %d ms after the beginning, is followed by another try after %d ms', (attempt, elapsedMs, nextRetryDelay) => {
  const info = { attempt, currentAttemptScheduledTimestampMs: BEGAN };
  expect(technicalFault(new Error('x'), { info, elapsedMs, deadlineAt: DEADLINE })).toMatchObject({ type: 'FZ_MODEL_FAULT', nonRetryable: false, nextRetryDelay });
});

test('a fault at the very instant of the deadline is final', () => {
  const info = { attempt: 1, currentAttemptScheduledTimestampMs: DEADLINE };
  expect(technicalFault(new Error('x'), { info, elapsedMs: 0, deadlineAt: DEADLINE })).toMatchObject({ type: 'FZ_MODEL_DEADLINE', nonRetryable: true });
});

test('a fault before the deadline is tried again, its model not called by another number of attempt', async () => {
  const request = await taskWith({});
  const { outcome, asked } = await tryOnce(request, { generate: fault, info: { attempt: 4 } });
  expect(outcome).toMatchObject({ type: 'FZ_MODEL_FAULT', nonRetryable: false, nextRetryDelay: 8_000 });
  expect(asked[0]).toMatchObject({ attempt: 1, technicalTry: 4 });
});

test('a model that says when to come back is believed, up to the deadline', async () => {
  const request = await taskWith({});
  const busy = (ms: number) => async () => {
    throw new ModelBusy('429', ms);
  };
  expect((await tryOnce(request, { generate: busy(45_000) })).outcome).toMatchObject({ type: 'FZ_MODEL_FAULT', nextRetryDelay: 45_000 });
  expect((await tryOnce(request, { generate: busy(10) })).outcome).toMatchObject({ nextRetryDelay: 1_000 });
  const { nextRetryDelay } = (await tryOnce(request, { generate: busy(9_999_999) })).outcome as ApplicationFailure;
  expect(nextRetryDelay).toBeLessThanOrEqual(100_000);
});

test('the try at the deadline still counts when it answers, and is the last when it does not', async () => {
  const request = await taskWith({});
  const info = { attempt: 9, currentAttemptScheduledTimestampMs: DEADLINE };
  expect((await tryOnce(request, { generate: async () => answer('late'), info })).outcome).toMatchObject({ model: 'test-1' });
  expect((await tryOnce(request, { generate: fault, info })).outcome).toMatchObject({ type: 'FZ_MODEL_DEADLINE', nonRetryable: true });
});

test.each<[string, Partial<GenerateRequest>, Model['generate'], RegExp]>([
  ['a draft that is too large', {}, async () => answer('é'.repeat(DRAFT_BYTES_MAX / 2 + 1)), /1048578 bytes/],
  ['a model that does not answer in time, nor listen', { callTimeoutMs: 50 }, () => new Promise(() => undefined), /no answer within 50 ms/],
  ['a model that this agent does not know', { modelType: 'other' }, fault, /cannot call other/],
  ['a template that is gone', { templateId: randomUUID() }, fault, /template .* is gone/],
])('%s is the model’s fault', async (_, change, generate, message) => {
  const { outcome } = await tryOnce({ ...(await taskWith({})), ...change }, { generate });
  expect(outcome).toMatchObject({ type: 'FZ_MODEL_FAULT', nonRetryable: false, message: expect.stringMatching(message) });
});

test('a store that is away is never the model’s fault, and its draft is not asked for again', async () => {
  const request = await taskWith({});
  const put = async (): Promise<never> => {
    throw new FazendaError('FZ_STORAGE_AWAY', 'the store is away');
  };
  const late = { attempt: 3, currentAttemptScheduledTimestampMs: DEADLINE + 1 };
  const first = await tryOnce(request, { generate: async () => answer('dear'), put, info: late });
  expect(first.outcome).toMatchObject({ type: 'FZ_STORAGE_AWAY', nonRetryable: false });
  expect((first.outcome as ApplicationFailure).nextRetryDelay ?? undefined).toBeUndefined();

  const second = await tryOnce(request, { generate: fault, info: { attempt: 4, heartbeatDetails: first.beats.at(-1) } });
  expect(second.outcome).toMatchObject({ model: 'test-1', contentUri: 's3://test/drafts/x' });
  expect(second.asked).toEqual([]);
});

test('a long draft is not kept in heartbeats', async () => {
  const { beats } = await tryOnce(await taskWith({}), { generate: async () => answer('x'.repeat(64 * 1024 + 1)) });
  expect(JSON.stringify(beats)).not.toContain('xxx');
});

test('a database that lacks fact 1 is not the model’s fault either', async () => {
  const request = { ...(await taskWith({})), id: randomUUID() };
  const { outcome } = await tryOnce(request, { generate: fault, info: { currentAttemptScheduledTimestampMs: DEADLINE + 1 } });
  expect(outcome).toMatchObject({ type: 'FZ_FACT_GAP', nonRetryable: false });
});

test('a cancellation aborts the call and is no fault', async () => {
  const env = tryScheduledAt(DEADLINE);
  let aborted = false;
  const { outcome } = await tryOnce(await taskWith({}), {
    env,
    generate: ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(new Error('aborted'));
        });
        env.cancel();
      }),
  });
  expect(outcome).toBeInstanceOf(CancelledFailure);
  expect(aborted).toBe(true);
});

test('a call that takes its time is alive in Temporal’s eyes', async () => {
  const env = tryScheduledAt(BEGAN);
  const { outcome, beats } = await tryOnce(await taskWith({}), {
    env,
    generate: () => new Promise((resolve) => env.once('heartbeat', () => resolve(answer('slow')))),
  });
  expect(outcome).toMatchObject({ model: 'test-1' });
  expect(beats.length).toBeGreaterThanOrEqual(2);
});

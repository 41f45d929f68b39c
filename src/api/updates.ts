import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, WorkflowNotFoundError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, type Client } from '@temporalio/client';
import type { Domain, HttpQuery } from '../../workflows/kernel/definition';
import type { Mail } from '../../workflows/kernel/fact';
import { fold, type Verdict } from '../../workflows/kernel/lifecycle';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { commandId } from '../facts/identity';
import type { Queryable } from '../facts/postgres';
import { factsFrom, type StoredFact } from '../facts/read';
import { pingTemporal } from '../temporal/lazy';
import { askOwnWorkflow } from '../temporal/start';
import { keyOf, rowOf } from './queries';
import { jsonReply, type Reply } from './reply';
import { submissionOf } from './submissions';

/** What was accepted has this long to get its first fact, ms. Source: CONTRACTS §7. */
const BEGINS_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 50;
/** How long an update is waited for in all, ms: the 10 s that a story takes to answer, and the way there and back. */
const ANSWERED_WITHIN_MS = 12_000;
/** gRPC's UNAVAILABLE. https://grpc.io/docs/guides/status-codes/ */
const UNAVAILABLE = 14;

export interface UpdateDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly temporal: Client;
}

/**
 * Asks a story for something and answers with what became of it, which its stored facts say: 200 and the
 * aggregate as it is then. What is decided already is answered without asking, so also while Temporal is away.
 * @throws FazendaError FZ_NOT_FOUND; FZ_CONFLICT where it was decided otherwise, or is not for the asking;
 *   FZ_OUTCOME_OPEN where it is not decided yet; FZ_TEMPORAL_AWAY
 */
export async function runUpdate(deps: UpdateDeps, domain: Domain, query: HttpQuery, givenId: string, asked: { type: string; data: object }): Promise<Reply> {
  const { db } = deps;
  const id = (await keyOf(db, domain, givenId)) ?? unknown(query, givenId);
  const mail: Mail = { ...asked, id: commandId(domain.name, id, asked.type) };
  const deadline = Date.now() + ANSWERED_WITHIN_MS;
  let facts = await begun(db, domain, query, id);
  for (let over = false; !over && !isFinal(verdictOn(domain, facts, mail)); ) {
    over = await askWithin(deps, domain, facts[0] ?? unknown(query, id), mail, deadline);
    facts = await factsFrom(db, domain.name, id);
  }

  const verdict = verdictOn(domain, facts, mail);
  const row = (await rowOf(db, domain, id)) ?? unknown(query, id);
  const shown = query.show(row);
  if (verdict === 'granted') return jsonReply(200, shown, { etag: `"${String(row.version)}"`, 'cache-control': 'no-cache' });
  const status = 'status' in shown ? String(shown.status) : 'what it is';
  if (verdict === 'refused') throw new FazendaError('FZ_CONFLICT', `${id} is ${status}, for good`);
  if (verdict === 'unheeded') throw new FazendaError('FZ_CONFLICT', `${id} is ${status} and takes no notice of this`);
  throw new FazendaError('FZ_OUTCOME_OPEN', `${id} is ${status}, and what was asked is not decided yet`);
}

/** The facts of a story that has begun; one that was only accepted is waited for. */
async function begun(db: Queryable, domain: Domain, query: HttpQuery, id: string): Promise<StoredFact[]> {
  const deadline = Date.now() + BEGINS_WITHIN_MS;
  for (;;) {
    const facts = await factsFrom(db, domain.name, id);
    if (facts.length > 0) return facts;
    if (!(await submissionOf(db, domain.name, id))?.sent) unknown(query, id);
    if (Date.now() >= deadline) throw new FazendaError('FZ_OUTCOME_OPEN', `${id} is accepted and has not begun yet`);
    await sleep(LOOK_EVERY_MS);
  }
}

function unknown({ path }: HttpQuery, id: string): never {
  throw new FazendaError('FZ_NOT_FOUND', `${path} has no ${id}`);
}

function verdictOn({ lifecycle }: Domain, facts: readonly StoredFact[], { type }: Mail): Verdict | undefined {
  return lifecycle.verdict?.(fold(lifecycle, facts), type);
}

function isFinal(verdict: Verdict | undefined): boolean {
  return verdict === 'granted' || verdict === 'refused';
}

/** Asks once. True when the story has had its time; false where its run ended while it was being asked. */
async function askWithin({ config, temporal }: UpdateDeps, domain: Domain, first: StoredFact, mail: Mail, deadline: number): Promise<boolean> {
  // The client tries for long to reach a server that is away; whether it is there is found out sooner.
  await pingTemporal(temporal).catch(away);
  try {
    await temporal.withDeadline(deadline, () => askOwnWorkflow(temporal, config, domain, first, mail));
    return true;
  } catch (thrown) {
    if (thrown instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
    if (thrown instanceof WorkflowNotFoundError || thrown instanceof WorkflowUpdateFailedError) {
      await sleep(LOOK_EVERY_MS);
      return Date.now() >= deadline;
    }
    const cause = thrown instanceof Error ? thrown.cause : undefined;
    if (isGrpcServiceError(cause) && cause.code === UNAVAILABLE) away(cause);
    throw thrown;
  }
}

function away(cause: unknown): never {
  throw new FazendaError('FZ_TEMPORAL_AWAY', 'Temporal does not answer, and only it can ask the story', {}, cause);
}

import type { Client, Connection } from '@temporalio/client';
import type { Pool } from 'pg';
import { domains } from '../../workflows/domains';
import { RunTeller } from '../audit/told-runs';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { factsOfMany } from '../facts/read';
import { inTurn } from '../in-turn';
import type { Logger } from '../log';
import { untilItWorks } from '../process';
import { registerSearchAttributes } from '../temporal/register';
import { startOwnWorkflow } from '../temporal/start';
import { unfinished } from './unfinished';

export interface TemporalRecoverDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Pool;
  readonly temporal: Client;
  readonly onProgress?: (text: string) => void;
}

/** What a recovery of Temporal did, by domain. */
export interface TemporalRecovery {
  readonly namespace: string;
  /** True where the namespace was not there. */
  readonly made: boolean;
  /** Stories that were not over and had no run: one was started for each, from its facts. */
  readonly started: Readonly<Record<string, number>>;
  /** Stories that a workflow carries already. */
  readonly carried: Readonly<Record<string, number>>;
}

/** How long a namespace that is made here remembers closed workflows; facts remember for ever. */
const RETENTION_S = 3 * 24 * 3_600;
const NAMESPACE_WITHIN_MS = 60_000;
/** Starts under way at the same time. */
const AT_ONCE = 32;

/**
 * Brings every story that is not over on its way again, from the state that its facts fold to: in a namespace that
 * knows none of them, or where some lost their runs. What is over stays over; whoever runs already is left alone.
 * It may be run while everything works, and as often as one likes.
 * @throws FazendaError FZ_TEMPORAL_AWAY
 */
export async function recoverTemporal({ config, log, db, temporal, onProgress }: TemporalRecoverDeps): Promise<TemporalRecovery> {
  const made = await makeNamespace(config, log, temporal);
  const [started, carried]: [Record<string, number>, Record<string, number>] = [{}, {}];
  for (const domain of domains) {
    const runs = new RunTeller(temporal, domain);
    await runs.listAll();
    [started[domain.name], carried[domain.name]] = [0, 0];
    for await (const ids of unfinished(db, domain)) {
      const without = ids.filter((id) => !runs.of(id).own?.open && !runs.of(id).aboard);
      const first = (await factsOfMany(db, domain.name, without.map((id) => ({ id, version: 1 })))).filter(({ version }) => version === 1);
      await inTurn(first, AT_ONCE, async (fact) => void (await startOwnWorkflow(temporal, config, domain, fact, false)));
      started[domain.name] = (started[domain.name] ?? 0) + first.length;
      carried[domain.name] = (carried[domain.name] ?? 0) + ids.length - without.length;
      onProgress?.(`${domain.name}: ${started[domain.name]} started, ${carried[domain.name]} carried already`);
    }
  }
  return { namespace: config.TEMPORAL_NAMESPACE, made, started, carried };
}

/** Makes the namespace where it is missing, and what a start needs of it. */
async function makeNamespace(config: Config, log: Logger, temporal: Client): Promise<boolean> {
  const namespace = config.TEMPORAL_NAMESPACE;
  // Client and worker reach the same services; the type of a client's connection leaves out how.
  const connection = temporal.connection as Connection;
  let made = false;
  try {
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: RETENTION_S as never } });
    made = true;
  } catch (thrown) {
    if (!/already exists/i.test(textOf(thrown))) throw new FazendaError('FZ_TEMPORAL_AWAY', `the namespace ${namespace} cannot be made (${textOf(thrown)})`, {}, thrown);
  }
  // Every part of the server hears of a new namespace a moment later.
  const until = Date.now() + NAMESPACE_WITHIN_MS;
  await untilItWorks(log, `the namespace ${namespace}`, () => registerSearchAttributes(connection, namespace), () => Date.now() > until);
  return made;
}

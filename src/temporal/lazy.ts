import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { Config } from '../config';
import { converterOf } from './converter';

/** A client for a process that does its work with or without Temporal: it connects when it is first used, and again. */
export function lazyTemporal(config: Config): Client {
  const connection = Connection.lazy({
    ...loadClientConnectConfig().connectionOptions,
    address: config.TEMPORAL_ADDRESS,
    // Without a bound, a server that was long away would be looked for every two minutes only.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 1_000 },
  });
  return new Client({ connection, namespace: config.TEMPORAL_NAMESPACE, ...converterOf(config) });
}

/** A question that has no answer by then is given up, ms. */
const ANSWERS_MS = 1_000;

/** Resolves while the server answers, rejects within a second while it does not. */
export function pingTemporal({ connection }: Client): Promise<unknown> {
  return connection.withDeadline(Date.now() + ANSWERS_MS, () => connection.workflowService.getSystemInfo({}));
}

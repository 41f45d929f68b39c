import { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import type { Config } from '../config';
import { converterOf } from './converter';

export interface Temporal {
  readonly connection: NativeConnection;
  readonly client: Client;
}

/**
 * One native connection for client and workers, so that a workflow started by a process that also polls
 * can begin in that process at once (eager start). TLS, API key and profile are read as the SDK reads them.
 * @throws where the server does not answer yet; the caller decides how long to wait.
 */
export async function connectTemporal(config: Config): Promise<Temporal> {
  const { connectionOptions } = loadClientConnectConfig();
  const connection = await NativeConnection.connect({ ...connectionOptions, address: config.TEMPORAL_ADDRESS });
  return { connection, client: new Client({ connection, namespace: config.TEMPORAL_NAMESPACE, ...converterOf(config) }) };
}

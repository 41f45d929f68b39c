import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readConfig, type Config } from '../config';
import { FazendaError } from '../errors';
import { ENDPOINTS_FILE } from '../runtime/home';
import type { Endpoints } from '../runtime/parts';
import { checkoutRoot } from '../runtime/root';

/** The folder of the fazenda that commands talk to. */
export function homeFolder(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.FAZENDA_HOME || join(checkoutRoot(), '.fazenda'));
}

/** Where everything is that runs from this home; undefined where nothing runs. */
export function readEndpoints(env: NodeJS.ProcessEnv = process.env): Endpoints | undefined {
  const path = join(homeFolder(env), ENDPOINTS_FILE);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Endpoints;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined;
    throw new FazendaError('FZ_NOT_RUNNING', `${path} cannot be read`, {}, thrown);
  }
}

/** The API's address: as given, else of what runs from this home. @throws FazendaError FZ_NOT_RUNNING. */
export function apiAddress(given: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const api = given ?? readEndpoints(env)?.api;
  if (!api) throw new FazendaError('FZ_NOT_RUNNING', `no fazenda runs from ${homeFolder(env)}`);
  if (!/^https?:\/\//.test(api)) throw new FazendaError('FZ_USAGE', `${api} is no http(s) URL`);
  return api.replace(/\/+$/, '');
}

/** The settings of our processes, for the stores that run from this home; the environment wins where it says otherwise. */
export function configHere(env: NodeJS.ProcessEnv = process.env): Config {
  return readConfig({ ...environmentOf(readEndpoints(env)), ...env });
}

/**
 * The same for a store that has to be this fazenda's, not whatever listens at a preset address.
 * @throws FazendaError FZ_NOT_RUNNING where neither a start from this home nor one of the variables names it.
 */
export function configOf(variables: readonly string[], env: NodeJS.ProcessEnv = process.env): Config {
  if (!isNamed(variables, env)) throw new FazendaError('FZ_NOT_RUNNING', `no fazenda runs from ${homeFolder(env)}, and ${variables[0]} is not set`);
  return configHere(env);
}

export const KAFKA_VARIABLES = ['KAFKA_BROKERS', 'KAFKA_BROKER'];
export const POSTGRES_VARIABLES = ['DATABASE_URL'];

/** True where a start from this home, or one of these variables, says where a store is. */
export function isNamed(variables: readonly string[], env: NodeJS.ProcessEnv = process.env): boolean {
  return readEndpoints(env) !== undefined || variables.some((name) => Boolean(env[name]));
}

function environmentOf(endpoints: Endpoints | undefined): NodeJS.ProcessEnv {
  if (!endpoints) return {};
  const { kafka, temporal, temporalNamespace, postgres, s3, redis, amqp, smtp, schemaRegistry, clickhouse } = endpoints;
  return {
    ...(kafka && { KAFKA_BROKERS: kafka }),
    ...(temporal && { TEMPORAL_ADDRESS: temporal }),
    ...(temporalNamespace && { TEMPORAL_NAMESPACE: temporalNamespace }),
    ...(postgres && { DATABASE_URL: postgres }),
    ...(redis && { REDIS_URL: redis }),
    ...(amqp && { AMQP_URL: amqp }),
    ...(smtp && { SMTP_URL: smtp }),
    ...(clickhouse && { CLICKHOUSE_URL: clickhouse }),
    ...(schemaRegistry && { SCHEMA_REGISTRY_URL: schemaRegistry }),
    ...(s3 && {
      S3_ENDPOINT: s3.endpoint, S3_BUCKET: s3.bucket, S3_REGION: s3.region,
      S3_ACCESS_KEY_ID: s3.accessKeyId, S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    }),
  };
}

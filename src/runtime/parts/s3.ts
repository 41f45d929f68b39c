import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fromCache } from './cache';
import { definePart, type PartContext, type PartFacts, type S3Endpoint } from './part';
import { goInstall } from './registries';
import { run, which } from './tools';

const VERSION = 'v1.8.0';
const REGION = 'us-east-1';
const BUCKET = 'fazenda';
const HEALTH = '/healthz';
const PROBE_TIMEOUT_MS = 2_000;
const TRIAL_MS = 1_000;

/** A folder behind the S3 protocol. Chosen because it honours `If-None-Match` on PUT. */
export const s3 = definePart({
  name: 's3',
  title: 'S3 (versitygw)',
  ports: { api: 9000 },
  leastTrouble: 'Install Go (any from 1.23 on) or versitygw, or set S3_ENDPOINT, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY to a store that runs.',

  external(env) {
    if (!env.S3_ENDPOINT) return undefined;
    return factsOf({
      endpoint: env.S3_ENDPOINT,
      bucket: env.S3_BUCKET || BUCKET,
      region: env.S3_REGION || REGION,
      accessKeyId: env.S3_ACCESS_KEY_ID ?? '',
      secretAccessKey: env.S3_SECRET_ACCESS_KEY ?? '',
    });
  },

  async find(context) {
    const path = which('versitygw', context.env);
    return path === undefined ? undefined : { path, how: `path ${path}` };
  },

  async build(context) {
    const recipe = { name: 'versitygw', version: VERSION, build: (folder: string) => goInstall(`github.com/versity/versitygw/cmd/versitygw@${VERSION}`, folder, context) };
    return { path: join(await fromCache(recipe, context), 'versitygw'), how: `built ${VERSION}` };
  },

  async prepare(context, tool, ports) {
    const data = context.home.path('data', 's3');
    return {
      command: tool.path,
      args: ['--port', `127.0.0.1:${ports.api}`, '--region', REGION, '--health', HEALTH, '--quiet', 'posix', ...(await metadataArgs(context, tool.path, data)), data],
      // By environment and not by argument: arguments can be read by everybody on the machine.
      env: { ROOT_ACCESS_KEY: context.home.secret('s3-access-key'), ROOT_SECRET_KEY: context.home.secret('s3-secret-key') },
      stopSignal: 'SIGTERM',
      ready: () => answers(ports.api),
    };
  },

  facts: (context, ports) => factsOf(onPort(context, ports.api)),

  compose: (context, ports) => ({
    service: 's3',
    env: { S3_PORT: String(ports.api), S3_ACCESS_KEY_ID: context.home.secret('s3-access-key'), S3_SECRET_ACCESS_KEY: context.home.secret('s3-secret-key') },
    ready: () => answers(ports.api),
  }),
});

function onPort(context: PartContext, port: number): S3Endpoint {
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: context.env.S3_BUCKET || BUCKET,
    region: REGION,
    accessKeyId: context.home.secret('s3-access-key'),
    secretAccessKey: context.home.secret('s3-secret-key'),
  };
}

function factsOf(s3: S3Endpoint): PartFacts {
  return {
    endpoints: { s3 },
    env: {
      S3_ENDPOINT: s3.endpoint,
      S3_BUCKET: s3.bucket,
      S3_REGION: s3.region,
      S3_ACCESS_KEY_ID: s3.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    },
  };
}

/**
 * Its metadata goes beside the objects where the file system keeps no extended attributes (some tmpfs and
 * network ones). Tried once, before the first start: a store stays with the way it began with.
 */
async function metadataArgs(context: PartContext, versitygw: string, data: string): Promise<string[]> {
  const sidecar = context.home.path('data', 's3-metadata');
  if (!existsSync(data)) {
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const env = { ...context.env, ROOT_ACCESS_KEY: 'trial', ROOT_SECRET_KEY: 'trial' };
    // Where all is well it serves until the time is up; where not, it says so and ends at once.
    const said = await run(versitygw, ['--port', '127.0.0.1:0', 'posix', data], { env, signal: context.signal, timeoutMs: TRIAL_MS }).catch(String);
    if (/xattr|extended attribute/i.test(said)) mkdirSync(sidecar, { recursive: true });
  }
  return existsSync(sidecar) ? ['--sidecar', sidecar] : [];
}

async function answers(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}${HEALTH}`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })).ok;
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  }
}

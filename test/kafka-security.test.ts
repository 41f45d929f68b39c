import { randomUUID } from 'node:crypto';
import { readConfig, type Config } from '../src/config';
import { textOf } from '../src/errors';
import { openKafka, PROMPT } from '../src/kafka/client';
import { securityOf } from '../src/kafka/security';
import { createTopics } from '../src/kafka/topics';
import { openLog } from '../src/log';
import { enterOn, producerOn, record } from './setup/port';
import { APP, PREFIX, startSecureBroker, STRANGER, type SecureBroker } from './setup/secure-broker';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { awaitLeaders } from './setup/topic';
import { until } from './setup/until';

describe('settings', () => {
  const sasl = { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };

  test('are none unless they are set', () => expect(securityOf(readConfig({}))).toEqual({}));

  test.each([
    [sasl, { ssl: {}, sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' } }],
    [{ ...sasl, KAFKA_SECURITY_PROTOCOL: 'sasl_plaintext', KAFKA_SASL_MECHANISM: 'plain' }, { sasl: { mechanism: 'plain', username: 'u', password: 'p' } }],
    [Object.fromEntries(Object.entries(sasl).map(([name, value]) => [`OBSERVABILITY__${name}`, value])), { ssl: {}, sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' } }],
    [{ ...sasl, OBSERVABILITY__KAFKA_SASL_USERNAME: 'other' }, { ssl: {}, sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' } }],
    [{ KAFKA_SECURITY_PROTOCOL: 'SSL' }, { ssl: {} }],
  ])('%j', (env, wanted) => expect(securityOf(readConfig(env))).toEqual(wanted));

  test.each([
    [{ ...sasl, KAFKA_SASL_PASSWORD: '' }, /KAFKA_SASL_PASSWORD: is needed/],
    [{ ...sasl, KAFKA_SASL_MECHANISM: 'GSSAPI' }, /KAFKA_SASL_MECHANISM/],
    [{ ...sasl, KAFKA_SECURITY_PROTOCOL: '' }, /KAFKA_SASL_PASSWORD: has no effect/],
    [{ KAFKA_SSL_CA_FILE: 'x' }, /KAFKA_SSL_CA_FILE: has no effect/],
    [{ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_KEY_FILE: 'x' }, /are needed together/],
    [{ KAFKA_SECURITY_PROTOCOL: 'TLS' }, /KAFKA_SECURITY_PROTOCOL/],
  ])('that would not do what they say are refused: %j', (env, fault) => expect(() => readConfig(env)).toThrow(fault));

  test('name a file that cannot be read', () => {
    expect(() => securityOf(readConfig({ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CA_FILE: '/nowhere/ca.pem' }))).toThrow(/KAFKA_SSL_CA_FILE cannot be read/);
  });
});

describe('a broker that asks who comes', () => {
  let broker: SecureBroker;
  beforeAll(async () => {
    broker = await startSecureBroker();
    const made = configOf('SASL_PLAINTEXT', 'SCRAM-SHA-512');
    // By the application's own rights: they suffice for what a migration does.
    await awaitLeaders(made, await createTopics(made, openLog(made, 'test')));
  }, PARTS_TIMEOUT_MS);
  afterAll(() => broker.close());

  function configOf(protocol: string, mechanism?: string, { username, password }: { username: string; password: string } = APP, more: Record<string, string> = {}): Config {
    return readConfig({
      KAFKA_BROKERS: protocol === 'SSL' ? broker.tls : protocol === 'SASL_SSL' ? broker.saslTls : broker.sasl,
      KAFKA_SECURITY_PROTOCOL: protocol, KAFKA_TOPIC_PREFIX: PREFIX, KAFKA_SESSION_TIMEOUT_MS: '3000', LOG_LEVEL: 'silent',
      ...(mechanism && { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password }),
      ...(protocol.endsWith('SSL') && { KAFKA_SSL_CA_FILE: broker.ca }),
      ...(protocol === 'SSL' && { KAFKA_SSL_CERTIFICATE_FILE: broker.certificate, KAFKA_SSL_KEY_FILE: broker.key }),
      ...more,
    });
  }

  const TOPIC = 'task.cancel';
  const ends = async () => (await broker.admin.fetchTopicOffsets(`${PREFIX}${TOPIC}`)).reduce((sum, { high }) => sum + Number(high), 0);

  test.each([['SASL_PLAINTEXT', 'PLAIN'], ['SASL_PLAINTEXT', 'SCRAM-SHA-256'], ['SASL_PLAINTEXT', 'SCRAM-SHA-512'], ['SASL_SSL', 'SCRAM-SHA-512'], ['SSL', undefined]])('takes and gives records by %s %s', async (protocol, mechanism) => {
    const config = configOf(protocol, mechanism);
    const key = randomUUID();
    const heard: string[] = [];
    const consumer = await enterOn(config, TOPIC, `group-${key}`, async ({ records }) => void heard.push(...records.map((one) => String(one.key))));
    const producer = await producerOn(config);
    await producer.send([record(TOPIC, key, 'value')]);
    await until(() => heard.includes(key), 'it is heard');
    await Promise.all([consumer.stop(), producer.stop()]);
  });

  /** What an application is told that is not let in, and that nothing of its secret is in it. */
  async function refusal(config: Config): Promise<string> {
    const admin = openKafka(config, openLog(config, 'test'), { ...PROMPT, retries: 0 }).admin();
    const said = await admin.connect().then(() => admin.listTopics()).then(() => 'let in', (thrown: unknown) => `${textOf(thrown)} ${JSON.stringify(thrown)} ${thrown instanceof Error ? thrown.stack : ''}`);
    await admin.disconnect();
    return said;
  }

  test('lets nobody in with a wrong password, or one that is nobody', async () => {
    for (const who of [{ ...APP, password: 'a-wrong-password' }, { username: 'nobody', password: 'a-wrong-password' }]) {
      for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
        const said = await refusal(configOf('SASL_PLAINTEXT', mechanism, who));
        expect(said).toMatch(/SASL|auth/i);
        expect(said).not.toContain('a-wrong-password');
      }
    }
  });

  test('is let in by nobody whom its certificate does not convince, nor lets in who shows none', async () => {
    const { KAFKA_SSL_CA_FILE: _ca, ...unaware } = { ...configOf('SASL_SSL', 'SCRAM-SHA-512') };
    expect(await refusal(unaware)).toMatch(/certificate/i);
    expect(await refusal(configOf('SASL_SSL', 'SCRAM-SHA-512', APP, { KAFKA_SSL_CA_FILE: broker.certificate }))).toMatch(/certificate/i);
    expect(await refusal(configOf('SSL', undefined, APP, { KAFKA_SSL_CERTIFICATE_FILE: '', KAFKA_SSL_KEY_FILE: '' }))).not.toBe('let in');
    // A client that speaks no TLS, or says nobody's name, where it is asked for.
    expect(await refusal(readConfig({ KAFKA_BROKERS: broker.sasl, LOG_LEVEL: 'silent' }))).not.toBe('let in');
  });

  test('keeps who may do nothing from writing, reading and making topics; he is told, and nothing lands', async () => {
    const config = configOf('SASL_PLAINTEXT', 'SCRAM-SHA-512', STRANGER);
    const before = await ends();
    const producer = await producerOn(config);
    await expect(producer.send([record(TOPIC, 'k', 'v')])).rejects.toThrow();
    await producer.stop();
    expect(await ends()).toBe(before);
    await expect(createTopics(readConfigWithPrefix(config, 'other.'), openLog(config, 'test'))).rejects.toThrow();
    const admin = openKafka(config, openLog(config, 'test'), { retries: 0 }).admin();
    await admin.connect();
    expect(await admin.listTopics()).toEqual([]);
    await admin.disconnect();
  });

  test('keeps the application to its prefix', async () => {
    const config = configOf('SASL_PLAINTEXT', 'SCRAM-SHA-512');
    await expect(createTopics(readConfigWithPrefix(config, 'other.'), openLog(config, 'test'))).rejects.toThrow();
  });

  const readConfigWithPrefix = (config: Config, prefix: string): Config => ({ ...config, KAFKA_TOPIC_PREFIX: prefix });
});

import { z } from 'zod';
import { domains } from '../workflows/domains';
import { authFaults, authSettings } from './auth/settings';
import type { Encoding } from '../workflows/kernel/definition';
import { entities } from './entities';
import { FazendaError } from './errors';
import { KAFKA_ALIASES, kafkaSecurityFaults, kafkaSecuritySettings } from './kafka/security';
import { Secret } from './secret';
import { parseKeys, type PayloadKey } from './temporal/seal';
import { tracingFaults, tracingSettings } from './tracing/settings';

/** The only file that reads the environment. Every fault is reported at once, before anything connects. */

const secret = z.string().min(1).transform((value) => new Secret(value));
const port = z.coerce.number().int().min(0).max(65_535);
const count = (preset: number, max = 100_000) => z.coerce.number().int().min(1).max(max).default(preset);
const milliseconds = (preset: number) => z.coerce.number().int().min(1).max(86_400_000).default(preset);
const flag = (preset: boolean) => z.enum(['true', 'false']).default(preset ? 'true' : 'false').transform((text) => text === 'true');
const list = z.string().transform((text) => text.split(',').map((one) => one.trim()).filter(Boolean));

function keyList(text: string, context: z.RefinementCtx): readonly PayloadKey[] {
  const { keys, faults } = parseKeys(text);
  for (const message of faults) context.addIssue({ code: 'custom', message });
  return keys;
}

const encodings = list.default([]).transform((pairs, context): Readonly<Record<string, Encoding>> => {
  const topics = [...domains, ...entities].flatMap((one) => Object.values(one.topics)).concat(domains.flatMap(({ doors }) => doors.map(({ topic }) => topic)));
  return Object.fromEntries(pairs.map((pair): [string, Encoding] => {
    const [topic = '', encoding] = pair.split('=').map((part) => part.trim());
    if (!topics.includes(topic)) context.addIssue({ code: 'custom', message: `${topic} is no topic of ours` });
    if (encoding !== 'avro' && encoding !== 'json') context.addIssue({ code: 'custom', message: `${topic} can be avro or json` });
    return [topic, encoding === 'avro' ? 'avro' : 'json'];
  }));
});

const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(3000),
  GATEWAY_PORT: port.default(3001),
  GATEWAY_URL: z.url().default('http://127.0.0.1:3001'),
  /** Where a process serves its own metrics; 0 takes any free port. */
  METRICS_PORT: port.default(0),
  /** The other processes' metrics, which the api serves beside its own: `name=host:port`, comma-separated. */
  METRICS_PEERS: list.default([]),
  FAZENDA_HOME: z.string().default('.fazenda'),
  FAZENDA_ADMIN_TOKEN: secret.optional(),
  ...authSettings,
  /** The api is ready only once this file exists; `npm start` writes it last. */
  FAZENDA_READY_FILE: z.string().optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  LOG_FILE: z.string().optional(),
  /** On standard output: `auto` prints for people where that is a terminal, else JSON. A file is always JSON. */
  LOG_FORMAT: z.enum(['auto', 'json', 'pretty']).default('auto'),

  ...tracingSettings,

  KAFKA_BROKERS: list.optional(),
  KAFKA_BROKER: list.optional(),
  ...kafkaSecuritySettings,
  KAFKA_CLIENT_ID: z.string().min(1).default('fazenda'),
  /** Put before every topic and group, so that installations can share a cluster. */
  KAFKA_TOPIC_PREFIX: z.string().regex(/^[\w.-]*$/).default(''),
  KAFKA_PROFILE: z.enum(['dev', 'prod']).default('dev'),
  KAFKA_SESSION_TIMEOUT_MS: milliseconds(10_000),
  /** The registry of Avro schemas, user and password in it where it wants them; `off` leaves it out. */
  SCHEMA_REGISTRY_URL: z.literal('off').transform(() => undefined)
    .or(z.url({ protocol: /^https?$/ }).transform((value) => new Secret(value))).optional(),
  /** Topics that are written otherwise than their domain says: `topic=avro,topic=json`. */
  KAFKA_ENCODINGS: encodings,
  /** False turns off the events of items and the Kafka endpoints (S2), nothing else. */
  OBSERVABILITY__KAFKA_ENABLED: flag(true),
  /** Topics that `POST /kafka/publish` may write to, by their names in the contracts. */
  OBSERVABILITY__KAFKA_PUBLISH_TOPICS: list.default(['test-events']),

  TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_TASK_QUEUE: z.string().default('fazenda'),
  /** After a worker dies its workflow tasks wait this long for another. */
  TEMPORAL_WORKFLOW_TASK_TIMEOUT_MS: milliseconds(5_000),
  /** Keys that seal what Temporal keeps: `id:32 bytes in base64`, comma-separated, the newest first. */
  TEMPORAL_PAYLOAD_KEYS: z.string().transform(keyList).default([]),
  /** Where the codec server opens it for the Web UI, on loopback, and what the UI has to show for it. */
  CODEC_SERVER_PORT: port.default(8234),
  /** Only a container, whose ports are published on loopback, has to listen beyond it. */
  CODEC_SERVER_HOST: z.string().default('127.0.0.1'),
  CODEC_SERVER_TOKEN: secret.optional(),
  /** The Web UI's origin, which alone a browser may ask the codec server from. */
  TEMPORAL_UI_URL: z.url().default('http://localhost:8233'),
  /** False leaves the metrics of Temporal's SDK off the pages of worker, ingress and agent. */
  TEMPORAL_SDK_METRICS: flag(true),
  WORKFLOW_BUNDLE: z.string().optional(),

  DATABASE_URL: secret.default(new Secret('postgres://postgres@127.0.0.1:5432/fazenda')),
  DATABASE_POOL_MAX: count(10, 200),

  S3_ENDPOINT: z.url().default('http://127.0.0.1:9000'),
  S3_BUCKET: z.string().min(3).max(63).default('fazenda'),
  S3_REGION: z.string().default('us-east-1'),
  S3_ACCESS_KEY_ID: z.string().default('fazenda'),
  S3_SECRET_ACCESS_KEY: secret.default(new Secret('fazenda')),

  REDIS_URL: secret.optional(),

  /** ClickHouse over HTTP, user, password and database in it; where it is not set, or `off`, analytics is off. */
  CLICKHOUSE_URL: z.literal('off').transform(() => undefined)
    .or(z.url({ protocol: /^https?$/ }).transform((value) => new Secret(value))).optional(),

  /** A window of time is called closed this long after its end; facts that come later still are counted. */
  WINDOW_LATENESS_MS: milliseconds(60_000),

  /** RabbitMQ, which carries notifications; unset, a Kafka topic does. */
  AMQP_URL: z.url({ protocol: /^amqps?$/ }).transform((value) => new Secret(value)).optional(),
  /** Where letters are handed over; user and password in it where the server wants them. */
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).default('smtp://127.0.0.1:1025').transform((value) => new Secret(value)),
  /** The sender of every letter: an address, or `Name <address>`. */
  MAIL_FROM: z.string().regex(/^(?:[^\r\n<>"@]{1,100}<)?[^\s<>"@]{1,64}@[^\s<>"@]{1,190}>?$/, 'is no address and no `Name <address>`').default('Fazenda <no-reply@fazenda.localhost>'),
  /** A mail server that says nothing for this long is given up. */
  SMTP_TIMEOUT_MS: milliseconds(30_000),
  /** Where the mailbox, a stand-in for a mail server, takes letters and shows them. */
  MAILBOX_SMTP_PORT: port.default(1025),
  MAILBOX_PORT: port.default(8025),
  /** Its page has no password: only a container, whose ports are published on loopback, has to listen beyond it. */
  MAILBOX_HOST: z.string().default('127.0.0.1'),

  /** Stories that may work at once before the doors wait. */
  OPEN_STORIES_MAX: count(2_000),
  /** Lanes, or stories riding alone, that one process has open before the next ones wait for company. */
  LANES_OPEN_MAX: count(4, 100),
  /** Stories that share a workflow, where their domain lets them; 1 gives each its own. */
  LANE_SIZE_MAX: count(1_000, 1_000),
  /** Records of one partition handled together. */
  INGRESS_CHUNK_MAX: count(200, 10_000),
  /** A story that should move and has not for this long is started again. */
  STUCK_AFTER_MS: milliseconds(60_000),
  SWEEP_EVERY_MS: milliseconds(15_000),
  /** Lag without progress for this long rebuilds a consumer, and for twice as long ends the process. */
  STALL_AFTER_MS: milliseconds(60_000),

  AGENT_ID: z.string().min(1).max(255).default('agent-1'),
  /** Tasks that one agent has in hand at most; 10 is the contract's limit. */
  AGENT_CAPACITY: count(10, 10),
  /** Model calls a second, over all agents. */
  MODEL_CALLS_PER_SECOND_MAX: count(1_000),
  /** Words that no draft may hold, comma-separated. */
  BANNED_WORDS: list.default(['lorem', 'ipsum', 'asap']),
  /** Answers by script, for development and tests. */
  MODEL_SCRIPTED: flag(true),
});

/** Every variable that is read, for whoever passes them on; beside them there are `MODEL_<NAME>_…`. */
export const SETTING_NAMES: readonly string[] = [...new Set([
  ...[environment.shape, KAFKA_ALIASES, ...domains.map(({ settings }) => settings.shape)].flatMap((one) => Object.keys(one)),
  ...domains.flatMap(({ doors }) => doors.flatMap(({ topicSetting, groupSetting }) => [topicSetting, groupSetting].filter((name) => name !== undefined))),
])];

type Environment = z.infer<typeof environment>;

/** An OpenAI-compatible endpoint: `MODEL_<NAME>_BASE_URL`, `_API_KEY`, `_MODEL`; the name in lower case. */
export interface ModelEndpoint {
  readonly name: string;
  readonly baseUrl: string;
  readonly apiKey: Secret | undefined;
  readonly model: string;
}

export interface Config extends Omit<Environment, 'KAFKA_BROKERS' | 'KAFKA_BROKER'> {
  readonly KAFKA_BROKERS: readonly string[];
  /** Topics and groups that an installation names otherwise: the name in the contracts → the name in the cluster. */
  readonly kafkaNames: Readonly<Record<string, string>>;
  readonly models: readonly ModelEndpoint[];
  /** Parsed settings of each domain, by its name. */
  readonly domainSettings: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** @throws FazendaError FZ_CONFIG_INVALID naming every faulty variable, values never shown. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const given = withAliases(withoutEmpty(env));
  const faults: { path: string; message: string }[] = [];

  const core = environment.safeParse(given);
  if (!core.success) faults.push(...faultsOf(core.error));

  const domainSettings: Record<string, Record<string, unknown>> = {};
  for (const domain of domains) {
    const parsed = domain.settings.safeParse(given);
    if (parsed.success) domainSettings[domain.name] = parsed.data;
    else faults.push(...faultsOf(parsed.error));
  }
  const models = readModels(given, faults);
  const kafkaNames = readKafkaNames(given, faults);
  faults.push(...authFaults(given), ...kafkaSecurityFaults(given), ...tracingFaults(given));

  if (!core.success || faults.length > 0) {
    const named = faults.map(({ path, message }) => `${path}: ${message}`).join('; ');
    throw new FazendaError('FZ_CONFIG_INVALID', named, { fields: faults });
  }
  const { KAFKA_BROKERS, KAFKA_BROKER, ...rest } = core.data;
  return { ...rest, KAFKA_BROKERS: KAFKA_BROKERS ?? KAFKA_BROKER ?? ['localhost:9094'], kafkaNames, models, domainSettings };
}

/** Names that doors let an installation choose. Two topics or two groups of one name would be one to Kafka. */
function readKafkaNames(env: Record<string, string>, faults: { path: string; message: string }[]): Record<string, string> {
  const doors = domains.flatMap((domain) => domain.doors);
  const topics = [...doors.map(({ topic }) => topic), ...[...domains, ...entities].flatMap((one) => Object.values(one.topics))];
  const names: Record<string, string> = {};
  for (const { topic, topicSetting, group, groupSetting } of doors) {
    choose(topic, topicSetting, topics);
    choose(group, groupSetting, doors.map((door) => door.group));
  }
  return names;

  function choose(name: string, setting: string | undefined, others: readonly string[]): void {
    const chosen = setting && env[setting];
    if (!chosen || chosen === name || names[name] === chosen) return;
    const fault = (message: string) => void faults.push({ path: setting, message });
    if (!/^(?!\.{1,2}$)[\w.-]{1,200}$/.test(chosen)) fault('is no name that Kafka takes: letters, digits, dot, dash, underscore');
    else if (others.includes(chosen)) fault(`${chosen} is the name of another one`);
    else names[name] = chosen;
  }
}

function readModels(env: Record<string, string>, faults: { path: string; message: string }[]): ModelEndpoint[] {
  const names = Object.keys(env).flatMap((key) => /^MODEL_(\w+)_BASE_URL$/.exec(key)?.[1] ?? []);
  return names.map((name) => {
    const baseUrl = env[`MODEL_${name}_BASE_URL`] ?? '';
    if (!z.url({ protocol: /^https?$/ }).safeParse(baseUrl).success) {
      faults.push({ path: `MODEL_${name}_BASE_URL`, message: 'is no http(s) URL' });
    }
    const apiKey = env[`MODEL_${name}_API_KEY`];
    return {
      name: name.toLowerCase(),
      baseUrl,
      apiKey: apiKey ? new Secret(apiKey) : undefined,
      model: env[`MODEL_${name}_MODEL`] ?? name.toLowerCase(),
    };
  });
}

/** A variable that is set to nothing counts as not set, as shells and compose files leave them. */
function withoutEmpty(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => Boolean(pair[1])));
}

function withAliases(given: Record<string, string>): Record<string, string> {
  const spelled = Object.entries(KAFKA_ALIASES).flatMap(([alias, name]) => (given[alias] ? [[name, given[alias]] as const] : []));
  return { ...Object.fromEntries(spelled), ...given };
}

function faultsOf(error: z.ZodError): { path: string; message: string }[] {
  return error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
}

import { z } from 'zod';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import type { OutgoingRecord, Producer } from '../kafka/port';
import { TEST_TOPIC } from '../kafka/topics';
import type { Logger } from '../log';
import { parseBody, validBody } from './body';
import type { Operation } from './operation';
import { jsonReply, type Reply } from './reply';
import { withKey, type Route } from './routes';

const HEADER_COUNT_MAX = 100;
const PUBLISH_PATH = '/kafka/publish';

/** Body of `POST /kafka/publish`. Objects are only looked at and sent as they came: to copy them member by member would lose `__proto__`. */
export const publishBody = z.object({
  topic: z.string().min(1).default(TEST_TOPIC),
  key: z.string().nullish(),
  payload: z.unknown().refine(isObject, 'is no object').meta({ type: 'object' }),
  headers: z.unknown().refine((given) => given === undefined || given === null || areHeaders(given), `are no object of at most ${HEADER_COUNT_MAX} texts`)
    .meta({ type: 'object', additionalProperties: { type: 'string' }, maxProperties: HEADER_COUNT_MAX }).optional(),
}).meta({ examples: [{ topic: TEST_TOPIC, key: 'k-1', payload: { hello: 'world' }, headers: { 'x-from': 'docs' } }] });

export interface KafkaRouteDeps {
  readonly config: Config;
  readonly producer: Producer;
  /** Remembers answers by their Idempotency-Key; a request without one does not ask it. */
  readonly db: Queryable;
  readonly log: Logger;
}

/** S2's Kafka endpoints, which say so where that integration is disabled. */
export function kafkaRoutes({ config, producer, db, log }: KafkaRouteDeps): Route[] {
  const enabled = config.OBSERVABILITY__KAFKA_ENABLED;
  return [
    {
      method: 'get',
      path: '/kafka/status',
      needs: 'viewer',
      answer: () => jsonReply(200, {
        enabled,
        connected: enabled && producer.connected,
        client_id: enabled ? config.KAFKA_CLIENT_ID : null,
        bootstrap_servers: enabled ? config.KAFKA_BROKERS : null,
      }),
    },
    {
      method: 'post',
      path: PUBLISH_PATH,
      needs: 'admin',
      answer(request, response) {
        if (!enabled) throw new FazendaError('FZ_KAFKA_DISABLED', 'Kafka not configured. Set OBSERVABILITY__KAFKA_ENABLED=true');
        const document = parseBody(request.body);
        const record = recordOf(config.OBSERVABILITY__KAFKA_PUBLISH_TOPICS, document);
        return withKey({ db, log }, PUBLISH_PATH, request, response, document, () => publish(producer, record));
      },
    },
  ];
}

/** A request's record, exactly as it was given. @throws FazendaError FZ_SCHEMA_INVALID, also for a topic that is not in the list */
function recordOf(topics: readonly string[], document: unknown): OutgoingRecord {
  const { topic, key, payload, headers } = validBody(publishBody, document) as z.infer<typeof publishBody>;
  if (!topics.includes(topic)) {
    const message = `is none of ${topics.join(', ') || 'the topics that may be published to: there are none'}`;
    throw new FazendaError('FZ_SCHEMA_INVALID', `topic ${message}`, { fields: [{ path: 'topic', message }] });
  }
  return { topic, key: key ?? null, value: Buffer.from(JSON.stringify(payload), 'utf8'), headers: (headers ?? {}) as Record<string, string> };
}

/** Says where the record lies. @throws FazendaError FZ_KAFKA_AWAY, after which it may have landed all the same */
async function publish(producer: Producer, record: OutgoingRecord): Promise<Reply> {
  const { partition, offset, timestampMs } = await producer.place(record);
  return jsonReply(200, { topic: record.topic, partition, offset: Number(offset), timestamp: new Date(timestampMs).toISOString() });
}

function isObject(given: unknown): boolean {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

function areHeaders(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return false;
  const values: unknown[] = Object.values(given);
  return values.length <= HEADER_COUNT_MAX && values.every((value) => typeof value === 'string');
}

/** The endpoints in the API's document. */
export const kafkaOperations: readonly Operation[] = [
  { method: 'get', path: '/kafka/status', tag: 'kafka', summary: 'Whether the Kafka integration is enabled and connected, and to whom', answers: { 200: '{enabled, connected, client_id, bootstrap_servers}' }, faults: [] },
  {
    method: 'post', path: PUBLISH_PATH, tag: 'kafka', summary: 'Put one record on a topic of the allow-list', reads: 'keyed', body: { name: 'KafkaPublish', schema: publishBody },
    answers: { 200: 'Where it lies: {topic, partition, offset, timestamp}' },
    faults: ['FZ_UNAUTHORIZED', 'FZ_BODY_NOT_JSON', 'FZ_BODY_TOO_DEEP', 'FZ_BODY_TOO_LARGE', 'FZ_MEDIA_TYPE', 'FZ_HEADER_INVALID', 'FZ_SCHEMA_INVALID', 'FZ_TEXT_UNSTORABLE', 'FZ_IDEMPOTENCY_MISMATCH', 'FZ_IDEMPOTENCY_BUSY', 'FZ_KAFKA_DISABLED', 'FZ_KAFKA_AWAY'],
  },
];

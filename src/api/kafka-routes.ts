import { z } from 'zod';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import type { Producer } from '../kafka/port';
import { TEST_TOPIC } from '../kafka/topics';
import { parseBody, validBody } from './body';
import type { Operation } from './operation';
import { jsonReply, type Reply } from './reply';
import type { Route } from './routes';

const HEADER_COUNT_MAX = 100;

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
}

/** S2's Kafka endpoints. Both say so where that integration is disabled; nothing else of fazenda asks that setting. */
export function kafkaRoutes({ config, producer }: KafkaRouteDeps): Route[] {
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
      path: '/kafka/publish',
      needs: 'admin',
      answer(request) {
        if (!enabled) throw new FazendaError('FZ_KAFKA_DISABLED', 'Kafka not configured. Set OBSERVABILITY__KAFKA_ENABLED=true');
        return publish(producer, config.OBSERVABILITY__KAFKA_PUBLISH_TOPICS, parseBody(request.body));
      },
    },
  ];
}

/**
 * Puts one record on a topic exactly as it was given, and says where it lies.
 * @throws FazendaError FZ_SCHEMA_INVALID, also for a topic that is not in the list; FZ_KAFKA_AWAY, after which it may have landed all the same
 */
async function publish(producer: Producer, topics: readonly string[], document: unknown): Promise<Reply> {
  const { topic, key, payload, headers } = validBody(publishBody, document) as z.infer<typeof publishBody>;
  if (!topics.includes(topic)) {
    const message = `is none of ${topics.join(', ') || 'the topics that may be published to: there are none'}`;
    throw new FazendaError('FZ_SCHEMA_INVALID', `topic ${message}`, { fields: [{ path: 'topic', message }] });
  }
  const value = Buffer.from(JSON.stringify(payload), 'utf8');
  const { partition, offset, timestampMs } = await producer.place({ topic, key: key ?? null, value, headers: (headers ?? {}) as Record<string, string> });
  return jsonReply(200, { topic, partition, offset: Number(offset), timestamp: new Date(timestampMs).toISOString() });
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
    method: 'post', path: '/kafka/publish', tag: 'kafka', summary: 'Put one record on a topic of the allow-list', reads: 'correlation', body: { name: 'KafkaPublish', schema: publishBody },
    answers: { 200: 'Where it lies: {topic, partition, offset, timestamp}' },
    faults: ['FZ_UNAUTHORIZED', 'FZ_BODY_NOT_JSON', 'FZ_BODY_TOO_DEEP', 'FZ_BODY_TOO_LARGE', 'FZ_MEDIA_TYPE', 'FZ_SCHEMA_INVALID', 'FZ_TEXT_UNSTORABLE', 'FZ_KAFKA_DISABLED', 'FZ_KAFKA_AWAY'],
  },
];

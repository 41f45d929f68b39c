import type { ZodType } from 'zod';
import type { Encoding } from '../../workflows/kernel/definition';
import { AVRO_CONTENT_TYPE, JSON_CONTENT_TYPE } from '../kafka/codec';
import { windowContracts, WINDOWS_SOURCE } from '../windows/contract';
import { contractsByTopic, type EventContract } from './contracts';
import { jsonSchemaOf, type JsonSchema } from './shape';
import { subjects } from './subjects';

type Json = Readonly<Record<string, unknown>>;

/** Kafka's bindings of messages and channels. https://github.com/asyncapi/bindings/tree/master/kafka */
const KAFKA_BINDING = '0.5.0';
const PARTITIONS = 12;

/**
 * Every topic and what it carries, as AsyncAPI 3.0, made of the contracts alone.
 * https://www.asyncapi.com/docs/reference/specification/v3.0.0
 * @param encodings what an installation writes otherwise than by default
 */
export function asyncApi(encodings: Readonly<Record<string, Encoding>> = {}): Json {
  const byTopic = [...contractsByTopic()];
  const schemas = subjects();
  const windows = windowContracts().map(({ stream: { topic, type }, schema }) => ({ topic, name: type, schema }));
  const avroOf = (topic: string, contract: EventContract): boolean => (encodings[topic] ?? contract.encoding) === 'avro';
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'fazenda events', version: '1',
      description: 'What the topics carry. Both JSON and Avro in the Confluent wire format are read on every topic, told apart by the first byte; '
        + 'the content type here is the one that is written where a schema registry is there, and JSON where none ever was.',
    },
    defaultContentType: JSON_CONTENT_TYPE,
    channels: Object.fromEntries([
      ...byTopic.map(([topic, contracts]) => [topic, channelOf(topic, contracts)] as const),
      ...windows.map(({ topic, name, schema }) => [topic, { ...channelOf(topic, [{ name, schema }]), bindings: compacted(topic) }] as const),
    ]),
    operations: Object.fromEntries([
      ...byTopic.flatMap(([topic, contracts]) => operationsOf(topic, contracts)),
      ...windows.flatMap(({ topic, name }) => operationsOf(topic, [{ name, kind: 'window' }])),
    ]),
    components: {
      messages: Object.fromEntries([
        ...byTopic.flatMap(([topic, contracts]) => contracts.map((contract) => [
          contract.name, messageOf(contract, avroOf(topic, contract), schemas.get(topic)?.text ?? ''),
        ] as const)),
        ...windows.map(({ name, schema }) => [name, windowMessageOf(name, schema)] as const),
      ]),
      messageTraits: { fact: { headers: FACT_HEADERS }, command: { headers: COMMAND_HEADERS }, window: { headers: WINDOW_HEADERS } },
    },
  };
}

function channelOf(topic: string, contracts: readonly Pick<EventContract, 'name' | 'schema'>[]): Json {
  return {
    address: topic,
    description: contracts.map(({ schema }) => schema.description ?? '').join(' ').trim(),
    messages: Object.fromEntries(contracts.map(({ name }) => [name, { $ref: `#/components/messages/${name}` }])),
    bindings: { kafka: { topic, partitions: PARTITIONS, bindingVersion: KAFKA_BINDING } },
  };
}

/** Facts are sent. What comes in by a door is received, too; of a topic that both is true of, both are said. */
function operationsOf(topic: string, contracts: readonly { name: string; kind: EventContract['kind'] | 'window' }[]): [string, Json][] {
  const about = (action: 'send' | 'receive', of: readonly { name: string }[]): [string, Json][] => of.length === 0 ? [] : [[
    `${action}.${topic}`,
    { action, channel: { $ref: `#/channels/${topic}` }, messages: of.map(({ name }) => ({ $ref: `#/channels/${topic}/messages/${name}` })) },
  ]];
  return [...about('send', contracts.filter(({ kind }) => kind !== 'command')), ...about('receive', contracts.filter(({ kind }) => kind === 'command'))];
}

function messageOf({ name, type, kind, topic, schema }: EventContract, avro: boolean, avroSchema: string): Json {
  return {
    name: type,
    title: name,
    summary: schema.description ?? '',
    contentType: avro ? AVRO_CONTENT_TYPE : JSON_CONTENT_TYPE,
    traits: [{ $ref: `#/components/messageTraits/${kind}` }],
    payload: plainSchema(jsonSchemaOf(schema)),
    bindings: {
      kafka: {
        key: { type: 'string', description: 'the id of the aggregate: all of its records are on one partition' },
        ...(avro && { schemaIdLocation: 'payload', schemaIdPayloadEncoding: 'confluent', schemaLookupStrategy: 'TopicNameStrategy' }),
        bindingVersion: KAFKA_BINDING,
      },
    },
    'x-avro-subject': `${topic}-value`,
    'x-avro-schema': JSON.parse(avroSchema) as unknown,
  };
}

/** A topic that keeps the last record of each key. */
function compacted(topic: string): Json {
  return { kafka: { topic, partitions: PARTITIONS, topicConfiguration: { 'cleanup.policy': ['compact'] }, bindingVersion: KAFKA_BINDING } };
}

function windowMessageOf(name: string, schema: ZodType): Json {
  return {
    name, title: name, summary: schema.description ?? '', contentType: JSON_CONTENT_TYPE,
    traits: [{ $ref: '#/components/messageTraits/window' }],
    payload: plainSchema(jsonSchemaOf(schema)),
    bindings: { kafka: { key: text('the first instant of the window, ISO 8601 UTC'), bindingVersion: KAFKA_BINDING } },
  };
}

/** Without references: what they stand for is any JSON value, which is what a schema without words says. */
export function plainSchema(schema: JsonSchema): Json {
  return Object.fromEntries(Object.entries(schema).flatMap(([word, said]): [string, unknown][] => {
    if (word === '$schema' || word === '$defs' || word === '$ref') return [];
    return [[word, plain(said)]];
  }));
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === 'object' && value !== null ? plainSchema(value) : value;
}

const text = (description: string): Json => ({ type: 'string', description });

/** CloudEvents 1.0, Kafka binding, binary mode, and what fazenda adds. */
const COMMAND_HEADERS = {
  type: 'object',
  properties: {
    ce_specversion: { type: 'string', const: '1.0' },
    ce_id: text('UUIDv5 of the aggregate and its version: the same however often the record is delivered'),
    ce_type: text('the name of the event'),
    ce_source: text('/fazenda/<domain> for our own'),
    ce_subject: text('the id of the aggregate'),
    ce_time: text('when it happened, ISO 8601 UTC'),
    'content-type': text(`${JSON_CONTENT_TYPE} or ${AVRO_CONTENT_TYPE}`),
    correlation_id: text('travels with everything that came of one request'),
    causation_id: text('the ce_id of what caused it; of a first event the topic/partition/offset of the record that it came by'),
    traceparent: text('W3C trace context'),
  },
};
const FACT_HEADERS = {
  type: 'object',
  properties: { ...COMMAND_HEADERS.properties, ce_sequence: text('the version of the aggregate, from 1 on without gap') },
};
const { correlation_id: _correlation, causation_id: _causation, traceparent: _trace, ...OF_WINDOWS } = COMMAND_HEADERS.properties;
const WINDOW_HEADERS = {
  type: 'object',
  properties: {
    ...OF_WINDOWS,
    ce_id: text('UUIDv5 of topic, window and revision'), ce_subject: text('the first instant of the window, ISO 8601 UTC'),
    ce_source: text(WINDOWS_SOURCE), ce_time: text('when this revision was told, ISO 8601 UTC'), 'content-type': text(JSON_CONTENT_TYPE),
  },
};

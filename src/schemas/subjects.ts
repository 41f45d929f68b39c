import { Type } from 'avsc';
import type { Encoding } from '../../workflows/kernel/definition';
import { avroRecord, fromAvro, toAvro } from './avro';
import { contractsByTopic, type EventContract } from './contracts';
import { shapeOf } from './shape';

/** All that may be written to a topic, as Avro has it. By TopicNameStrategy a topic has one schema. */
export interface Subject {
  readonly topic: string;
  /** What it is written in unless the installation says otherwise. */
  readonly preset: Encoding;
  /** The schema as it is registered: a record, or where the topic carries several, a union of them. */
  readonly text: string;
  readonly type: Type;
  /** A document of a type → the value that Avro writes. */
  toAvro(type: string, data: unknown): unknown;
  /** What was read by `type` → the document. @throws SyntaxError where a JSON text in it is none */
  fromAvro(value: unknown): unknown;
}

/** @throws Error where a text is no Avro schema */
export function typeOf(text: string): Type {
  // Options of its own, because names are remembered in them.
  return Type.forSchema(JSON.parse(text) as Parameters<typeof Type.forSchema>[0], { omitRecordMethods: true, wrapUnions: 'auto' });
}

/** Every topic's, by topic; derived anew each time. */
export function subjects(): Map<string, Subject> {
  return new Map([...contractsByTopic()].map(([topic, contracts]) => [topic, subjectOf(topic, contracts)]));
}

function subjectOf(topic: string, contracts: readonly EventContract[]): Subject {
  const parts = contracts.map(({ type, name, namespace, schema, encoding }) => {
    const shape = shapeOf(name, schema);
    return { type, fullName: `${namespace}.${name}`, encoding, schema: avroRecord(shape, namespace), to: toAvro(shape), from: fromAvro(shape) };
  });
  const [first] = parts;
  if (!first) throw new Error(`${topic} has no contract`);
  const alone = parts.length === 1;
  const text = JSON.stringify(alone ? first.schema : parts.map(({ schema }) => schema));
  return {
    topic, text, preset: first.encoding, type: typeOf(text),
    toAvro(type, data) {
      const part = alone ? first : parts.find((one) => one.type === type);
      if (!part) throw new Error(`${topic} carries no ${type}`);
      return alone ? part.to(data) : { [part.fullName]: part.to(data) };
    },
    fromAvro(value) {
      if (alone) return first.from(value);
      const [branch] = Object.entries(value as Record<string, unknown>);
      const part = parts.find(({ fullName }) => fullName === branch?.[0]);
      return part ? part.from(branch?.[1]) : value;
    },
  };
}

import type { ZodType } from 'zod';
import { domains } from '../../workflows/domains';
import type { Encoding } from '../../workflows/kernel/definition';
import { entities } from '../entities';

/** One kind of record on one topic: what it says, and in what it is written unless told otherwise. */
export interface EventContract {
  /** The domain or entity that it belongs to. */
  readonly owner: string;
  /** A fact says what happened; a command asks for something, and comes in by a door. */
  readonly kind: 'fact' | 'command';
  readonly topic: string;
  /** Its `ce_type`. */
  readonly type: string;
  /** Its name among the schemas of its namespace. */
  readonly name: string;
  readonly namespace: string;
  readonly encoding: Encoding;
  readonly schema: ZodType;
}

/** Entities have no namespace of their own in any contract. */
const ENTITY_NAMESPACE = 'com.fazenda.events';

/** Every kind of record that is promised to anyone, by topic; asked anew each time, as a benchmark may add a domain. */
export function eventContracts(): EventContract[] {
  const ofDomains = domains.flatMap(({ name: owner, topics, contracts: { namespace, encoding, facts, commands } }): EventContract[] => [
    ...Object.entries(facts).map(([type, schema]) => ({ owner, kind: 'fact' as const, topic: topicOf(topics, type), type, name: type, namespace, encoding, schema })),
    ...commands.map((command) => ({ owner, kind: 'command' as const, namespace, encoding, ...command })),
  ]);
  const ofEntities = entities.flatMap(({ name: owner, topics, data }): EventContract[] =>
    Object.entries(data).map(([type, schema]) => ({
      owner, kind: 'fact', topic: topicOf(topics, type), type, name: type, namespace: ENTITY_NAMESPACE, encoding: 'json', schema,
    })));
  return [...ofDomains, ...ofEntities];
}

/** The same, topic by topic, in the order in which they are told. */
export function contractsByTopic(): Map<string, EventContract[]> {
  const byTopic = new Map<string, EventContract[]>();
  for (const contract of eventContracts()) byTopic.set(contract.topic, [...(byTopic.get(contract.topic) ?? []), contract]);
  return byTopic;
}

function topicOf(topics: Readonly<Record<string, string>>, type: string): string {
  const topic = topics[type];
  if (topic === undefined) throw new Error(`${type} has a contract and no topic`);
  return topic;
}

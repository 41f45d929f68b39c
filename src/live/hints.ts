import { domains } from '../../workflows/domains';
import type { Arrival, Domain, StartDoor } from '../../workflows/kernel/definition';
import { isOurs } from '../facts/identity';
import { FazendaError } from '../errors';
import type { Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';
import type { Hint } from './fanout';

/** All gateways share one group: each record is read by one of them, which tells the others. */
export const GATEWAY_GROUP = 'fazenda-gateway';

/** Where a topic belongs: whose facts are on it, and the door through which strangers' records begin stories. */
interface Source {
  readonly domain: Domain;
  readonly door: StartDoor | undefined;
}

const sources = new Map<string, Source>(
  domains.flatMap((domain) =>
    Object.values(domain.topics).map((topic): [string, Source] => [
      topic,
      { domain, door: domain.doors.find((door): door is StartDoor => door.kind === 'start' && door.topic === topic) },
    ]),
  ),
);

/** Every topic that facts are on, without the installation's prefix. */
export const FACT_TOPICS: readonly string[] = [...sources.keys()];

/**
 * What a record says of a story: our own by its headers, a stranger's as version 1 of the id that its
 * start door finds. Anything else hints at nothing; whether it is bad is for the ingress to say.
 * @param codec has learnt what the strangers' values need
 */
export function hintOf({ topic, value, headers }: Pick<IncomingRecord, 'topic' | 'value' | 'headers'>, codec: Codec): Hint | undefined {
  const source = sources.get(topic);
  if (!source) return undefined;
  const { domain, door } = source;
  if (!isOurs(headers.ce_source)) return door && strangersHint(domain, door, value, headers, codec);
  const { ce_subject: id, ce_sequence: sequence } = headers;
  if (!id || !sequence || !/^[1-9]\d{0,9}$/.test(sequence)) return undefined;
  return { domain: domain.name, id, version: Number(sequence) };
}

function strangersHint(domain: Domain, door: StartDoor, value: Buffer | null, headers: Arrival<never>['headers'], codec: Codec): Hint | undefined {
  try {
    const parsed = door.schema.safeParse(codec.decode(door.topic, value));
    if (!parsed.success) return undefined;
    const { id } = door.first({ message: parsed.data as never, headers, sentAt: new Date(0).toISOString() });
    return { domain: domain.name, id, version: 1 };
  } catch (thrown) {
    if (thrown instanceof FazendaError) return undefined; // The record's own fault: the ingress dead-letters it.
    throw thrown;
  }
}

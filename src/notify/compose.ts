import { domains } from '../../workflows/domains';
import type { Domain, Notice } from '../../workflows/kernel/definition';
import { FazendaError, textOf } from '../errors';
import { factId, sourceOf } from '../facts/identity';
import type { Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';
import { textFault } from '../text';
import type { Slip } from './queue';

export const NOTIFICATIONS_GROUP = 'notifications-group';

/** A kind of fact that people are told of. */
interface Noticed {
  readonly domain: Domain;
  readonly type: string;
  readonly notice: Notice;
}

/** A letter without its address. */
export interface Letter extends Slip {
  readonly recipient: { readonly table: string; readonly addressColumn: string; readonly id: string };
  readonly subject: string;
  readonly text: string;
}

export type Composed =
  | { readonly kind: 'letter'; readonly record: IncomingRecord; readonly letter: Letter }
  | { readonly kind: 'filtered'; readonly record: IncomingRecord }
  | { readonly kind: 'dead'; readonly record: IncomingRecord; readonly error: FazendaError };

/** Characters of a subject and of a text; nobody means to send a longer letter. */
const SUBJECT_MAX = 200;
const TEXT_MAX = 20_000;

/** What is told, by topic. */
export function noticesByTopic(): ReadonlyMap<string, readonly Noticed[]> {
  const byTopic = new Map<string, Noticed[]>();
  for (const domain of domains) {
    for (const [type, notice] of Object.entries(domain.notices ?? {})) {
      const topic = domain.topics[type];
      if (topic !== undefined) byTopic.set(topic, [...(byTopic.get(topic) ?? []), { domain, type, notice }]);
    }
  }
  return byTopic;
}

/**
 * Makes a letter of a record. Others may write to these topics: what does not say that it is ours is theirs to tell
 * of. What says so and cannot be, or makes no letter, is a fault of that record alone and a dead letter: nobody else
 * would ever hear of it, and it must not hold up those behind it. Total, like the doors' sorting.
 */
export function compose(noticed: readonly Noticed[], record: IncomingRecord, codec: Codec): Composed {
  const { ce_source: source, ce_type: type } = record.headers;
  const of = noticed.find((one) => one.type === type && sourceOf(one.domain.name) === source);
  if (!of) return { kind: 'filtered', record };
  try {
    return { kind: 'letter', record, letter: letterOf(of, record, codec) };
  } catch (thrown) {
    if (thrown instanceof FazendaError) return { kind: 'dead', record, error: thrown };
    // What a domain says of a fact is pure: where it throws, the data has not the shape of its type.
    return { kind: 'dead', record, error: new FazendaError('FZ_SCHEMA_INVALID', `no letter can be made of it: ${textOf(thrown)}`) };
  }
}

function letterOf({ domain, type, notice }: Noticed, { topic, headers, value }: IncomingRecord, codec: Codec): Letter {
  const { ce_id: ceId = '', ce_subject: aggregateId = '', ce_sequence: version = '' } = headers;
  if (ceId !== factId(domain.name, aggregateId, Number(version))) {
    throw new FazendaError('FZ_SCHEMA_INVALID', 'ce_id is not that of ce_subject and ce_sequence, so it is no fact of ours');
  }
  const data = codec.decode(topic, value);
  if (typeof data !== 'object' || data === null) throw new FazendaError('FZ_SCHEMA_INVALID', 'the value is no object');
  const { table, addressColumn } = notice.recipient;
  const letter = {
    ceId, domain: domain.name, aggregateId, event: type,
    recipient: { table, addressColumn, id: notice.recipient.id(data) },
    subject: oneLine(notice.subject(data)).slice(0, SUBJECT_MAX),
    text: withoutControls(notice.text(data)).slice(0, TEXT_MAX),
  };
  const fault = textFault(letter);
  if (fault) throw new FazendaError('FZ_TEXT_UNSTORABLE', `${fault.path} ${fault.message}`);
  return letter;
}

/** A header ends at a line's end: nothing that could be one stays in a subject. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

/** Text is text: tabs and line feeds stay, whatever else steers terminals and parsers goes. */
function withoutControls(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[^\P{Cc}\n\t]/gu, '');
}

import type { Domain, HttpCommand, StartDoor } from '../../workflows/kernel/definition';
import { canonicalJson, fingerprintOf } from '../canonical';
import { FazendaError } from '../errors';
import { commandId, factId } from '../facts/identity';
import type { Queryable } from '../facts/postgres';
import { factsFrom, type StoredFact } from '../facts/read';
import { headersOf } from '../kafka/cloudevents';
import { AVRO_CONTENT_TYPE } from '../kafka/codec';
import type { OutgoingRecord, Producer } from '../kafka/port';
import { recentFormats, type WireFormats } from '../schemas/wire';
import { kafkaAttributes } from '../tracing/messaging';
import { inSpan } from '../tracing/tracing';
import { askOf } from './ask';
import { jsonReply, type Reply } from './reply';
import { hold, letGo, markSent, otherBody, outgoing, submissionOf, type KeptRecord, type Submission } from './submissions';

/** A caller waits no longer than this for Kafka's acknowledgement, ms; below the hold on a submission. */
const SEND_TIMEOUT_MS = 4_500;

export interface CommandDeps {
  readonly db: Queryable;
  readonly producer: Producer;
}

/** One request, after its body was found valid. */
export interface CommandRequest {
  readonly body: unknown;
  /** The aggregate's id where the body names none; the same for every try with one Idempotency-Key. */
  readonly freshId: string;
  readonly correlationId: string;
  readonly correlationGiven: boolean;
  readonly traceparent: string;
}

/**
 * Turns a request into one Kafka record and answers once Kafka has it.
 * @throws FazendaError FZ_REFERENCE_UNKNOWN, FZ_CONFLICT, FZ_KAFKA_AWAY, FZ_POSTGRES_AWAY
 */
export async function runCommand(deps: CommandDeps, domain: Domain, command: HttpCommand, request: CommandRequest): Promise<Reply> {
  const unknown = await command.check(request.body as never, askOf(deps.db));
  if (unknown.length > 0) {
    const named = unknown.map(({ path, message }) => `${path}: ${message}`).join('; ');
    throw new FazendaError('FZ_REFERENCE_UNKNOWN', named, { fields: [...unknown] });
  }
  const at = new Date().toISOString();
  const answer = command.kind === 'creates'
    ? await create(deps, domain, command, request, at)
    : await concern(deps, domain, command, request, at);
  return jsonReply(command.status, answer);
}

/** A record about an aggregate: asking twice is asking once by its id, so no row is kept. */
async function concern({ db, producer }: CommandDeps, domain: Domain, command: HttpCommand, request: CommandRequest, at: string): Promise<object> {
  const { record, answer } = prepare(domain, command, request, at, await recentFormats(db));
  await sendWithin(producer, outgoing(record));
  return answer;
}

/** A record that begins an aggregate: the same id and body is the same request, whichever way it came before. */
async function create(deps: CommandDeps, domain: Domain, command: HttpCommand, request: CommandRequest, at: string): Promise<object> {
  const { db, producer } = deps;
  const formats = await recentFormats(db);
  const proposed = prepare(domain, command, request, at, formats);
  const known = await submissionOf(db, domain.name, proposed.id);
  if (!known?.sent) {
    const [first] = await factsFrom(db, domain.name, proposed.id);
    if (first?.version === 1) return alreadyThere(deps, domain, command, request, known, first, formats);
  }
  if (!known?.sent && !producer.connected) throw new FazendaError('FZ_KAFKA_AWAY', 'no broker answers');

  const outcome = await hold(db, proposed);
  if ('sent' in outcome) return outcome.sent.answer;
  const { submission } = outcome.held;
  try {
    await sendWithin(producer, outgoing(submission.record));
  } catch (thrown) {
    await letGo(db, outcome.held);
    throw thrown;
  }
  await markSent(db, submission);
  return submission.answer;
}

/**
 * The story has begun by a record that is not known to be ours: a partner's, or our own whose
 * acknowledgement was lost. Equal data is the same request; anything else comes too late.
 */
async function alreadyThere(
  { db }: CommandDeps, domain: Domain, command: HttpCommand, request: CommandRequest, known: Submission | undefined, first: StoredFact, formats: WireFormats,
): Promise<object> {
  const { id, correlationId, at } = first;
  const again = prepare(domain, command, { ...request, freshId: id, correlationId, correlationGiven: false }, at, formats);
  const told = beginningOf(domain, again.record);
  if (told.type !== first.type || comparable(told) !== comparable(first)) throw otherBody(id);
  if (known?.fingerprint !== again.fingerprint) return again.answer;
  await markSent(db, known);
  return known.answer;
}

/** A fact's data without the name of the record that brought it, which differs from producer to producer. */
function comparable({ data, context }: { data: object; context?: object }): string {
  return canonicalJson({ data: { ...data, eventId: undefined }, context });
}

/** What fact 1 will be once ingress has taken a record in: the same door, the same words. */
export function beginningOf(domain: Domain, { topic, headers, value }: KeptRecord): ReturnType<StartDoor['first']> {
  const door = domain.doors.find((one): one is StartDoor => one.kind === 'start' && one.topic === topic);
  if (!door) throw new Error(`${domain.name} has no door that begins a story from ${topic}`);
  const message = door.schema.parse(JSON.parse(value));
  return door.first({ message: message as never, headers, sentAt: headers.ce_time ?? '' });
}

/** The record of a request, and all that is kept of it. Pure: the same request at the same instant gives the same bytes. */
function prepare(
  domain: Domain, command: HttpCommand, { body, freshId, correlationId, correlationGiven, traceparent }: CommandRequest, at: string, formats: WireFormats,
): Submission {
  const accepted = command.accept(body as never, { freshId, correlationId, correlationGiven, at });
  const { aggregateId: id, topic, key, type, message, answer } = accepted;
  const isFact = topicsOf(domain)[type] === topic;
  const ceId = isFact ? factId(domain.name, id, 1) : commandId(domain.name, id, type);
  const envelope = {
    ceId, type, domain: domain.name, aggregateId: id, at, correlationId, causationId: correlationId, traceparent,
    ...(isFact && { version: 1 }),
  };
  const data = isFact ? { eventId: ceId, ...message } : message;
  const text = JSON.stringify(data);
  const { value, contentType } = formats.now({ topic, type, data }, text);
  const record = {
    topic, key, value: text, headers: headersOf(envelope, contentType),
    ...(contentType === AVRO_CONTENT_TYPE && { wire: value.toString('base64') }),
  };
  return { domain: domain.name, id, fingerprint: timelessFingerprint(command, body, id), record, answer };
}

function topicsOf(domain: Domain): Readonly<Record<string, string>> {
  return domain.topics;
}

/** The same for every try of one request, whether its id was given or made: clock and correlation id stand still. */
function timelessFingerprint(command: HttpCommand, body: unknown, id: string): string {
  const { topic, type, message } = command.accept(body as never, { freshId: id, correlationId: '', correlationGiven: false, at: '1970-01-01T00:00:00.000Z' });
  return fingerprintOf({ topic, type, message });
}

/** @throws FazendaError FZ_KAFKA_AWAY when no acknowledgement came in time; the record may have landed all the same */
async function sendWithin(producer: Producer, record: OutgoingRecord): Promise<void> {
  if (!producer.connected) throw new FazendaError('FZ_KAFKA_AWAY', 'no broker answers');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new FazendaError('FZ_KAFKA_AWAY', `no acknowledgement within ${SEND_TIMEOUT_MS} ms`)), SEND_TIMEOUT_MS);
  });
  try {
    await inSpan({ name: `send ${record.topic}`, kind: 'producer', attributes: kafkaAttributes('send', record.topic) }, () => Promise.race([producer.send([record]), late]));
  } finally {
    clearTimeout(timer);
  }
}

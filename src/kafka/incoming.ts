import type { IHeaders, KafkaMessage } from 'kafkajs';
import type { IncomingRecord, OutgoingRecord } from './port';

/** A message of kafkajs as the port has it. */
export function incomingRecord(topic: string, partition: number, { offset, key, value, headers = {}, timestamp }: KafkaMessage): IncomingRecord {
  const text: Record<string, string> = {};
  const raw: Record<string, string | Buffer | (string | Buffer)[]> = {};
  for (const [name, given] of Object.entries(headers)) {
    const held = withoutInherited(given);
    if (held === undefined) continue;
    raw[name] = held;
    // A header may have no value, which kafkajs gives as null whatever its types say.
    const last = Array.isArray(held) ? held.at(-1) : held;
    if (last !== null && last !== undefined) text[name] = String(last);
  }
  return { topic, partition, offset, key, value, headers: text, rawHeaders: raw as OutgoingRecord['headers'], timestamp: Number(timestamp) };
}

/**
 * kafkajs puts before the value of a header named `toString`, or as any other member that every object has, that
 * member: a function, which nobody could write to a dead-letter topic.
 */
function withoutInherited(held: IHeaders[string]): IHeaders[string] {
  if (!Array.isArray(held)) return held;
  const own = held.filter((one: unknown) => one === null || typeof one === 'string' || Buffer.isBuffer(one));
  return own.length === 1 ? own[0] : own;
}

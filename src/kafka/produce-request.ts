import { CompressionTypes, type Message } from 'kafkajs';
import crc32C from 'kafkajs/src/protocol/recordBatch/crc32C';
import produce, { type Encoded, type ProduceAsk } from 'kafkajs/src/protocol/requests/produce';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/**
 * kafkajs 2.2.4 makes forty buffers of each record, one of 512 zeroed bytes for every header; that was half of what a
 * relay does. Here a batch is reckoned, then written into one buffer. A header without a value, which Java's clients
 * write, passes as well; kafkajs asks for its length before it looks whether there is any, and throws.
 * Taken over for records of format 2, uncompressed or gzip; those of a producer with an identity, as a transaction
 * needs, are left to kafkajs.
 * https://kafka.apache.org/documentation/#recordbatch, https://kafka.apache.org/protocol#The_Messages_Produce
 */
const protocol = produce.protocol;

produce.protocol = ({ version }) => {
  const theirs = protocol({ version });
  if (version < 3) return theirs;
  return (ask) => {
    if (!isPlain(ask)) return theirs(ask);
    const { request, response } = theirs(ask);
    return { request: { ...request, encode: () => encodeProduce(ask) }, response };
  };
};

function isPlain({ transactionalId, producerId = -1, compression }: ProduceAsk): boolean {
  const isKnown = compression === CompressionTypes.None || compression === CompressionTypes.GZIP;
  return !transactionalId && Number(producerId) < 0 && isKnown;
}

const zipped = promisify(gzip);
const RECORD_BATCH_FORMAT = 2;
/** Of a batch, what comes before its length, and what comes before that which its checksum is of. */
const BEFORE_LENGTH_BYTES = 12;
const BEFORE_SUMMED_BYTES = 21;
const BATCH_HEAD_BYTES = 61;

type Held = string | Buffer | null | undefined;

/** One record, reckoned. */
interface Counted {
  readonly timestampDelta: number;
  readonly offsetDelta: number;
  /** Its key and value, then the name and value of each header. */
  readonly fields: readonly Held[];
  /** Bytes behind the length that a record begins with. */
  readonly bytes: number;
}

async function encodeProduce({ acks, timeout, compression, topicData }: ProduceAsk): Promise<Encoded> {
  const noTransaction = int(-1, 2);
  const parts: Buffer[] = [noTransaction, int(acks, 2), int(timeout, 4), int(topicData.length, 4)];
  for (const { topic, partitions } of topicData) {
    parts.push(int(Buffer.byteLength(topic), 2), Buffer.from(topic), int(partitions.length, 4));
    for (const { partition, messages } of partitions) {
      const batch = await encodeBatch(messages, compression);
      parts.push(int(Number(partition), 4), int(batch.length, 4), batch);
    }
  }
  const buffer = Buffer.concat(parts);
  return { buf: buffer, buffer, size: () => buffer.length };
}

async function encodeBatch(messages: readonly Message[], compression: CompressionTypes): Promise<Buffer> {
  const now = Date.now();
  const times = messages.map(({ timestamp }) => (timestamp ? Number(timestamp) : now));
  const first = times.reduce((one, other) => Math.min(one, other), Infinity);
  const last = times.reduce((one, other) => Math.max(one, other), -Infinity);
  const counted = messages.map((message, at) => countRecord(message, at, (times[at] ?? now) - first));
  const isZipped = compression === CompressionTypes.GZIP;
  const room = counted.reduce((sum, { bytes }) => sum + varintBytes(bytes) + bytes, 0);
  const records = isZipped ? await zipped(writeRecords(counted, Buffer.allocUnsafe(room), 0)) : undefined;
  const batch = Buffer.allocUnsafe(BATCH_HEAD_BYTES + (records?.length ?? room));
  if (records) records.copy(batch, BATCH_HEAD_BYTES);
  else writeRecords(counted, batch, BATCH_HEAD_BYTES);

  batch.writeBigInt64BE(0n, 0); // the first offset, which is the broker's to say
  batch.writeInt32BE(batch.length - BEFORE_LENGTH_BYTES, 8);
  batch.writeInt32BE(0, 12); // the leader's epoch, likewise
  batch.writeInt8(RECORD_BATCH_FORMAT, 16);
  batch.writeInt16BE(compression, 21);
  batch.writeInt32BE(messages.length - 1, 23);
  batch.writeBigInt64BE(BigInt(first), 27);
  batch.writeBigInt64BE(BigInt(last), 35);
  batch.writeBigInt64BE(-1n, 43); // nobody in particular: not idempotent, so neither epoch nor sequence count
  batch.writeInt16BE(0, 51);
  batch.writeInt32BE(0, 53);
  batch.writeInt32BE(messages.length, 57);
  batch.writeUInt32BE(crc32C(batch.subarray(BEFORE_SUMMED_BYTES)), 17);
  return batch;
}

function countRecord({ key, value, headers = {} }: Message, offsetDelta: number, timestampDelta: number): Counted {
  const fields: Held[] = [key, value];
  for (const name of Object.keys(headers)) {
    const held = headers[name];
    if (Array.isArray(held)) for (const one of held) fields.push(name, one);
    else fields.push(name, held);
  }
  let bytes = 1 + varintBytes(timestampDelta) + varintBytes(offsetDelta) + varintBytes(fields.length / 2 - 1);
  for (const field of fields) bytes += fieldBytes(field);
  return { timestampDelta, offsetDelta, fields, bytes };
}

function fieldBytes(field: Held): number {
  if (field === null || field === undefined) return varintBytes(-1);
  const bytes = typeof field === 'string' ? Buffer.byteLength(field) : field.length;
  return varintBytes(bytes) + bytes;
}

function writeRecords(counted: readonly Counted[], into: Buffer, from: number): Buffer {
  let at = from;
  for (const { timestampDelta, offsetDelta, fields, bytes } of counted) {
    at = writeVarint(into, at, bytes);
    into[at++] = 0; // attributes, of which there are none
    at = writeVarint(into, at, timestampDelta);
    at = writeVarint(into, at, offsetDelta);
    for (let which = 0; which < fields.length; which += 1) {
      if (which === 2) at = writeVarint(into, at, fields.length / 2 - 1);
      at = writeField(into, at, fields[which]);
    }
    if (fields.length === 2) at = writeVarint(into, at, 0);
  }
  return into;
}

function writeField(into: Buffer, at: number, field: Held): number {
  if (field === null || field === undefined) return writeVarint(into, at, -1);
  if (typeof field !== 'string') return writeVarint(into, at, field.length) + field.copy(into, writeVarint(into, at, field.length));
  const begins = writeVarint(into, at, Buffer.byteLength(field));
  return begins + into.write(field, begins);
}

/** Signed, zigzag: 0, -1, 1, -2 … are 0, 1, 2, 3 …, seven bits a byte. A difference of times may have more than 32 bits. */
function writeVarint(into: Buffer, at: number, value: number): number {
  let left = value < 0 ? -2 * value - 1 : 2 * value;
  let to = at;
  for (; left >= 128; left = Math.floor(left / 128)) into[to++] = (left % 128) + 128;
  into[to++] = left;
  return to;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value < 0 ? -2 * value - 1 : 2 * value; left >= 128; left = Math.floor(left / 128)) bytes += 1;
  return bytes;
}

function int(value: number, bytes: 2 | 4): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  buffer.writeIntBE(value, 0, bytes);
  return buffer;
}

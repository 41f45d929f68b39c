import fc from 'fast-check';
import { CompressionTypes, Partitioners, type Message } from 'kafkajs';
import Decoder from 'kafkajs/src/protocol/decoder';
import decodeBatch from 'kafkajs/src/protocol/recordBatch/v0/decoder';
import produce, { type ProduceAsk } from 'kafkajs/src/protocol/requests/produce';
import theirs from 'kafkajs/src/protocol/requests/produce/v7/request';
import '../src/kafka/produce-request';
import { keyPartitioner } from '../src/kafka/partitioner';

/** What we write of a record in kafkajs' place is what kafkajs writes, byte for byte, and lies where its records lie. */

const ours = produce.protocol({ version: 7 });
const VERSION_7_HEAD_BYTES = 2 + 2 + 4 + 4;
const BATCH_FIRST_BYTES = 61;

const bytes = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 60, maxLength: 300 }), fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some)));
const message = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(fc.string(), fc.oneof(bytes, fc.array(bytes, { maxLength: 3 })), { maxKeys: 12 }),
}, { requiredKeys: ['key', 'value'] });
const timed = fc.tuple(message, fc.integer({ min: 1_000_000_000_000, max: 9_999_999_999_999 })).map(([one, at]) => ({ ...one, timestamp: String(at) }));
const topic = fc.record({
  topic: fc.string({ minLength: 1 }),
  partitions: fc.array(fc.record({ partition: fc.nat(50).map(String), messages: fc.oneof(fc.array(message, { minLength: 1, maxLength: 5 }), fc.array(timed, { minLength: 1, maxLength: 5 })) }), { minLength: 1, maxLength: 3 }),
});
const asked = (topicData: ProduceAsk['topicData'], compression = CompressionTypes.None): ProduceAsk => ({ acks: -1, timeout: 30_000, compression, topicData });

beforeEach(() => jest.useFakeTimers({ now: 1_780_000_000_000 }));
afterEach(() => jest.useRealTimers());

test('an uncompressed request is the one that kafkajs would have sent', async () => {
  await fc.assert(fc.asyncProperty(fc.array(topic, { minLength: 1, maxLength: 3 }), async (topicData) => {
    const ask = asked(topicData as never);
    const [mine, original] = [await ours(ask).request.encode(), await theirs(ask).encode()];
    expect(mine.buffer.toString('hex')).toBe(original.buffer.toString('hex'));
    expect(mine.size()).toBe(original.size());
  }), { numRuns: 300 });
});

test('a request of a thousand records is, too', async () => {
  const messages = Array.from({ length: 1_000 }, (_, at): Message => ({ key: `story ${at}`, value: 'x'.repeat(at), headers: { ce_id: `id ${at}`, nothing: '' } }));
  const ask = asked([{ topic: 'task.assigned', partitions: [{ partition: 11, messages }] }]);
  expect((await ours(ask).request.encode()).buffer.equals((await theirs(ask).encode()).buffer)).toBe(true);
});

test.each([['in a transaction', { transactionalId: 'windows', producerId: '7' }], ['of an idempotent producer', { producerId: '7' }]])('what is sent %s is left to kafkajs', async (_how, of) => {
  const ask = { ...asked([{ topic: 't', partitions: [{ partition: 0, firstSequence: 41, messages: [{ key: 'k', value: 'v' }] }] }]), producerEpoch: 3, ...of };
  expect((await ours(ask).request.encode()).buffer.equals((await theirs(ask).encode()).buffer)).toBe(true);
});

/** The first batch of a request to one partition of the topic `t`, as a broker would read it. */
async function readBack(messages: readonly Message[], compression = CompressionTypes.None): Promise<Awaited<ReturnType<typeof decodeBatch>>['records']> {
  const { buffer } = await ours(asked([{ topic: 't', partitions: [{ partition: 0, messages }] }], compression)).request.encode();
  const at = VERSION_7_HEAD_BYTES + 3 + 4 + 4 + 4;
  expect(buffer.length).toBeGreaterThan(at + BATCH_FIRST_BYTES);
  return (await decodeBatch(new Decoder(buffer.subarray(at)))).records;
}

test('packed, it is read back as it was', async () => {
  const messages = Array.from({ length: 50 }, (_, at): Message => ({ key: `key ${at}`, value: 'x'.repeat(1_000), headers: { a: 'ä', b: ['1', '2'] } }));
  const records = await readBack(messages, CompressionTypes.GZIP);
  expect(records.map(({ key, value, headers }) => [String(key), String(value), String(headers?.a), String(headers?.b)])).toEqual(
    messages.map(({ key, value }) => [key, value, 'ä', '1,2']));
});

test('times may lie years apart, and a header may have no value', async () => {
  const nothing = null as unknown as string;
  const [first, last] = await readBack([{ key: null, value: null, timestamp: '1000000000000' }, { key: 'k', value: 'v', timestamp: '9000000000000', headers: { nothing, twice: [nothing, 'x'] } }]);
  expect([first?.key, first?.value, first?.timestamp]).toEqual([null, null, '1000000000000']);
  expect(last?.timestamp).toBe('9000000000000');
  expect([last?.headers?.nothing, last?.headers?.twice]).toEqual([null, [null, Buffer.from('x')]]);
});

test('a key has the partition that kafkajs, and so the Java client, gives it', () => {
  const [mine, original] = [keyPartitioner(), Partitioners.DefaultPartitioner()];
  fc.assert(fc.property(bytes, fc.integer({ min: 1, max: 64 }), (key, partitions) => {
    const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, partitionErrorCode: 0, leader: 0, replicas: [], isr: [] }));
    const args = { topic: 't', partitionMetadata, message: { key, value: null } };
    expect(mine(args)).toBe(original(args));
  }), { numRuns: 1_000 });
});

import { Kafka, type Consumer as KafkajsConsumer, type ConsumerConfig, type TopicPartitionOffset } from 'kafkajs';
import type { Config } from '../src/config';
import type { Chunk, Consumer, Producer } from '../src/kafka/port';
import { configOn, enterOn, producerOn, record } from './setup/port';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { until } from './setup/until';

/** A real broker; only what it answers to a commit is made up, because no broker refuses those alone, or just then. */
let answerCommit: () => Promise<unknown> = () => Promise.resolve();
/** The offsets of each commit that was asked for. */
const asked: (readonly TopicPartitionOffset[])[] = [];

let config: Config;
let producer: Producer;
const opened: Consumer[] = [];
beforeAll(async () => {
  const real = Kafka.prototype.consumer;
  jest.spyOn(Kafka.prototype, 'consumer').mockImplementation(function (this: Kafka, options: ConsumerConfig): KafkajsConsumer {
    const consumer = real.call(this, options);
    const commit = consumer.commitOffsets;
    consumer.commitOffsets = async (offsets) => {
      asked.push(offsets);
      await answerCommit();
      await commit(offsets);
    };
    return consumer;
  });
  config = await configOn((await realParts()).KAFKA_BROKERS ?? '');
  producer = await producerOn(config);
}, PARTS_TIMEOUT_MS);
beforeEach(() => {
  asked.length = 0;
  answerCommit = () => Promise.resolve();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((consumer) => consumer.stop()));
});
afterAll(() => producer.stop());

async function enter(topic: string, group: string, onChunk: (chunk: Chunk) => Promise<void>, chunkMax?: number): Promise<Consumer> {
  const consumer = await enterOn(config, topic, group, onChunk, chunkMax);
  opened.push(consumer);
  return consumer;
}

const valuesOf = (chunks: readonly Chunk[]) => chunks.flatMap(({ records }) => records.map(({ value }) => Number(value)));

test('while no offset can be committed a partition waits, for all that it went on with would come again', async () => {
  const sent = Array.from({ length: 50 }, (_, index) => index);
  await producer.send(sent.map((value) => record('orders.paid', 'one key', String(value))));
  answerCommit = () => Promise.reject(new Error('the coordinator is loading'));
  const given: Chunk[] = [];
  await enter('orders.paid', 'refused', (chunk) => Promise.resolve(void given.push(chunk)), 1);
  await until(() => asked.length >= 3, 'a commit was refused three times');
  expect(given.length).toBeLessThan(5);
  answerCommit = () => Promise.resolve();
  await until(() => asked.some((offsets) => offsets.some(({ offset }) => offset === '50')), 'all is committed');
  expect(valuesOf(given)).toEqual(sent);
});

test('what was due when a membership ended is not committed by it: whoever has the partition then may be further', async () => {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let open: () => void = () => undefined;
  const opens = new Promise<void>((resolve) => (open = resolve));
  const given: Chunk[] = [];
  const onChunk = async (chunk: Chunk): Promise<void> => {
    given.push(chunk);
    if (given.length > 2) await opens;
  };
  const first = await enter('orders.failed', 'moved', onChunk);
  // The first commit hangs, so that the one of another partition is behind it when the second member comes.
  answerCommit = () => released;
  await producer.send([record('orders.failed', 'a', '1')]);
  await until(() => asked.length === 1, 'the first is being committed');
  answerCommit = () => Promise.resolve();
  await producer.send([record('orders.failed', 'b', '2')]);
  await until(() => given.length === 2, 'the next is done');
  const [, late] = given;
  expect(late?.partition).not.toBe(given[0]?.partition);

  const second = await enter('orders.failed', 'moved', onChunk);
  await until(() => valuesOf(given.slice(2)).includes(2), 'it comes again, and is in hand');
  const commits = () => asked.flat().filter(({ partition }) => partition === late?.partition);
  release();
  open();
  await until(() => commits().length > 0, 'it is committed');
  // A stop waits for all that is in hand, what the membership that is over had included.
  await Promise.all([first.stop(), second.stop()]);
  expect(commits()).toHaveLength(1);
});

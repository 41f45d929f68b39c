import { startParts, type PartEvent } from '../src/runtime/parts';
import { startTable } from '../src/runtime/table';
import { removeTempHomes, tempHome } from './setup/temp-home';

/** A part that can be done without and cannot be had stops nothing, and is not passed over in silence. */

afterAll(removeTempHomes);

/** A machine on which only what a package registry has can be had. */
const BARE = { PATH: process.env.PATH, FAZENDA_PART_WAYS: 'built' };

test('an optional part that cannot be had is named with the reason, in the progress and in the table', async () => {
  const events: PartEvent[] = [];
  const parts = await startParts({ home: tempHome(), parts: ['rabbitmq'], optional: ['rabbitmq'], env: BARE, onEvent: (event) => events.push(event) });
  await parts.stop();
  expect(parts.env).toEqual({});
  expect(parts.endpoints.amqp).toBeNull();
  expect(parts.missing.rabbitmq).toContain('apt-get install rabbitmq-server');
  expect(events).toContainEqual(expect.objectContaining({ part: 'rabbitmq', kind: 'missing' }));

  const table = startTable({ endpoints: { ...parts.endpoints, smtp: 'smtp://127.0.0.1:1025', mailbox: 'http://127.0.0.1:8025' }, how: parts.how, missing: parts.missing, processes: [], adminToken: 't', home: 'h', tookMs: 1 });
  expect(table).toContain('a Kafka topic carries notifications');
  expect(table).toContain('apt-get install rabbitmq-server');
  expect(table).toContain('http://localhost:8025');
});

test('a part that is needed is not done without', async () => {
  const needed = startParts({ home: tempHome(), parts: ['rabbitmq'], env: BARE });
  await expect(needed).rejects.toMatchObject({ code: 'FZ_PART_UNAVAILABLE' });
});

import { createServer } from 'node:net';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startParts } from '../src/runtime/parts';
import { removeTempHomes, tempHome } from './setup/temp-home';

afterAll(removeTempHomes);

describe('a start that cannot succeed says what would help', () => {
  test('a part that no way brings names each way and the least trouble', async () => {
    const env = { PATH: '/nowhere', FAZENDA_PART_WAYS: 'path,docker,built', FAZENDA_CACHE: tempHome() };
    const start = startParts({ home: tempHome(), parts: ['s3'], env });
    await expect(start).rejects.toMatchObject({ code: 'FZ_PART_UNAVAILABLE' });
    await expect(start).rejects.toThrow(/path: not found; docker: no engine answers; built: .*`go`.*Install Go.*S3_ENDPOINT/s);
  });

  test('an external address that does not answer is waited for until the start is given up', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const address = gone.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    gone.close();
    const signal = AbortSignal.timeout(200);
    const start = startParts({ home: tempHome(), parts: ['kafka'], env: { KAFKA_BROKERS: `127.0.0.1:${port}` }, signal });
    await expect(start).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('an external one that answers is used as it is', async () => {
    const broker = createServer().listen(0, '127.0.0.1');
    await once(broker, 'listening');
    const address = broker.address();
    const brokers = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const parts = await startParts({ home: tempHome(), parts: ['kafka'], env: { KAFKA_BROKERS: brokers } });
    try {
      expect(parts.how).toEqual({ kafka: 'external' });
      expect(parts.env).toEqual({ KAFKA_BROKERS: brokers });
      expect(parts.endpoints).toMatchObject({ kafka: brokers, postgres: null });
    } finally {
      await parts.stop();
      broker.close();
    }
  });

  test('a home that a living process owns is refused, and left as it is', async () => {
    const home = tempHome();
    const first = await startParts({ home, parts: [], env: {} });
    try {
      await expect(startParts({ home, parts: [], env: {} })).rejects.toMatchObject({ code: 'FZ_HOME_IN_USE' });
      expect(existsSync(join(home, 'owner.lock'))).toBe(true);
    } finally {
      await first.stop();
    }
    await (await startParts({ home, parts: [], env: {} })).stop();
  });

  test('a word that FAZENDA_PART_WAYS does not know is refused', async () => {
    const start = startParts({ home: tempHome(), parts: ['s3'], env: { FAZENDA_PART_WAYS: 'carrier-pigeon' } });
    await expect(start).rejects.toMatchObject({ code: 'FZ_CONFIG_INVALID' });
  });
});

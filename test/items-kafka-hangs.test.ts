import { openLog } from '../src/log';
import { openProducer } from '../src/kafka/producer';
import { openRelay } from '../src/relay/relay';
import { openApi } from './setup/api';
import { hear } from './setup/listener';
import { PARTS_TIMEOUT_MS, signalPart } from './setup/stack';
import { until } from './setup/until';

/** Far above what a call takes, far below what a broker is waited for. */
const CALL_MS = 1_000;

test('while the broker hangs, calls take no longer, and when it goes on no event is lost or out of order', async () => {
  const api = await openApi();
  const producer = openProducer(api.config, openLog(api.config, 'relay'), { sendTimeoutMs: 60_000 });
  producer.start();
  const relay = openRelay(api.config, openLog(api.config, 'relay'), producer);
  relay.start();
  const told = await hear(api.config, 'items-events');
  const calls: [method: string, status: number, ms: number][] = [];
  async function timed(method: string, path: string, body?: object): Promise<string> {
    const began = performance.now();
    const { status, json } = await api.call(method, path, body);
    calls.push([method, status, performance.now() - began]);
    return String(json.id);
  }
  const ids: string[] = [];
  try {
    await until(() => producer.connected, 'the relay has a connection');
    signalPart('kafka', 'SIGSTOP');
    for (let n = 0; n < 10; n += 1) {
      const id = await timed('POST', '/v1/items', { name: `n ${n}`, sku: 'S' });
      ids.push(id);
      await timed('PATCH', `/v1/items/${id}`, { name: 'other' });
      await timed('DELETE', `/v1/items/${id}`);
    }
  } finally {
    signalPart('kafka', 'SIGCONT');
  }
  try {
    for (const [method, status, ms] of calls) {
      expect([method, status]).toEqual([method, { POST: 201, PATCH: 200, DELETE: 204 }[method]]);
      expect(ms).toBeLessThan(CALL_MS);
    }
    await until(() => told.heard.length >= 30, 'every event is heard', 60_000);
    for (const id of ids) {
      const own = told.heard.filter(({ message }) => String(message.key) === id).map(({ message }) => String(message.headers?.event_type));
      expect(own.filter((type, at) => own.indexOf(type) === at)).toEqual(['ItemCreated', 'ItemUpdated', 'ItemDeleted']);
    }
    expect(new Set(told.heard.map(({ message }) => String(message.key)))).toEqual(new Set(ids));
  } finally {
    await relay.stop();
    await Promise.all([producer.stop(), told.stop()]);
    await api.close();
  }
}, PARTS_TIMEOUT_MS);

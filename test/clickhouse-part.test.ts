import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { startParts, type RunningParts } from '../src/runtime/parts';
import { removeTempHomes, tempHome } from './setup/temp-home';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** ClickHouse as `npm start` brings it, spoken to by the client that everybody uses, and by curl. */

let parts: RunningParts;
let url: string;
let client: ClickHouseClient;
const home = tempHome();

beforeAll(async () => {
  parts = await startParts({ home, parts: ['clickhouse'], env: process.env });
  url = parts.endpoints.clickhouse ?? '';
  client = connect();
}, PARTS_TIMEOUT_MS);

afterAll(async () => {
  await client.close();
  await parts.stop();
  removeTempHomes();
});

function connect(): ClickHouseClient {
  return createClient({ url, log: { level: ClickHouseLogLevel.OFF } });
}

async function countOf(table: string): Promise<number> {
  const [row] = await (await client.query({ query: `SELECT toUInt32(count()) AS rows FROM ${table}`, format: 'JSONEachRow' })).json<{ rows: number }>();
  return row?.rows ?? -1;
}

test('its URL is all that a client needs: statements, inserts, parameters and settings work', async () => {
  expect(new URL(url)).toMatchObject({ hostname: '127.0.0.1', username: 'fazenda', pathname: '/fazenda' });
  expect((await client.ping()).success).toBe(true);
  await client.command({ query: 'CREATE TABLE notes (id UInt32, text String) ENGINE = MergeTree ORDER BY id' });
  const texts = ['plain', 'two\nlines\n\nand three', "it's; quoted \\ \"so\"", 'ação 🌾'];
  await client.insert({ table: 'notes', values: texts.map((text, id) => ({ id, text })), format: 'JSONEachRow' });
  const result = await client.query({
    query: 'SELECT text FROM fazenda.notes WHERE id >= {least: UInt32} ORDER BY id', query_params: { least: 1 }, format: 'JSONEachRow', clickhouse_settings: { max_threads: 1 },
  });
  expect(await result.json()).toEqual(texts.slice(1).map((text) => ({ text })));
  await expect(client.query({ query: 'SELECT * FROM nowhere' })).rejects.toMatchObject({ code: '60', type: 'UNKNOWN_TABLE' });
  await expect(client.query({ query: 'SELEC 1' })).rejects.toMatchObject({ code: '62' });
});

test('as curl asks it, and only with its password', async () => {
  const { origin, username, password } = new URL(url);
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  expect(await (await fetch(`${origin}/?query=SELECT%207`, { headers: { authorization: basic } })).text()).toBe('7\n');
  expect(await (await fetch(origin, { method: 'POST', body: 'SELECT 8 AS eight FORMAT JSONEachRow', headers: { 'x-clickhouse-user': username, 'x-clickhouse-key': password } })).text()).toBe('{"eight":8}\n');
  const rows = '{"id":10,"text":"before"}\n\n{"id":11,"text":"after a blank line"}\n';
  const put = await fetch(`${origin}/?query=${encodeURIComponent('INSERT INTO notes FORMAT JSONEachRow')}`, { method: 'POST', body: rows, headers: { authorization: basic } });
  expect([put.status, await countOf('notes WHERE id >= 10')]).toEqual([200, 2]);
  for (const wrong of [{}, { authorization: `Basic ${Buffer.from('fazenda:guessed').toString('base64')}` }, { 'x-clickhouse-user': 'default' }]) {
    const refused = await fetch(`${origin}/?query=SELECT%201`, { headers: wrong as Record<string, string> });
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('AUTHENTICATION_FAILED')]);
  }
});

test('killed while rows are put in, it is back by itself with every row that it acknowledged', async () => {
  await client.command({ query: 'CREATE TABLE rain (id UInt32) ENGINE = MergeTree ORDER BY id' });
  let acknowledged = 0;
  for (let kills = 0; kills < 3; kills += 1) {
    setTimeout(() => parts.kill('clickhouse', 'SIGKILL'), 150);
    for (let alive = true; alive;) {
      const values = Array.from({ length: 100 }, (_, at) => ({ id: acknowledged + at }));
      alive = await client.insert({ table: 'rain', values, format: 'JSONEachRow' }).then(() => true, () => false);
      if (alive) acknowledged += values.length;
    }
    await until(async () => (await client.ping({ select: true })).success, 'it is back', 20_000);
    expect(await countOf('rain')).toBeGreaterThanOrEqual(acknowledged);
    await client.command({ query: `ALTER TABLE rain DELETE WHERE id >= ${acknowledged}`, clickhouse_settings: { mutations_sync: '2' } });
    expect(await countOf('rain')).toBe(acknowledged);
  }
  expect(acknowledged).toBeGreaterThan(0);
});

test('it stops within seconds of a signal, and its rows are there at the next start', async () => {
  const rows = await countOf('rain');
  const begun = Date.now();
  await parts.stop();
  expect(Date.now() - begun).toBeLessThan(5_000);
  parts = await startParts({ home, parts: ['clickhouse'], env: process.env });
  await client.close();
  url = parts.endpoints.clickhouse ?? '';
  client = connect();
  expect(await countOf('rain')).toBe(rows);
}, PARTS_TIMEOUT_MS);

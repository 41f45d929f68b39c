import type { Config } from '../config';
import { textOf } from '../errors';
import type { Endpoints } from '../runtime/parts';
import { homeFolder } from './endpoints';
import { bad, good, note, type Finding } from './finding';
import { reachable } from './reach';

const READY_TIMEOUT_MS = 5_000;

/** What runs from this home, and whether it answers where it says it is. */
export async function checkStores(config: Config, endpoints: Endpoints | undefined): Promise<Finding[]> {
  if (!endpoints) return [bad('home', `nothing runs from ${homeFolder()}`, 'Start it with npm start, or set FAZENDA_HOME.'), await checkPort(config.PORT)];
  const { api, temporalUi, s3, redis, amqp, smtp, mailbox, clickhouse, schemaRegistry } = endpoints;
  const addresses: readonly (readonly [string, readonly string[] | null])[] = [
    ['kafka', config.KAFKA_BROKERS],
    ['temporal', [config.TEMPORAL_ADDRESS]],
    ['temporal ui', temporalUi === null ? null : [temporalUi]],
    ['postgres', [config.DATABASE_URL.reveal()]],
    ['s3', s3 === null ? null : [s3.endpoint]],
    ['redis', redis === null ? null : [redis]],
    ['rabbitmq', amqp === null ? null : [amqp]],
    ['mail server', smtp === null ? null : [smtp]],
    ['mailbox', mailbox === null ? null : [mailbox]],
    ['schema registry', schemaRegistry === null ? null : [schemaRegistry]],
    ['clickhouse', clickhouse === null ? null : [clickhouse]],
  ];
  const home = good('home', homeFolder());
  const places = addresses.flatMap(([name, where]) => (where === null ? [] : [checkPlace(name, where)]));
  return [home, ...(await Promise.all([...places, checkApi(api), checkPostgres(config)]))];
}

async function checkPlace(name: string, where: readonly string[]): Promise<Finding> {
  const shown = where.map((address) => address.replace(/:\/\/[^@/]*@/, '://')).join(', ');
  if (await reachable(where)) return good(name, `answers at ${shown}`);
  return bad(name, `does not answer at ${shown}`, 'npm start brings it back within 30 s; if not, its log in the home says why.');
}

/** A port that is taken is no fault: the next free one is used. */
async function checkPort(port: number): Promise<Finding> {
  if (!(await reachable([`127.0.0.1:${port}`]))) return good('port', `${port} is free for the API`);
  return note('port', `${port} is taken`, 'The API will move to the next free one.');
}

async function checkApi(api: string | null): Promise<Finding> {
  if (api === null) return note('api', 'is not part of this start');
  try {
    const response = await fetch(`${api}/readyz`, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
    if (response.ok) return good('api', `ready at ${api}`);
    return bad('api', `at ${api} is not ready: ${(await response.text()).slice(0, 500)}`, 'Mend what it names.');
  } catch (thrown) {
    return bad('api', `does not answer at ${api} (${textOf(thrown)})`, 'See api.log in the home; npm start restarts it by itself.');
  }
}

async function checkPostgres(config: Config): Promise<Finding> {
  const { openPool } = await import('../facts/postgres.js');
  const db = openPool(config, 'doctor', 1);
  try {
    const { rows } = await db.query<{ version: string; facts: string | null }>(
      "SELECT current_setting('server_version') AS version, to_regclass('facts')::text AS facts",
    );
    const [row] = rows;
    if (row?.facts) return good('tables', `in place, PostgreSQL ${row.version}`);
    return bad('tables', 'are missing', 'Run npx fazenda migrate.');
  } catch (thrown) {
    return bad('tables', `cannot be looked at (${textOf(thrown)})`, 'Mend postgres first.');
  } finally {
    await db.end();
  }
}

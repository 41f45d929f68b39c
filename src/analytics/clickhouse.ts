import { ClickHouseError, ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';

/** A statement that takes longer than this is given up, ms. */
const REQUEST_TIMEOUT_MS = 60_000;
const CONNECTIONS_MAX = 4;
/** Where a URL names no database. */
const DATABASE = 'fazenda';

/** ClickHouse, as far as analytics needs it. All of them throw FZ_CLICKHOUSE_AWAY, or FZ_CLICKHOUSE_EMPTY where tables are missing. */
export interface ClickHouse {
  /** Rows of a SELECT. `parameters` fill `{name: Type}`. 64-bit numbers come as text. */
  select<Row>(sql: string, parameters?: Readonly<Record<string, unknown>>): Promise<Row[]>;
  command(sql: string): Promise<void>;
  /** Resolves once the rows are on the server's disk. */
  insert(table: string, rows: readonly object[]): Promise<void>;
  close(): Promise<void>;
}

/** The database that a URL names: the one path segment of it. */
export function databaseOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.replace(/^\/|\/$/g, '')) || DATABASE;
}

/** @throws FazendaError FZ_ANALYTICS_OFF where no ClickHouse is set */
export function openClickHouse(config: Pick<Config, 'CLICKHOUSE_URL'>, database?: string): ClickHouse {
  const url = config.CLICKHOUSE_URL?.reveal();
  if (url === undefined) throw new FazendaError('FZ_ANALYTICS_OFF', 'CLICKHOUSE_URL is not set');
  const client = clientOf(url, database ?? databaseOf(url));
  return {
    select: <Row>(query: string, parameters: Readonly<Record<string, unknown>> = {}) =>
      told(async () => (await client.query({ query, query_params: parameters, format: 'JSONEachRow', clickhouse_settings: { output_format_json_quote_64bit_integers: 1, output_format_json_quote_decimals: 1 } })).json<Row>()),
    command: (query) => told(async () => void (await client.command({ query }))),
    insert: (table, rows) =>
      told(async () => void (await client.insert({ table, values: [...rows], format: 'JSONEachRow', clickhouse_settings: { max_partitions_per_insert_block: '0', async_insert: 0 } }))),
    close: () => client.close(),
  };
}

function clientOf(given: string, database: string): ClickHouseClient {
  const url = new URL(given);
  const [username, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  return createClient({
    url: url.origin,
    ...(username && { username }),
    ...(password && { password }),
    database,
    application: 'fazenda',
    request_timeout: REQUEST_TIMEOUT_MS,
    max_open_connections: CONNECTIONS_MAX,
    // Every fault comes to us as a rejection, and is said where it is known what it means.
    log: { level: ClickHouseLogLevel.OFF },
  });
}

/** UNKNOWN_TABLE, UNKNOWN_DATABASE: it was made anew, or nobody has migrated yet. */
const MISSING: readonly string[] = ['60', '81'];

/** Whatever ClickHouse says is no fault of a row: rows are ours, made of what was read. So it is all one: not now. */
async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof ClickHouseError && MISSING.includes(thrown.code)) {
      throw new FazendaError('FZ_CLICKHOUSE_EMPTY', 'ClickHouse has no tables of analytics', {}, thrown);
    }
    const said = thrown instanceof ClickHouseError ? `refuses (${thrown.type ?? ''} ${textOf(thrown).split('\n')[0]?.slice(0, 300) ?? ''})` : `does not answer (${textOf(thrown)})`;
    throw new FazendaError('FZ_CLICKHOUSE_AWAY', `ClickHouse ${said}`, {}, thrown);
  }
}

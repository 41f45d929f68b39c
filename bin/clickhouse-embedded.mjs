// ClickHouse's own engine, embedded (npm `chdb`), behind as much of its HTTP interface as `@clickhouse/client` and
// people with curl use. Plain JavaScript on Node alone, because it is started like any other program that is no part
// of fazenda, from a checkout that may not be compiled. https://clickhouse.com/docs/interfaces/http
//
//   CLICKHOUSE_PASSWORD=… node clickhouse-embedded.mjs --engine <folder of chdb> --data <folder> --port <n>
//
// What it does not do: sessions over several requests, streaming of answers, other users.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const USER = 'fazenda';
const DATABASE = 'fazenda';
/** Statements that run at a time; each has a connection of its own, because one connection runs one at a time. */
const CONNECTIONS = 4;
const BODY_BYTES_MAX = 128 * 1024 * 1024;
/** What is in hand gets this long to end after a signal, ms. */
const DRAIN_MS = 3_000;

const { values: given } = parseArgs({ options: { engine: { type: 'string' }, data: { type: 'string' }, port: { type: 'string' } } });
const password = process.env.CLICKHOUSE_PASSWORD ?? '';
const { Session } = createRequire(import.meta.url)(given.engine);

/** Bounds of the engine: all it may use together, and what one statement may. */
const ENGINE = [
  '--max_server_memory_usage=1500000000', '--max_memory_usage=1000000000', '--max_execution_time=60', '--mark_cache_size=134217728',
  '--async_load_databases=0', '--async_load_system_database=0',
];

const idle = [];
const waiting = [];
const first = connect();
await first.queryAsync(`CREATE DATABASE IF NOT EXISTS ${DATABASE}`);
for (let made = 0; made < CONNECTIONS; made += 1) idle.push(await inDatabase(connect()));

const server = createServer((request, response) => {
  answer(request).then(
    ({ status, type, body, code, wait }) => {
      const headers = { 'content-type': type ?? 'text/plain; charset=UTF-8', 'x-clickhouse-server-display-name': 'fazenda', 'x-clickhouse-timezone': 'UTC' };
      if (code !== undefined) headers['x-clickhouse-exception-code'] = String(code);
      if (wait) headers['www-authenticate'] = 'Basic realm="ClickHouse"';
      response.writeHead(status, headers).end(body);
    },
    // A client that left in the middle of its request.
    () => response.destroy(),
  );
});
// A client keeps its connections; the server must not be the one that closes first in the middle of a request.
server.keepAliveTimeout = 60_000;
server.listen(Number(given.port), '127.0.0.1');

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop);

function stop() {
  setTimeout(() => process.exit(0), DRAIN_MS).unref();
  server.close(() => process.exit(0));
  server.closeIdleConnections();
}

function connect() {
  return new Session(given.data, { connectionArgs: ENGINE });
}

async function inDatabase(session) {
  await session.queryAsync(`USE ${DATABASE}`);
  return session;
}

async function answer(request) {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (url.pathname === '/ping') return { status: 200, body: 'Ok.\n' };
  if (!isAllowed(request, url)) {
    return { status: 403, code: 516, wait: true, body: `Code: 516. DB::Exception: ${USER}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)\n` };
  }
  const statement = statementOf(url.searchParams.get('query') ?? '', await bodyOf(request));
  if (statement.trim() === '') return { status: 400, code: 62, body: 'Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)\n' };
  try {
    const result = await inTurn(() => run(statement, url.searchParams, request.headers));
    return { status: 200, type: 'text/plain; charset=UTF-8', body: result };
  } catch (thrown) {
    return faultOf(thrown);
  }
}

/** As the server takes them: in a header of its own, by Basic authentication, or in the query string. */
function isAllowed({ headers }, { searchParams }) {
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const [user, key] = headers['x-clickhouse-user'] !== undefined
    ? [headers['x-clickhouse-user'], headers['x-clickhouse-key'] ?? '']
    : basic !== undefined
      ? splitOnce(Buffer.from(basic, 'base64').toString('utf8'))
      : [searchParams.get('user') ?? '', searchParams.get('password') ?? ''];
  return user === USER && timingSafeEqual(digest(key), digest(password));
}

function splitOnce(text) {
  const at = text.indexOf(':');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function digest(text) {
  return createHash('sha256').update(text).digest();
}

async function bodyOf(request) {
  const pieces = [];
  let bytes = 0;
  for await (const piece of request) {
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) throw new Error('the body is too large');
    pieces.push(piece);
  }
  const body = Buffer.concat(pieces);
  return (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body, { maxOutputLength: BODY_BYTES_MAX }) : body).toString('utf8');
}

/** The statement is in the query string, in the body, or begins in one and goes on in the other, as data does. */
function statementOf(query, body) {
  if (query === '') return body;
  // The engine takes a blank line for the end of the data; a format of one row a line has no other use for it.
  return `${query}\n${/\bFORMAT\s+(JSON\w*EachRow|TabSeparated\w*|TSV\w*)\s*$/i.test(query) ? body.replace(/\n\s*\n/g, '\n') : body}`;
}

/** Waits for one of the places in which a statement may run. */
async function inTurn(work) {
  if (inTurn.running >= CONNECTIONS) await new Promise((resolve) => waiting.push(resolve));
  else inTurn.running = (inTurn.running ?? 0) + 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else inTurn.running -= 1;
  }
}

/** Parameters of the interface itself, which are no settings of a statement. */
const OWN = new Set([
  'query', 'database', 'user', 'password', 'default_format', 'query_id', 'session_id', 'session_timeout', 'session_check', 'compress', 'decompress',
  'role', 'quota_key', 'stacktrace', 'enable_http_compression', 'http_zlib_compression_level', 'wait_end_of_query', 'buffer_size', 'client_protocol_version',
  'send_progress_in_http_headers', 'http_headers_progress_interval_ms', 'cancel_http_readonly_queries_on_client_disconnect', 'http_write_exception_in_output_format',
]);

async function run(statement, parameters, headers) {
  const format = headers['x-clickhouse-format'] ?? parameters.get('default_format') ?? 'TabSeparated';
  const database = headers['x-clickhouse-database'] ?? parameters.get('database') ?? DATABASE;
  const bound = Object.fromEntries([...parameters].flatMap(([name, value]) => (name.startsWith('param_') ? [[name.slice('param_'.length), value]] : [])));
  const settings = [...parameters].filter(([name]) => !OWN.has(name) && /^(?!param_)[a-z]\w*$/.test(name));
  const plain = settings.length === 0 && database === DATABASE && !/^\s*(USE|SET)\b/i.test(statement);
  const session = plain ? (idle.pop() ?? (await inDatabase(connect()))) : connect();
  let usable = false;
  try {
    if (!plain) {
      await session.queryAsync(`USE \`${database.replaceAll('`', '')}\``);
      for (const [name, value] of settings) await session.queryAsync(`SET ${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
    }
    const result = await (Object.keys(bound).length > 0 ? session.queryBindAsync(statement, bound, { format }) : session.queryAsync(statement, { format }));
    usable = plain;
    return Buffer.from(result.bytes());
  } catch (thrown) {
    // What a statement was refused for is no fault of the connection.
    usable = plain && thrown.clickhouseCode !== undefined;
    throw thrown;
  } finally {
    if (usable && idle.length < CONNECTIONS) idle.push(session);
    else session.close();
  }
}

/** The server's own status codes. https://github.com/ClickHouse/ClickHouse/blob/v25.8.1.5101-lts/src/Server/HTTP/exceptionCodeToHTTPStatus.cpp */
const STATUS = new Map([[60, 404], [81, 404], [159, 408], [241, 500], [62, 400], [47, 404], [46, 404], [36, 400], [27, 400], [6, 400], [53, 400], [456, 400]]);

function faultOf(thrown) {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = thrown.clickhouseCode ?? Number(/^Code: (\d+)/.exec(message)?.[1] ?? 1002);
  const said = message.startsWith('Code: ') ? message : `Code: ${code}. DB::Exception: ${message}`;
  return { status: STATUS.get(code) ?? 500, code, body: `${said.trim()}\n` };
}

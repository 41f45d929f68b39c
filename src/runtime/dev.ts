import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { textOf } from '../errors';
import type { SupervisedChild } from './child';
import { ADMIN_TOKEN_FILE, ENDPOINTS_FILE, type Home } from './home';
import { startParts, type Endpoints, type PartEvent, type PartName, type RunningParts } from './parts';
import { run } from './parts/tools';
import { planProcesses, type ProcessName } from './processes';
import { showProgress, type Progress } from './progress';
import { checkoutRoot } from './root';
import { killAll, listenForStop } from './signals';
import { startLog, type StartLog } from './start-log';
import { startTable } from './table';

const PARTS: readonly PartName[] = ['temporal', 'kafka', 'postgres', 's3', 'rabbitmq', 'registry', 'clickhouse'];
/** Where one of these cannot be had, something else does its work or it is left undone, and the table says so. */
const OPTIONAL_PARTS: readonly PartName[] = ['rabbitmq', 'registry', 'clickhouse'];
const PART_TITLES: Readonly<Partial<Record<PartName, string>>> = { temporal: 'Temporal', kafka: 'Kafka', postgres: 'PostgreSQL', s3: 'S3', rabbitmq: 'RabbitMQ', registry: 'Schema registry', clickhouse: 'ClickHouse' };
const MIGRATE_TIMEOUT_MS = 120_000;
/** All is stopped within 15 s of the signal; what is left by then is ended by force. */
const STOP_BY_MS = 13_000;
const PARTS_STOP_MIN_MS = 2_000;

export interface DevOptions {
  readonly env: NodeJS.ProcessEnv;
  /** The compiled folder, with workers/, workflow-bundle.js and src/cli/main.js. */
  readonly dist: string;
  /** Search attributes that Temporal registers, name to type. */
  readonly searchAttributes: Readonly<Record<string, string>>;
}

/** What was started so far, to be stopped in this order whatever happens. */
interface Started {
  parts?: RunningParts;
  children: SupervisedChild[];
}

/**
 * `npm start`: every part and every process, in the foreground, until a signal. Gives the exit code: 0
 * after a signal, however far it got; 1, with the reason said, when something could not be started.
 */
export async function runDev(options: DevOptions): Promise<number> {
  const begunAt = Date.now();
  const homeFolder = resolve(options.env.FAZENDA_HOME || join(checkoutRoot(), '.fazenda'));
  const signal = listenForStop(() => killAll(join(homeFolder, 'run')));
  keepTalkingToNobody();
  const started: Started = { children: [] };
  const log = startLog(homeFolder);
  let code = 0;
  try {
    await startAll(options, homeFolder, signal, started, begunAt, log);
    await new Promise<void>((stop) => signal.addEventListener('abort', () => stop(), { once: true }));
  } catch (thrown) {
    if (!signal.aborted) {
      console.error(`\n${textOf(thrown)}`);
      log.fault(textOf(thrown));
      code = 1;
    }
  }
  console.log('\nStopping …');
  log.say('stopping');
  try {
    await stopAll(homeFolder, started);
    console.log('Stopped.');
    log.say('stopped');
  } catch (thrown) {
    console.error(textOf(thrown));
    code = 1;
  }
  return code;
}

async function startAll(options: DevOptions, homeFolder: string, signal: AbortSignal, started: Started, begunAt: number, log: StartLog): Promise<void> {
  let told: (event: PartEvent) => void = () => undefined;
  const off = { registry: options.env.SCHEMA_REGISTRY_URL === 'off', clickhouse: options.env.CLICKHOUSE_URL === 'off' };
  const names = PARTS.filter((name) => !Object.entries(off).some(([part, isOff]) => part === name && isOff));
  const partProgress = await showProgress(Object.fromEntries(names.map((name) => [name, PART_TITLES[name] ?? name])));
  told = (event) => track(partProgress, event);
  const giveUp = (): void => names.forEach((name) => partProgress.of(name).fail('given up'));
  const parts = await startParts({
    home: homeFolder, parts: names, optional: OPTIONAL_PARTS, env: options.env, searchAttributes: options.searchAttributes, signal,
    onEvent: (event) => {
      log.part(event);
      told(event);
    },
  }).catch((thrown: unknown) => {
    giveUp();
    throw thrown;
  }).finally(() => partProgress.finished);
  started.parts = parts;
  told = (event) => say(event.text);

  const env = { ...options.env, ...parts.env };
  const adminToken = options.env.FAZENDA_ADMIN_TOKEN || parts.home.secret(ADMIN_TOKEN_FILE);
  const planned = await planProcesses({ dist: options.dist, home: parts.home, ports: parts.ports, env, adminToken }, (event) => {
    log.process(event);
    say(event.text);
  });
  const rest = await showProgress({ migrate: 'Tables, topics, bucket', ...Object.fromEntries([...planned.children.keys()].map((name) => [name, name])) });
  try {
    rest.of('migrate').done(await migrate(options.dist, { ...env, FAZENDA_HOME: homeFolder }, signal));
    started.children = [...planned.children.values()];
    await startProcesses(planned.children, rest, signal);
  } catch (thrown) {
    for (const name of ['migrate', ...planned.children.keys()]) rest.of(name).fail('given up');
    throw thrown;
  } finally {
    await rest.finished;
  }
  signal.throwIfAborted();
  const endpoints = { ...parts.endpoints, api: planned.apiUrl, smtp: planned.smtpUrl, mailbox: planned.mailboxUrl };
  publish(parts.home, endpoints);
  const tookMs = Date.now() - begunAt;
  log.say('ready', { tookMs, api: planned.apiUrl });
  console.log(startTable({ endpoints, how: parts.how, missing: parts.missing, processes: [...planned.children.keys()], codecUrl: planned.codecUrl, adminToken: options.env.FAZENDA_ADMIN_TOKEN ? 'the one of FAZENDA_ADMIN_TOKEN' : adminToken, home: homeFolder, tookMs }));
}

/** Gives what is to be told of it: how the topics are written, which depends on the registry. */
async function migrate(dist: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const said = await run(process.execPath, ['--enable-source-maps', join(dist, 'src', 'cli', 'main.js'), 'migrate'], { env, signal, timeoutMs: MIGRATE_TIMEOUT_MS });
  return ['in place', ...said.split('\n').flatMap((line) => /^schemas: (.*)/.exec(line)?.[1] ?? [])].join('; ');
}

async function startProcesses(children: ReadonlyMap<ProcessName, SupervisedChild>, progress: Progress, signal: AbortSignal): Promise<void> {
  const results = await Promise.allSettled(
    [...children].map(async ([name, child]) => {
      await child.start(signal);
      progress.of(name).done(`process ${child.pid}`);
    }),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Whole, by rename, and only for its owner: it holds passwords. */
function publish(home: Home, endpoints: Endpoints): void {
  const fresh = home.path(`${ENDPOINTS_FILE}.new`);
  writeFileSync(fresh, `${JSON.stringify(endpoints, null, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, home.path(ENDPOINTS_FILE));
}

/** First nobody is told any more that it runs; then ours, that finish what they have in hand; then the parts they need for it. */
async function stopAll(homeFolder: string, { parts, children }: Started): Promise<void> {
  const by = Date.now() + STOP_BY_MS;
  rmSync(join(homeFolder, ENDPOINTS_FILE), { force: true });
  await Promise.all(children.map((child) => child.stop()));
  await parts?.stop(Math.max(by - Date.now(), PARTS_STOP_MIN_MS));
}

function track(progress: Progress, event: PartEvent): void {
  const line = progress.of(event.part);
  if (event.kind === 'ready') line.done(event.text);
  else if (event.kind === 'failed') line.fail(event.text);
  else if (event.kind === 'missing') line.done(`goes without: ${event.text}`);
  else line.step(event.text);
}

/** Whoever read our lines may leave, as `head` does: what runs goes on, and is stopped by a signal alone. */
function keepTalkingToNobody(): void {
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error').on('error', () => undefined);
}

function say(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)}  ${text}`);
}

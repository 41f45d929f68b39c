import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { FazendaError } from '../../src/errors';
import { fromCache } from '../../src/runtime/parts/cache';
import { run, which } from '../../src/runtime/parts/tools';
import { freePort } from './port-number';
import { until } from './until';

/** Time for a first fetch of Prometheus; give what asks for it as much. */
export const PROMETHEUS_TIMEOUT_MS = 5 * 60_000;

/** Prometheus' own programs. */
export interface PrometheusTools {
  readonly prometheus: string;
  readonly promtool: string;
}

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export const DEPLOY = resolve(__dirname, '../../deploy');

/** The rules as they lie in deploy/. */
export function alertRules(): Alert[] {
  const { groups } = parse(readFileSync(join(DEPLOY, 'prometheus', 'alerts.yml'), 'utf8')) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/**
 * Prometheus from PATH, else unpacked from Debian's package, which takes no rights and starts nothing. Where it cannot
 * be had, undefined, and the test says so and passes; in CI it fails.
 */
export async function prometheusTools(): Promise<PrometheusTools | undefined> {
  const [prometheus, promtool] = ['prometheus', 'promtool'].map((name) => which(name, process.env));
  if (prometheus !== undefined && promtool !== undefined) return { prometheus, promtool };
  try {
    const context = { env: process.env, signal: AbortSignal.timeout(PROMETHEUS_TIMEOUT_MS), say: () => undefined };
    const folder = await fromCache({ name: 'prometheus', version: 'debian', build: unpack }, context);
    const bin = join(folder, 'usr', 'bin');
    return { prometheus: join(bin, 'prometheus'), promtool: join(bin, 'promtool') };
  } catch (thrown) {
    if (!(thrown instanceof FazendaError) || process.env.CI === 'true') throw thrown;
    console.warn(`not tested: Prometheus cannot be had (apt-get install prometheus): ${thrown.message}`);
    return undefined;
  }
}

async function unpack(folder: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'fz-prometheus-'));
  const options = { cwd: work, timeoutMs: PROMETHEUS_TIMEOUT_MS };
  const download = () => run('apt-get', ['download', 'prometheus'], options);
  try {
    await download().catch(async () => {
      // A machine that has never looked knows of no packages.
      await run('apt-get', ['update'], options);
      await download();
    });
    const [file = ''] = readdirSync(work);
    await run('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ./usr/bin', 'sh', join(work, file), folder], options);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A Prometheus that watches one page, with the rules of deploy/. */
export interface WatchingPrometheus {
  /** What an expression says now: the labels and the value of each series. */
  ask(expression: string): Promise<{ readonly labels: Readonly<Record<string, string>>; readonly value: number }[]>;
  stop(): Promise<void>;
}

/** @param target host and port of an api */
export async function watchWith(tools: PrometheusTools, target: string): Promise<WatchingPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'fz-prometheus-'));
  const config = readFileSync(join(DEPLOY, 'prometheus', 'prometheus.yml'), 'utf8')
    .replace('127.0.0.1:3000', target).replaceAll(/_interval: 15s/g, '_interval: 2s').replace('scrape_timeout: 5s', 'scrape_timeout: 2s')
    .replace('[alerts.yml]', `[${join(DEPLOY, 'prometheus', 'alerts.yml')}]`);
  writeFileSync(join(folder, 'prometheus.yml'), config);
  writeFileSync(join(folder, 'token'), '');
  const at = `127.0.0.1:${await freePort()}`;
  const child = spawn(tools.prometheus, [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${at}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolveEnd) => child.once('exit', () => resolveEnd()));
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-4_000)));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`Prometheus ended: ${said}`);
    return await fetch(`http://${at}/-/ready`).then((answer) => answer.ok, () => false);
  }, 'Prometheus is ready');
  return {
    async ask(expression) {
      const answer = await fetch(`http://${at}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: expression }) });
      const { status, data } = (await answer.json()) as { status: string; data: { result: { metric: Record<string, string>; value: [number, string] }[] } };
      if (status !== 'success') throw new Error(`Prometheus does not understand ${expression}`);
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async stop() {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

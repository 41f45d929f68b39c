import { join } from 'node:path';
import { SupervisedChild, type ChildEvent, type ChildSpec } from './child';
import type { Home } from './home';
import { NODE_FLAGS } from './node-flags';
import type { PortBook } from './ports';

const READY_TIMEOUT_MS = 60_000;
/** They drain for 8 s; a second later they have had their time. */
export const PROCESS_STOP_TIMEOUT_MS = 9_000;

const API_PORT = 3000;
const GATEWAY_PORT = 3001;
const METRICS_PORT = 9464;
const MAILBOX_PORT = 8025;
const MAILBOX_SMTP_PORT = 1025;
const CODEC_SERVER_PORT = 8234;

/** fazenda's own processes, in the order they are shown. Each is `workers/<name>.js` of the compiled folder. */
export const PROCESS_NAMES = ['api', 'ingress', 'worker', 'agent', 'relay', 'gateway', 'dispatcher', 'notifier', 'analytics', 'windows', 'mailbox'] as const;
/** Those that run only where there is a ClickHouse. */
const ON_CLICKHOUSE: readonly ProcessName[] = ['analytics', 'windows'];
/** One that runs only where payloads are sealed: it opens them for Temporal's Web UI. */
const CODEC_SERVER = 'codec-server';
export type ProcessName = (typeof PROCESS_NAMES)[number] | typeof CODEC_SERVER;

export interface ProcessPlan {
  /** The compiled folder, with workers/ and workflow-bundle.js. */
  readonly dist: string;
  readonly home: Home;
  readonly ports: PortBook;
  /** The caller's environment with that of the parts. */
  readonly env: NodeJS.ProcessEnv;
  readonly adminToken: string;
}

/** Our processes, ready to be started, and where two of them listen. */
export interface PlannedProcesses {
  readonly children: ReadonlyMap<ProcessName, SupervisedChild>;
  readonly apiUrl: string;
  readonly gatewayUrl: string;
  /** Where letters are handed over. */
  readonly smtpUrl: string;
  /** Where they can be read; null where a real mail server takes them. */
  readonly mailboxUrl: string | null;
  /** The remote codec to name in Temporal's Web UI, its token in it; null where payloads are not sealed. */
  readonly codecUrl: string | null;
}

/** Claims the ports and lays down each process's environment; nothing is started yet. */
export async function planProcesses(plan: ProcessPlan, onEvent: (event: ChildEvent) => void): Promise<PlannedProcesses> {
  const { home, ports } = plan;
  const api = await ports.claim(Number(plan.env.PORT || API_PORT));
  const gateway = await ports.claim(Number(plan.env.GATEWAY_PORT || GATEWAY_PORT));
  const { names: always, smtpUrl, mailboxUrl, env: mail } = await planMail(plan);
  const codec = await planCodec(plan);
  const withClickHouse = Boolean(plan.env.CLICKHOUSE_URL) && plan.env.CLICKHOUSE_URL !== 'off';
  const names: readonly ProcessName[] = [...always.filter((name) => withClickHouse || !ON_CLICKHOUSE.includes(name)), ...(codec ? [CODEC_SERVER] as const : [])];
  const metrics = new Map<ProcessName, number>();
  for (const name of names) if (name !== 'api') metrics.set(name, await ports.claim(METRICS_PORT));
  const shared: NodeJS.ProcessEnv = {
    OBSERVABILITY__KAFKA_ENABLED: 'true',
    ...plan.env,
    ...mail,
    ...codec?.env,
    PORT: String(api),
    GATEWAY_PORT: String(gateway),
    GATEWAY_URL: `http://127.0.0.1:${gateway}`,
    METRICS_PEERS: [...metrics].map(([name, port]) => `${name}=127.0.0.1:${port}`).join(','),
    FAZENDA_HOME: home.folder,
    FAZENDA_READY_FILE: home.path('endpoints.json'),
    FAZENDA_ADMIN_TOKEN: plan.adminToken,
    WORKFLOW_BUNDLE: join(plan.dist, 'workflow-bundle.js'),
  };
  const specOf = (name: ProcessName): ChildSpec => {
    const logFile = home.path('logs', `${name}.log`);
    return {
      name,
      command: process.execPath,
      args: [...NODE_FLAGS, join(plan.dist, 'workers', `${name}.js`)],
      env: { ...shared, LOG_FILE: logFile, METRICS_PORT: String(metrics.get(name) ?? 0) },
      cwd: join(plan.dist, '..'),
      logFile,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: PROCESS_STOP_TIMEOUT_MS,
      readyTimeoutMs: READY_TIMEOUT_MS,
      ready: 'message',
    };
  };
  return {
    children: new Map(names.map((name) => [name, new SupervisedChild(specOf(name), home.path('run', `${name}.json`), onEvent)])),
    apiUrl: `http://127.0.0.1:${api}`,
    gatewayUrl: `http://127.0.0.1:${gateway}`,
    smtpUrl,
    mailboxUrl,
    codecUrl: codec?.url ?? null,
  };
}

async function planCodec({ env, home, ports }: ProcessPlan): Promise<{ url: string; env: NodeJS.ProcessEnv } | undefined> {
  if (!env.TEMPORAL_PAYLOAD_KEYS) return undefined;
  const port = await ports.claim(Number(env.CODEC_SERVER_PORT || CODEC_SERVER_PORT));
  const token = env.CODEC_SERVER_TOKEN || home.secret('codec-token');
  return { url: `http://localhost:${port}/${token}`, env: { CODEC_SERVER_PORT: String(port), CODEC_SERVER_TOKEN: token } };
}

/** A mailbox of ours takes the letters, unless the environment names a mail server. */
async function planMail({ env, ports }: ProcessPlan): Promise<Pick<PlannedProcesses, 'smtpUrl' | 'mailboxUrl'> & { names: readonly ProcessName[]; env: NodeJS.ProcessEnv }> {
  if (env.SMTP_URL) return { names: PROCESS_NAMES.filter((name) => name !== 'mailbox'), smtpUrl: env.SMTP_URL, mailboxUrl: null, env: {} };
  const smtp = await ports.claim(Number(env.MAILBOX_SMTP_PORT || MAILBOX_SMTP_PORT));
  const page = await ports.claim(Number(env.MAILBOX_PORT || MAILBOX_PORT));
  const smtpUrl = `smtp://127.0.0.1:${smtp}`;
  const settings = { SMTP_URL: smtpUrl, MAILBOX_SMTP_PORT: String(smtp), MAILBOX_PORT: String(page) };
  return { names: PROCESS_NAMES, smtpUrl, mailboxUrl: `http://127.0.0.1:${page}`, env: settings };
}

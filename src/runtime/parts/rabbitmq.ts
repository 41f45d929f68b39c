import { connect } from 'amqplib';
import { existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FazendaError } from '../../errors';
import { definePart, type PartContext, type PartFacts } from './part';
import { isExecutable, which } from './tools';

const USER = 'fazenda';
const PROBE_TIMEOUT_MS = 2_000;
const LEAST_TROUBLE = 'Install rabbitmq-server (Debian: apt-get install rabbitmq-server), or set AMQP_URL to one that runs.';

/**
 * RabbitMQ, which carries notifications. It comes from a package of the system or from Docker, never from here:
 * packages need root, and Kafka can stand in for it.
 */
export const rabbitmq = definePart({
  name: 'rabbitmq',
  title: 'RabbitMQ',
  ports: { amqp: 5672, distribution: 25672 },
  leastTrouble: LEAST_TROUBLE,

  external: (env) => (env.AMQP_URL ? factsOf(env.AMQP_URL) : undefined),

  find: (context) => {
    const path = findRabbitmq(context.env);
    return Promise.resolve(path === undefined ? undefined : { path, how: `path ${path}` });
  },

  build: () => Promise.reject(new FazendaError('FZ_PART_UNAVAILABLE', 'no package registry has it')),

  async prepare(context, tool, ports) {
    const folder = context.home.path('data', 'rabbitmq');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const config = join(folder, 'rabbitmq.conf');
    writeFileSync(config, settingsOf(context, ports.amqp), { mode: 0o600 });
    const plugins = join(folder, 'enabled_plugins');
    writeFileSync(plugins, '[].\n');
    return {
      command: tool.path,
      args: [],
      cwd: folder,
      env: {
        // Its cookie, and whatever else it keeps for a user, is this home's own.
        HOME: folder,
        RABBITMQ_CONF_ENV_FILE: '/dev/null',
        RABBITMQ_CONFIG_FILE: config,
        RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
        RABBITMQ_LOG_BASE: join(folder, 'log'),
        RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
        RABBITMQ_NODENAME: NODE,
        // The script then becomes the server itself, so that a signal has one address.
        RABBITMQ_ALLOW_INPUT: '1',
        RABBITMQ_SERVER_START_ARGS: erlangArguments(ports.distribution),
      },
      stopSignal: 'SIGTERM',
      ready: () => answers(urlOn(context, ports.amqp)),
    };
  },

  facts: (context, ports) => factsOf(urlOn(context, ports.amqp)),

  compose: (context, ports) => ({
    service: 'rabbitmq',
    env: { AMQP_PORT: String(ports.amqp), RABBITMQ_PASSWORD: passwordOf(context) },
    ready: () => answers(urlOn(context, ports.amqp)),
  }),
});

/** The name is part of its data, so it has nothing of the machine in it; it is never looked up by anyone else. */
const NODE = 'fazenda@localhost';

/**
 * RabbitMQ is a distributed Erlang node even when it is alone. Begun as one, with its port said outright, it needs
 * no epmd: a daemon that would listen on every address, be shared by all, and outlive whoever started it.
 * https://www.erlang.org/doc/apps/erts/erl_cmd.html (-start_epmd, -erl_epmd_port)
 */
function erlangArguments(port: number): string {
  return [
    '-noinput', `-sname ${NODE}`, '-start_epmd false', `-erl_epmd_port ${port}`,
    `-kernel inet_dist_listen_min ${port} -kernel inet_dist_listen_max ${port}`, '-kernel inet_dist_use_interface {127,0,0,1}',
  ].join(' ');
}

function settingsOf(context: PartContext, port: number): string {
  return [
    `listeners.tcp.1 = 127.0.0.1:${port}`, `default_user = ${USER}`, `default_pass = ${passwordOf(context)}`,
    'log.file = false', 'log.console = true', 'log.console.level = warning', '',
  ].join('\n');
}

function passwordOf(context: PartContext): string {
  return context.home.secret('rabbitmq-password');
}

/** The server's own script. What Debian and Red Hat put on PATH is a wrapper that changes user and folders. */
export function findRabbitmq(env: NodeJS.ProcessEnv): string | undefined {
  const onPath = which('rabbitmq-server', env);
  const real = onPath === undefined ? undefined : realpathSync(onPath);
  const wrapped = real === undefined || basename(real) === WRAPPER || dirname(real) === '/usr/sbin';
  return [...(wrapped ? packaged() : []), ...(wrapped || onPath === undefined ? [] : [onPath])].find(isExecutable);
}

const WRAPPER = 'rabbitmq-script-wrapper';
const PACKAGES = '/usr/lib/rabbitmq';

function packaged(): string[] {
  const versions = join(PACKAGES, 'lib');
  const folders = existsSync(versions) ? readdirSync(versions).map((name) => join(versions, name, 'sbin')) : [];
  return [join(PACKAGES, 'bin'), ...folders].map((folder) => join(folder, 'rabbitmq-server'));
}

function factsOf(url: string): PartFacts {
  return { endpoints: { amqp: url }, env: { AMQP_URL: url } };
}

function urlOn(context: PartContext, port: number): string {
  return `amqp://${USER}:${passwordOf(context)}@127.0.0.1:${port}`;
}

async function answers(url: string): Promise<boolean> {
  try {
    const connection = await connect(url, { timeout: PROBE_TIMEOUT_MS });
    connection.on('error', () => undefined); // It may go down again while it is being asked: then it is asked again.
    await connection.close();
    return true;
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  }
}

import { existsSync } from 'node:fs';
import { findRabbitmq } from '../../src/runtime/parts/rabbitmq';
import { run, which } from '../../src/runtime/parts/tools';
import { FazendaError } from '../../src/errors';

const INSTALL_TIMEOUT_MS = 10 * 60_000;
/** There where systemd runs services: it would start the server that we install, for everyone and on every address. */
const SERVICE_MANAGER = '/run/systemd/system';

/**
 * Sees to it that a real RabbitMQ is there for the tests, by Debian's packages where we may install any.
 * @returns why there is none, or undefined.
 */
export async function haveRabbitmq(say: (text: string) => void): Promise<string | undefined> {
  if (findRabbitmq(process.env) !== undefined) return undefined;
  const apt = which('apt-get', process.env);
  if (apt === undefined || process.getuid?.() !== 0 || existsSync(SERVICE_MANAGER)) return 'RabbitMQ is not installed; its tests need it: apt-get install rabbitmq-server';
  say('installing rabbitmq-server');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeoutMs: INSTALL_TIMEOUT_MS, onLine: say };
  try {
    await run(apt, ['update'], options);
    await run(apt, ['install', '-y', '--no-install-recommends', 'rabbitmq-server'], options);
  } catch (thrown) {
    if (thrown instanceof FazendaError) return thrown.message; // No mirror, no rights, no such package: it cannot be had here.
    throw thrown;
  }
  return findRabbitmq(process.env) === undefined ? 'rabbitmq-server was installed and is not there' : undefined;
}

/** The tests of a real RabbitMQ: where it cannot be had they say so and are skipped, and in CI they fail. */
export function whereRabbitmqIs(): typeof describe {
  if (findRabbitmq(process.env) !== undefined || process.env.CI === 'true') return describe;
  console.warn('skipped: RabbitMQ is not installed (apt-get install rabbitmq-server, as root)');
  return describe.skip as typeof describe;
}

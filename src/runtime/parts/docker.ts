import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { FazendaError } from '../../errors';
import { checkoutRoot } from '../root';
import type { InstallContext } from './part';
import { run, which } from './tools';

const ASK_TIMEOUT_MS = 5_000;
const UP_TIMEOUT_MS = 15 * 60_000;

/** True when a Docker engine answers and its Compose plugin is there. */
export async function dockerAnswers(context: InstallContext): Promise<boolean> {
  const docker = which('docker', context.env);
  if (docker === undefined) return false;
  try {
    const options = { env: context.env, signal: context.signal, timeoutMs: ASK_TIMEOUT_MS };
    await run(docker, ['version', '--format', '{{.Server.Version}}'], options);
    await run(docker, ['compose', 'version'], options);
    return true;
  } catch (thrown) {
    if (thrown instanceof FazendaError) return false; // A client without an engine: the next way is tried.
    throw thrown;
  }
}

/** One service of docker-compose.yml, in a project of this home's own, so that homes do not share data. */
export class ComposeService {
  private readonly base: string[];

  constructor(
    private readonly service: string,
    home: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {
    const project = `fazenda-${createHash('sha256').update(home).digest('hex').slice(0, 10)}`;
    this.base = ['compose', '--project-name', project, '--file', join(checkoutRoot(), 'docker-compose.yml')];
  }

  /** Fetches its image if need be and starts it; Docker itself starts it again when it dies. */
  async up(context: InstallContext): Promise<void> {
    const onLine = (line: string): void => context.say(line);
    await run('docker', [...this.base, 'up', '--detach', '--no-deps', this.service], { env: this.env, signal: context.signal, timeoutMs: UP_TIMEOUT_MS, onLine });
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    await run('docker', [...this.base, 'kill', '--signal', signal, this.service], { env: this.env });
  }

  async stop(stopTimeoutMs: number): Promise<void> {
    await run('docker', [...this.base, 'rm', '--stop', '--force', this.service], { env: this.env, timeoutMs: stopTimeoutMs });
  }
}

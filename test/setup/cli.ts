import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compiled } from './compiled';
import { openLiveStage, type LiveStage } from './live-stage';
import { realParts } from './stack';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The compiled command line, run as people and programs run it, beside the stores of a stage. */
export interface CliBench {
  readonly stage: LiveStage;
  /** An empty FAZENDA_HOME. */
  readonly home: string;
  /** What the commands find in the environment: where the stage's stores are. */
  readonly env: Readonly<Record<string, string>>;
  run(args: readonly string[], env?: Readonly<Record<string, string>>, onLine?: (line: string) => void): Promise<Outcome>;
  close(): Promise<void>;
}

export async function openCli(): Promise<CliBench> {
  const entry = join(await compiled(), 'src', 'cli', 'main.js');
  const home = mkdtempSync(join(tmpdir(), 'fazenda-cli-'));
  const stage = await openLiveStage();
  const stores = { DATABASE_URL: stage.config.DATABASE_URL.reveal(), KAFKA_TOPIC_PREFIX: stage.config.KAFKA_TOPIC_PREFIX };
  const preset = { ...(await realParts()), ...stores, FAZENDA_HOME: home };
  return {
    stage, home, env: preset,
    run: (args, env = preset, onLine = () => undefined) => new Promise((resolve) => {
      const child = execFile(process.execPath, [entry, ...args], { env: { PATH: process.env.PATH, ...env } }, (fault, out, err) => {
        resolve({ code: fault ? Number(fault.code) : 0, out, err });
      });
      child.stdout?.on('data', (text: string) => text.split('\n').forEach(onLine));
    }),
    async close() {
      await stage.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** What was printed for programs. */
export function json({ out }: Outcome): Record<string, unknown> {
  return JSON.parse(out) as Record<string, unknown>;
}

import { Argument, type Command } from 'commander';
import { domains } from '../../workflows/domains';
import { FazendaError } from '../errors';
import { openLog } from '../log';
import type { Progress, Rebuilt } from '../replay/rebuild';
import { configOf, KAFKA_VARIABLES, POSTGRES_VARIABLES } from './endpoints';
import { reachable } from './reach';
import { act, type Voice } from './voice';

const LINE_EVERY_MS = 2_000;
/** One that rebuilds, one that puts rows right, and one for whatever has to be looked up. */
const CONNECTIONS = 3;
const NAMED_MAX = 10;

/** `rebuild [domain]`: makes the views again from the topics. The system may run, and nobody finds a view empty. */
export function rebuildCommand(program: Command): void {
  const command = program
    .command('rebuild')
    .description('make the views again from the topics, while everything runs; exit code 1 if a story could not be told')
    .addArgument(new Argument('[domain]', 'one domain; by default all of them').choices(domains.map(({ name }) => name)));
  act(command, async (voice) => {
    const wanted = domains.filter(({ name }) => command.args[0] === undefined || name === command.args[0]);
    configOf(POSTGRES_VARIABLES);
    const config = configOf(KAFKA_VARIABLES);
    if (!(await reachable(config.KAFKA_BROKERS))) throw new FazendaError('FZ_KAFKA_AWAY', `no broker answers at ${config.KAFKA_BROKERS.join(', ')}`);
    const { openPool } = await import('../facts/postgres.js');
    const { openCodec } = await import('../kafka/codec.js');
    const { rebuildView } = await import('../replay/rebuild.js');
    const db = openPool(config, 'rebuild', CONNECTIONS);
    try {
      const deps = { config, log: openLog({ ...config, LOG_LEVEL: 'silent' }, 'rebuild'), db, codec: openCodec(config, db) };
      const done: Rebuilt[] = [];
      for (const domain of wanted) {
        const rebuilt = await rebuildView(deps, domain, teller(voice, domain.view.table));
        for (const line of linesOf(rebuilt)) voice.line(line);
        done.push(rebuilt);
      }
      voice.result({ views: done });
      return done.some(({ untellable }) => untellable.length > 0) ? 1 : 0;
    } finally {
      await db.end();
    }
  });
}

/** A line now and then, and not one for every handful. */
function teller(voice: Voice, table: string): (progress: Progress) => void {
  let saidAt = Date.now();
  return ({ doing, done, total }) => {
    if (Date.now() - saidAt < LINE_EVERY_MS) return;
    saidAt = Date.now();
    voice.line(`${table}: ${doing}, ${done}${total === undefined ? '' : ` of ${total} records`}`);
  };
}

function linesOf({ table, records, stories, added, corrected, removed, ahead, untellable }: Rebuilt): string[] {
  const more = untellable.length > NAMED_MAX ? ` and ${untellable.length - NAMED_MAX} more` : '';
  return [
    `${table}: ${stories} stories of ${records} records; ${added} rows added, ${corrected} corrected, ${removed} removed`,
    ...(ahead > 0 ? [`${table}: ${ahead} rows stay as they are: their facts are stored and not on the topics, see npx fazenda audit`] : []),
    ...(untellable.length > 0 ? [`${table}: not told whole, and left as they are: ${untellable.slice(0, NAMED_MAX).join(', ')}${more}`] : []),
  ];
}

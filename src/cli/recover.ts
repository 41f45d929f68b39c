import { Argument, type Command } from 'commander';
import type { AuditDeps } from '../audit/look';
import { kindsOfBooks } from '../recover/books';
import { withTellers } from './tellers';
import { act, type Voice } from './voice';

const NAMED_MAX = 20;
const CONNECT_MS = 10_000;

/** `recover <store>`: makes one store again from the others, after it was lost. */
export function recoverCommand(program: Command): void {
  const command = program
    .command('recover')
    .description('make a store again from the others after it was lost; nothing is acted again, and no fact changes')
    .addArgument(new Argument('<store>', 'which one was lost').choices(['temporal', 'postgres', 'kafka']))
    .option('--all', 'kafka: fill every topic, also those that hold something');
  act(command, async (voice) => {
    const [store] = command.args;
    return await withTellers(async (deps) => {
      if (store === 'temporal') return await recoverTemporal(voice, deps);
      if (store === 'postgres') return await recoverPostgres(voice, deps);
      return await recoverKafka(voice, deps, Boolean(command.opts().all));
    }, store === 'temporal');
  });
}

async function recoverTemporal(voice: Voice, deps: AuditDeps): Promise<number> {
  const { recoverTemporal: recover } = await import('../recover/temporal.js');
  const done = await recover({ ...deps, onProgress: (text) => voice.line(`… ${text}`) });
  voice.line(`namespace ${done.namespace}: ${done.made ? 'made' : 'was there'}`);
  for (const name of Object.keys(done.started)) voice.line(`${name}: ${done.started[name] ?? 0} stories started from their facts, ${done.carried[name] ?? 0} were carried already`);
  voice.result(done, 'What is over stays over; what is not goes on.');
  return 0;
}

async function recoverPostgres(voice: Voice, deps: AuditDeps): Promise<number> {
  const { migrate } = await import('../facts/migrate.js');
  const { recoverPostgres: recover } = await import('../recover/postgres.js');
  await migrate(deps.db);
  const done = await recover({ ...deps, onProgress: (text) => voice.line(`… ${text}`) });
  for (const [name, count] of Object.entries(done.aggregates)) voice.line(`${name}: the topics tell of ${count}`);
  voice.line(`${done.facts} facts stored again, ${done.fromRequests} of them first facts made of the requests that asked for them`);
  voice.line(`${done.mail} commands to stories that are not over kept again; made again from facts as well: ${kindsOfBooks().join(', ')}`);
  voice.line(`${done.perhapsSent} letters count as perhaps sent and will not be sent: nobody knows which of them were (table notifications)`);
  for (const { aggregate, id, version } of done.gaps.slice(0, NAMED_MAX)) voice.line(`GAP  ${aggregate} ${id}: version ${version} is nowhere, or cannot follow; nothing from it on was stored`);
  if (done.gaps.length > NAMED_MAX) voice.line(`     and ${done.gaps.length - NAMED_MAX} more (--json has them all)`);
  for (const said of done.said.slice(0, NAMED_MAX)) voice.line(`LOOK ${said}`);
  for (const [table, count] of Object.entries(done.onlyInPostgres)) voice.line(`BACKUP ${table}: ${count} rows now; they are told on no topic, restore the table from a backup before stories go on`);
  voice.line('Not known any more: answers kept for Idempotency-Keys, and commands by PATCH that no story had heeded yet.');
  voice.line('What stories had told and no topic had got is told again by their runs, where Temporal still has them.');
  const unfinished = Object.entries(done.unfinished).map(([name, count]) => `${name} ${count}`).join(', ');
  voice.result(done, `Not over: ${unfinished}. They go on by the sweeper, or at once: npx fazenda recover temporal.`);
  return done.gaps.length > 0 || done.said.length > 0 ? 1 : 0;
}

async function recoverKafka(voice: Voice, deps: AuditDeps, all: boolean): Promise<number> {
  const { openProducer } = await import('../kafka/producer.js');
  const { recoverKafka: recover } = await import('../recover/kafka.js');
  const producer = openProducer(deps.config, deps.log, { sendTimeoutMs: 60_000 });
  producer.start();
  try {
    for (const until = Date.now() + CONNECT_MS; !producer.connected && Date.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 50));
    const done = await recover({ ...deps, producer, onProgress: (text) => voice.line(`… ${text}`) }, all);
    voice.line(`${done.made.length} topics made, ${done.filled.length} filled: ${done.filled.join(', ') || 'none'}`);
    voice.line(`${done.facts} facts put on them again, same ids, same bytes; ${done.requests} accepted requests asked for again`);
    voice.line('Not known any more: records of others that no door had taken in, cancels among them, and dead letters.');
    voice.result(done, 'Processes that read a topic while it was away may have to be started again.');
    return 0;
  } finally {
    await producer.stop();
  }
}

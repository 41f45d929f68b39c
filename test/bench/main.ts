import './steps/install';
import { Command, InvalidArgumentError } from 'commander';
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { textOf } from '../../src/errors';
import { listenForStop } from '../../src/runtime/signals';
import { ENTRANTS, knows, type EntrantName } from './entrants';
import { JOBS } from './jobs';
import { nameOf, type Load } from './load';
import { runCase, type Case } from './run-case';
import { tableOf, type Round } from './report';

const whole = (text: string): number => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new InvalidArgumentError('It takes a whole number.');
  return number;
};
const wholes = (text: string): number[] => (text === '' ? [] : text.split(',').map(whole));
const namesOf = <Name extends string>(known: readonly Name[]) => (text: string): Name[] =>
  text.split(',').map((word) => {
    const name = known.find((one) => one === word);
    if (name === undefined) throw new InvalidArgumentError(`It takes some of ${known.join(',')}.`);
    return name;
  });
const jobs = Object.values(JOBS).map(({ name }) => name);

interface Options {
  readonly entrants: EntrantName[]; readonly jobs: typeof jobs; readonly rounds: number; readonly burst: number; readonly rates: number[];
  readonly seconds: number; readonly aloneMost: number; readonly naiveMost: number; readonly kills: boolean; readonly warmUp: number;
  readonly laneSize: number; readonly bareLaneSize: number; readonly lanesOpen: number; readonly json?: string; readonly profile?: string;
}

const program = new Command('npm run bench --')
  .description('The same work by fazenda in lanes, by fazenda with a workflow each, by a naive bridge, and by bare lanes without the product: speed, CPU and exact counts. Builds the Temporal server at its first start.')
  .option('--entrants <list>', ENTRANTS.join(','), namesOf(ENTRANTS), [...ENTRANTS])
  .option('--jobs <list>', jobs.join(','), namesOf(jobs), jobs)
  .option('--rounds <n>', 'each case so often, entrants taking turns; medians are shown', whole, 3)
  .option('--burst <n>', 'pieces of work at once; 0: no burst', whole, 10_000)
  .option('--rates <list>', 'paced runs, pieces of work a second', wholes, [20, 400])
  .option('--seconds <n>', 'how long a paced run puts work in', whole, 60)
  .option('--alone-most <n>', 'pieces of work that `alone` gets at most, as it is slower', whole, 5_000)
  .option('--naive-most <n>', 'pieces of work that `naive` gets at most, as it is slower', whole, 1_000)
  .option('--kills', 'kill -9 of all of an entrant\'s processes at one and at two thirds', false)
  .option('--warm-up <n>', 'pieces of work before those that are measured, as many as the entrant gets at most', whole, 2_000)
  .option('--lane-size <n>', 'stories that share a lane at most, where their domain has no lower limit', whole, 1_000)
  .option('--bare-lane-size <n>', 'the same of `bare`; a hundred is what the prototype had', whole, 100)
  .option('--lanes-open <n>', 'lanes open at a time', whole, 4)
  .option('--json <file>', 'every round, as JSON')
  .option('--profile <folder>', 'a CPU profile of each process of the entrants');

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const signal = listenForStop(() => undefined);
  const rounds: Round[] = [];
  if (options.profile) mkdirSync(options.profile, { recursive: true });
  const caseOptions = {
    laneSizeMax: options.laneSize, bareLaneSizeMax: options.bareLaneSize, lanesOpenMax: options.lanesOpen,
    ...(options.profile && { profileFolder: resolve(options.profile) }),
  };
  const most = mostOf(options);
  for (const one of casesOf(options, most)) {
    signal.throwIfAborted();
    const said = `${one.job} · ${nameOf(one.load)} · ${one.entrant} · ${one.load.count}${one.kills ? ' · kill -9' : ''}`;
    process.stderr.write(`${said}\n`);
    const result = await runCase(one, { ...caseOptions, warmUp: Math.min(options.warmUp, most[one.entrant]) }, process.env, (text) => process.stderr.write(`  ${text}\n`), signal);
    rounds.push({ case: one, result });
    process.stderr.write(`  ${JSON.stringify(result)}\n`);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(rounds, null, 1)}\n`);
  }
  process.stdout.write(`${tableOf(rounds)}\n`);
  process.exitCode = rounds.every(({ result }) => result.exact === result.of) ? 0 : 1;
}

function mostOf({ aloneMost, naiveMost }: Options): Record<EntrantName, number> {
  return { lanes: Infinity, alone: aloneMost, naive: naiveMost, bare: Infinity };
}

/** Entrants take turns within a load, A B C A B C, so that what the machine does besides hits all of them. */
function casesOf({ entrants, jobs: wanted, rounds, burst, rates, seconds, kills }: Options, most: Readonly<Record<EntrantName, number>>): Case[] {
  const loads = (entrant: EntrantName): Load[] => [
    ...(burst > 0 ? [{ kind: 'burst' as const, count: Math.min(burst, most[entrant]) }] : []),
    ...rates.map((perSecond) => ({ kind: 'paced' as const, perSecond, count: Math.min(perSecond * seconds, most[entrant]) })),
  ];
  const cases: Case[] = [];
  const loadCount = rates.length + (burst > 0 ? 1 : 0);
  for (const job of wanted) {
    for (let which = 0; which < loadCount; which += 1) {
      for (let round = 0; round < rounds; round += 1) {
        for (const entrant of entrants.filter((one) => knows(one, job))) {
          const load = loads(entrant)[which];
          if (load) cases.push({ entrant, job, load, kills });
        }
      }
    }
  }
  return cases;
}

main().catch((thrown: unknown) => {
  process.stderr.write(`${textOf(thrown)}\n`);
  process.exitCode = 1;
});

import type { Pool } from 'pg';
import { fold } from '../../workflows/kernel/lifecycle';
import { enterInBooks } from '../recover/books';
import { gather } from '../recover/gather';
import { restoreStories } from '../recover/restore';
import { storiesOf, withoutGap } from '../recover/stored';
import { writeViews } from '../recover/views';
import type { StoredFact } from '../facts/read';
import { inTransaction } from '../facts/transaction';
import { openCodec } from '../kafka/codec';
import type { Producer } from '../kafka/port';
import { recordOfFact } from '../relay/publish';
import { loadFormats } from '../schemas/wire';
import type { ObjectStore } from '../storage/s3';
import { startOwnWorkflow } from '../temporal/start';
import { kindOf, type Difference, type Repair } from './kinds';
import type { AuditDeps } from './look';
import { SOURCES, type Source } from './sources';

export interface RepairDeps extends AuditDeps {
  readonly producer: Producer;
}

/** Objects that are copied to where they are missing are no larger than this. */
const OBJECT_BYTES_MAX = 64 * 1_048_576;

/**
 * Mends what one teller knows and another has lost, aggregate by aggregate. Of an aggregate of which two tellers
 * contradict each other nothing is touched, because a repair would spread what may be wrong.
 * @returns how many differences each kind of repair was tried for; audit again to see what is left.
 */
export async function repair(deps: RepairDeps, differences: readonly Difference[]): Promise<Readonly<Record<Repair, number>>> {
  const tried: Record<Repair, number> = { restore: 0, object: 0, publish: 0, view: 0, start: 0 };
  const doubtful = new Set(differences.filter(isContradiction).map(keyOf));
  for (const source of SOURCES) {
    const own = differences.filter((one) => one.aggregate === source.name && !doubtful.has(keyOf(one)));
    const of = (kind: Repair): Difference[] => own.filter((one) => kindOf(one.kind).repair === kind);
    const idsOf = (kind: Repair): string[] => [...new Set(of(kind).map(({ id }) => id))];
    for (const kind of Object.keys(tried) as Repair[]) tried[kind] += of(kind).length;
    // What is known is stored first, because everything else follows from it.
    if (of('restore').length > 0) await restore(deps, source, new Set(idsOf('restore')));
    await copyObjects(deps.store, source, [...(await storiesOf(deps.db, source.name, idsOf('object'))).values()].flat());
    await publish(deps, source, of('publish'));
    const { domain } = source;
    if (!domain) continue;
    if (of('view').length > 0) await inTransaction(deps.db, (tx) => writeViews(tx, domain, idsOf('view')));
    for (const stored of (await storiesOf(deps.db, source.name, idsOf('start'))).values()) {
      const facts = withoutGap(stored);
      // What was stored again may be the end of it.
      if (facts[0] && domain.lifecycle.phase(fold(domain.lifecycle, facts)) !== 'done') await startOwnWorkflow(deps.temporal, deps.config, domain, facts[0], false);
    }
  }
  return tried;
}

/** What Temporal says follows from the facts and contradicts nobody. */
function isContradiction({ kind }: Difference): boolean {
  const { repair: mends, tellers } = kindOf(kind);
  return mends === undefined && !tellers.includes('temporal');
}

function keyOf({ aggregate, id }: Difference): string {
  return `${aggregate}/${id}`;
}

async function restore({ config, log, db }: { config: RepairDeps['config']; log: RepairDeps['log']; db: Pool }, source: Source, ids: ReadonlySet<string>): Promise<void> {
  const { aggregates } = await gather(config, log, openCodec(config, db), (aggregate, id) => aggregate === source.name && ids.has(id));
  await inTransaction(db, async (tx) => {
    await restoreStories(tx, [...aggregates.values()]);
    await enterInBooks(tx, source, [...ids]);
  });
}

/** Puts facts on their topics, those of an aggregate in order; one that was never there counts as published after it. */
async function publish({ db, producer }: RepairDeps, { name }: Source, differences: readonly Difference[]): Promise<void> {
  if (differences.length === 0) return;
  const wanted = new Set(differences.map(({ id, version }) => `${version ?? 0} ${id}`));
  const facts = [...(await storiesOf(db, name, [...new Set(differences.map(({ id }) => id))])).values()].flat().filter(({ id, version }) => wanted.has(`${version} ${id}`));
  const formats = await loadFormats(db);
  await producer.send(facts.map((fact) => recordOfFact(fact, formats)));
  await db.query('UPDATE facts SET published_at = now() WHERE published_at IS NULL AND seq = ANY($1)', [facts.map(({ seq }) => seq)]);
}

/** Where two facts name objects of the same hash, and one of them is there, the other is made of it. */
async function copyObjects(store: ObjectStore, { domain }: Source, facts: readonly StoredFact[]): Promise<void> {
  const named = facts.flatMap((fact) => domain?.objects?.(fact) ?? []);
  for (const { uri, sha256 } of named) {
    const [, folder] = /^s3:\/\/[^/]+\/(.+)\/sha256\/[0-9a-f]{64}$/.exec(uri) ?? [];
    if (!folder || (await store.inspect(uri))) continue;
    for (const other of named) {
      if (other.uri === uri || other.sha256 !== sha256 || (await store.inspect(other.uri))?.sha256 !== sha256) continue;
      await store.putByHash(folder, await store.getByHash(other.uri, sha256, OBJECT_BYTES_MAX));
      break;
    }
  }
}

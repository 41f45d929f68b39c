import { setTimeout as sleep } from 'node:timers/promises';
import { SOURCES } from '../src/audit/sources';
import { compareObjects } from '../src/audit/told-objects';
import type { StoredFact } from '../src/facts/read';
import type { ObjectStore } from '../src/storage/s3';

/** The store is a stand-in: which of two answers comes first is not for a test to say of a real one. */
function storeThatAnswers(...afterMs: number[]): ObjectStore {
  const left = [...afterMs];
  return { inspect: () => sleep(left.shift() ?? 0, undefined) } as Partial<ObjectStore> as ObjectStore;
}

const content = SOURCES.find(({ name }) => name === 'content')!;
const fact = (version: number, type: string, data: object) => ({ id: 'task', version, type, data }) as StoredFact;
const FACTS = [
  fact(3, 'ContentGenerated', { contentUri: 's3://bucket/draft', sha256: 'a' }),
  fact(5, 'ContentStored', { uri: 's3://bucket/content', sha256: 'b', bytes: 1 }),
];

test.each([[1, 20], [20, 1]])('what is said of objects is in the order of their facts, whichever answer comes first: after %i and %i ms', async (...afterMs) => {
  const found = (await compareObjects(storeThatAnswers(...afterMs), content, FACTS)).get('task');
  expect(found?.map(({ kind, version }) => [kind, version])).toEqual([['object-missing', 3], ['object-missing', 5]]);
});

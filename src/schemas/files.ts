import { existsSync, readdirSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FazendaError } from '../errors';
import { checkoutRoot } from '../runtime/root';
import { breakOf } from './compatibility';
import { subjects, typeOf, type Subject } from './subjects';

/**
 * The schemas as they were published, one file a version: `<topic>-value.v<n>.avsc`. They are what a change of a
 * contract is held against, at the build and at every start, whether or not there is a registry.
 */
export interface PublishedSchema {
  readonly topic: string;
  readonly version: number;
  readonly text: string;
}

export function schemaFolder(): string {
  return join(checkoutRoot(), 'docs', 'schemas');
}

/** By topic, oldest first. */
export function publishedSchemas(folder = schemaFolder()): Map<string, PublishedSchema[]> {
  const byTopic = new Map<string, PublishedSchema[]>();
  if (!existsSync(folder)) return byTopic;
  const found = readdirSync(folder).flatMap((file): PublishedSchema[] => {
    const named = /^(.+)-value\.v(\d+)\.avsc$/.exec(file);
    return named?.[1] && named[2] ? [{ topic: named[1], version: Number(named[2]), text: readFileSync(join(folder, file), 'utf8') }] : [];
  });
  for (const one of found.toSorted((a, b) => a.version - b.version)) byTopic.set(one.topic, [...(byTopic.get(one.topic) ?? []), one]);
  return byTopic;
}

/**
 * Holds what the contracts say now against all that was ever published: the topics keep 90 days, and not only what
 * the last version wrote.
 * @returns the topics whose schema is not published yet
 * @throws FazendaError FZ_SCHEMA_BREAKS naming every field by which older records could not be read any more
 */
export function checkPublished(now: ReadonlyMap<string, Subject> = subjects(), folder = schemaFolder()): string[] {
  const published = publishedSchemas(folder);
  const breaks = [...now.values()].flatMap(({ topic, type }) =>
    (published.get(topic) ?? []).flatMap(({ version, text }) => {
      const found = breakOf(type, typeOf(text));
      return found === undefined ? [] : [`${topic} (against version ${version}): ${found}`];
    }));
  if (breaks.length > 0) throw new FazendaError('FZ_SCHEMA_BREAKS', breaks.join('; '));
  return [...now.values()].filter(({ topic, text }) => !isSame(published.get(topic)?.at(-1)?.text, text)).map(({ topic }) => topic);
}

/** Publishes what is not yet; gives the files. @throws FazendaError FZ_SCHEMA_BREAKS: then nothing is written */
export function publishSchemas(now: ReadonlyMap<string, Subject> = subjects(), folder = schemaFolder()): string[] {
  const published = publishedSchemas(folder);
  mkdirSync(folder, { recursive: true });
  return checkPublished(now, folder).map((topic) => {
    const file = join(folder, `${topic}-value.v${(published.get(topic)?.at(-1)?.version ?? 0) + 1}.avsc`);
    writeFileSync(file, `${JSON.stringify(JSON.parse(now.get(topic)?.text ?? ''), null, 2)}\n`);
    return file;
  });
}

function isSame(text: string | undefined, other: string): boolean {
  return text !== undefined && JSON.stringify(JSON.parse(text)) === other;
}

import { z } from 'zod';
import type { Queryable } from '../src/facts/postgres';
import { contentLifecycle, type ContentFacts } from '../workflows/content/lifecycle';
import { rule, type Rule } from '../workflows/content/templates';
import type { Variables } from './model/port';

/** What an effect has to know about its task that no workflow carries along. */
export interface Task {
  readonly id: string;
  /** Undefined where fact 1 is not there: a database restored to an earlier day, until it is refilled. */
  readonly variables: Variables | undefined;
  /** Undefined where no such template is. */
  readonly template: { readonly prompt: string; readonly rules: readonly Rule[] } | undefined;
}

interface TaskRow {
  id: string;
  created: ContentFacts['TaskCreated'] | null;
  prompt: string | null;
  rules: unknown;
}

/** Looks up tasks and their templates, all in one statement; by task id. */
export async function tasksOf(
  db: Queryable, wanted: readonly { readonly id: string; readonly templateId: string }[],
): Promise<ReadonlyMap<string, Task>> {
  const asked = wanted.map(({ id, templateId }) => ({ id, template_id: templateId }));
  const { rows } = await db.query<TaskRow>(
    `SELECT w.id, f.payload AS created, t.prompt, t.rules
     FROM json_to_recordset($2::json) AS w(id text, template_id uuid)
     LEFT JOIN facts f ON f.aggregate_type = $1 AND f.aggregate_id = w.id AND f.version = 1
     LEFT JOIN templates t ON t.id = w.template_id`,
    [contentLifecycle.domain, JSON.stringify(asked)],
  );
  return new Map(
    rows.map(({ id, created, prompt, rules }) => [
      id,
      {
        id,
        variables: created ? (created.variables ?? {}) : undefined,
        template: prompt === null ? undefined : { prompt, rules: z.array(rule).parse(rules) },
      },
    ]),
  );
}

import type { Queryable } from '../facts/postgres';
import { parseTraceparent, type TraceContext } from './trace-context';

/** What is known of a story's beginning. */
export interface StoryTrace {
  /** Undefined where whoever began it sent no trace along. */
  readonly trace: TraceContext | undefined;
  /** When it began, ms since 1970: the time of its first fact; of a fact that a stranger wrote, when it came in. */
  readonly beganMs: number;
}

/** Stories that are remembered; each is a few hundred bytes. */
const KEPT_MAX = 10_000;

interface Row { id: string; traceparent: string | null; began: Date }

/** The traces of stories, which their first facts keep. Asked only where spans are recorded. */
export class StoryTraces {
  private readonly known = new Map<string, StoryTrace>();

  constructor(private readonly db: Queryable) {}

  /** By id; one that has no first fact is missing, and so is everyone while PostgreSQL is away: nothing waits for a trace. */
  async of(domain: string, ids: readonly string[]): Promise<ReadonlyMap<string, StoryTrace>> {
    const found = new Map<string, StoryTrace>();
    const missing = new Set<string>();
    for (const id of ids) {
      const known = this.known.get(`${domain}/${id}`);
      if (known) found.set(id, known);
      else missing.add(id);
    }
    if (missing.size === 0) return found;
    for (const { id, traceparent, began } of await this.look(domain, [...missing])) {
      const story = { trace: parseTraceparent(traceparent), beganMs: began.getTime() };
      found.set(id, story);
      this.keep(`${domain}/${id}`, story);
    }
    return found;
  }

  private async look(domain: string, ids: readonly string[]): Promise<Row[]> {
    try {
      // A fact that came in on its own topic counts as published from the moment in which it was taken in.
      const { rows } = await this.db.query<Row>(
        `SELECT aggregate_id AS id, traceparent, CASE WHEN origin IS NULL THEN at ELSE COALESCE(published_at, at) END AS began
         FROM facts WHERE aggregate_type = $1 AND aggregate_id = ANY($2) AND version = 1`, [domain, ids]);
      return rows;
    } catch {
      return []; // Systemic, and said by the work itself, which needs the same database.
    }
  }

  private keep(key: string, story: StoryTrace): void {
    this.known.set(key, story);
    const [oldest] = this.known.keys();
    if (this.known.size > KEPT_MAX && oldest !== undefined) this.known.delete(oldest);
  }
}

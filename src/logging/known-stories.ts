import { domains } from '../../workflows/domains';
import type { Queryable } from '../facts/postgres';
import { storyIds, type StoryIds } from './story';

/** Stories that are remembered; each is a few hundred bytes. */
const KEPT_MAX = 10_000;

/** What a line says of the story that it is about. */
export interface AboutStory extends StoryIds {
  readonly domain: string;
  readonly aggregate_id: string;
}

/**
 * Whose story an aggregate is, for lines of those who were told nothing but its id. Asked only when something is said:
 * its first fact knows, and never changes.
 */
export class KnownStories {
  private readonly known = new Map<string, AboutStory>();

  constructor(private readonly db: Queryable) {}

  /** One for each id, in their order; without the ids of the request where PostgreSQL cannot say them now. */
  async of(domain: string, ids: readonly string[]): Promise<AboutStory[]> {
    const missing = [...new Set(ids)].filter((id) => !this.known.has(`${domain}/${id}`));
    if (missing.length > 0) await this.look(domain, missing);
    return ids.map((id) => this.known.get(`${domain}/${id}`) ?? { domain, aggregate_id: id });
  }

  /** The story whose own workflow is named so; undefined where it is a lane or somebody else's. */
  async ofWorkflow(name: unknown): Promise<AboutStory | undefined> {
    if (typeof name !== 'string') return undefined;
    const slash = name.indexOf('/');
    const domain = name.slice(0, Math.max(slash, 0));
    if (!domains.some((one) => one.name === domain)) return undefined;
    const [about] = await this.of(domain, [name.slice(slash + 1)]);
    return about;
  }

  private async look(domain: string, ids: readonly string[]): Promise<void> {
    try {
      const { rows } = await this.db.query<{ id: string; correlation_id: string; traceparent: string | null }>(
        'SELECT aggregate_id AS id, correlation_id, traceparent FROM facts WHERE aggregate_type = $1 AND aggregate_id = ANY($2) AND version = 1', [domain, ids]);
      for (const row of rows) this.keep({ domain, aggregate_id: row.id, ...storyIds({ correlationId: row.correlation_id, traceparent: row.traceparent }) });
    } catch {
      return; // Systemic, and said by the work itself, which needs the same database; a line waits for nobody.
    }
  }

  private keep(about: AboutStory): void {
    this.known.set(`${about.domain}/${about.aggregate_id}`, about);
    const [oldest] = this.known.keys();
    if (this.known.size > KEPT_MAX && oldest !== undefined) this.known.delete(oldest);
  }
}

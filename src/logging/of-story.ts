import type { LogLine } from './read';

/**
 * Which lines are about one story: those that name its id, and those that name the correlation id or the trace that a
 * line about it has named, whichever process wrote them.
 */
export class OfStory {
  private readonly correlations = new Set<string>();
  private readonly traces = new Set<string>();

  private readonly named: RegExp;

  constructor(private readonly id: string) {
    this.correlations.add(id);
    // The whole id, and no longer one that begins or ends like it.
    this.named = new RegExp(`(?<![\\w-])${id.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`);
  }

  /** Learns what the story goes by. Before any line is judged, so that the earlier ones are found too. */
  learn(lines: readonly LogLine[]): void {
    for (const { fields } of lines) {
      if (fields?.aggregate_id !== this.id && fields?.correlation_id !== this.id && fields?.trace_id !== this.id) continue;
      if (typeof fields.correlation_id === 'string') this.correlations.add(fields.correlation_id);
      if (typeof fields.trace_id === 'string') this.traces.add(fields.trace_id);
    }
  }

  is({ fields, text }: LogLine): boolean {
    return this.named.test(text) || this.correlations.has(String(fields?.correlation_id)) || this.traces.has(String(fields?.trace_id));
  }
}

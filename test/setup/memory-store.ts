import type { Fact } from '../../workflows/kernel/fact';
import type { FactStore } from '../../src/live/story';

/** Facts in memory, with faults on demand: a stand-in for Postgres where timing has to be exact. */
export class MemoryStore implements FactStore {
  readonly facts = new Map<string, Fact[]>();
  /** Calls of `from`, for counting. */
  loads = 0;
  /** While set, every load and look waits for it, and fails if it rejects. */
  gate: Promise<void> | undefined;

  put(id: string, ...facts: readonly Fact[]): void {
    this.facts.set(id, [...(this.facts.get(id) ?? []), ...facts]);
  }

  async from(_domain: string, id: string, version: number): Promise<Fact[]> {
    this.loads += 1;
    // What a statement sees is fixed when it begins.
    const seen = (this.facts.get(id) ?? []).filter((fact) => fact.version >= version);
    await this.gate;
    return seen;
  }

  async last(_domain: string, ids: readonly string[]): Promise<Map<string, number>> {
    await this.gate;
    return new Map(ids.flatMap((id) => (this.facts.has(id) ? [[id, this.facts.get(id)?.length ?? 0] as const] : [])));
  }
}

import type { PushedVersion } from '../path/pushes';

/** Stories whose pushes one gateway remembers; the one that was pushed longest ago is forgotten first. */
const STORIES_MAX = 10_000;
/** Versions of one story; a longer one is remembered by its latest. */
const VERSIONS_MAX = 100;

interface Counted {
  times: number;
  readonly firstMs: number;
  lastMs: number;
}

/**
 * Which versions this gateway has sent, how often and when: for whoever asks where a story has come. It is in memory
 * alone, and a gateway that begins anew remembers nothing.
 */
export class PushMemory {
  private readonly stories = new Map<string, Map<number, Counted>>();

  constructor(private readonly storiesMax = STORIES_MAX) {}

  note(domain: string, id: string, version: number): void {
    const key = `${domain}/${id}`;
    const versions = this.stories.get(key) ?? new Map<number, Counted>();
    // Put last again: who is at the front was pushed longest ago.
    this.stories.delete(key);
    this.stories.set(key, versions);
    const nowMs = Date.now();
    const known = versions.get(version);
    if (known) {
      known.times += 1;
      known.lastMs = nowMs;
    } else {
      versions.set(version, { times: 1, firstMs: nowMs, lastMs: nowMs });
      forgetFirst(versions, VERSIONS_MAX);
    }
    forgetFirst(this.stories, this.storiesMax);
  }

  of(domain: string, id: string): PushedVersion[] {
    const versions = [...(this.stories.get(`${domain}/${id}`) ?? [])].sort(([a], [b]) => a - b);
    return versions.map(([version, { times, firstMs, lastMs }]) => ({
      version, times, firstAt: new Date(firstMs).toISOString(), lastAt: new Date(lastMs).toISOString(),
    }));
  }
}

function forgetFirst(kept: Map<unknown, unknown>, most: number): void {
  if (kept.size <= most) return;
  const [first] = kept.keys();
  kept.delete(first);
}

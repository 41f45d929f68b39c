import type { FanOut, Hint, Listener } from './fanout';
import type { LiveLimits } from './limits';
import { Story, type FactStore, type Follower } from './story';

export interface HubDeps {
  readonly store: FactStore;
  readonly fanOut: FanOut;
  readonly limits: LiveLimits;
  /** Stores and networks that are away, for the log. */
  readonly onTrouble: (trouble: unknown) => void;
  /** Told of every version that is sent to a follower. */
  readonly pushed?: (domain: string, id: string, version: number) => void;
}

/**
 * All stories that are followed here, and who follows them. It knows no sockets. The order in which a
 * follower comes in is what keeps it from missing anything: first it is joined to the hints, then it is
 * told what is stored, so that whatever is stored after the look is hinted at.
 */
export class Hub implements Listener {
  private readonly stories = new Map<string, { readonly domain: string; readonly story: Story }>();
  private readonly timer: NodeJS.Timeout;
  private rechecking = false;
  private doubtful = false;
  private closed = false;

  constructor(private readonly deps: HubDeps) {
    deps.fanOut.listen(this);
    this.timer = setInterval(() => this.doubt(), deps.limits.recheckEveryMs).unref();
  }

  /** Sends every version after `follower.heard`, now and from now on. Returns how to stop it. */
  follow(domain: string, id: string, follower: Follower): () => void {
    const key = keyOf(domain, id);
    const { story } = this.stories.get(key) ?? this.begin(key, domain, id);
    story.follow(follower);
    story.refresh();
    return () => {
      story.unfollow(follower);
      if (!story.empty || this.stories.get(key)?.story !== story) return;
      story.end();
      this.stories.delete(key);
      this.deps.fanOut.leave(domain, id);
    };
  }

  hint({ domain, id, version }: Hint): void {
    this.stories.get(keyOf(domain, id))?.story.hint(version);
  }

  /** How many follow a story here. */
  followersOf(domain: string, id: string): number {
    return this.stories.get(keyOf(domain, id))?.story.followed ?? 0;
  }

  doubt(): void {
    this.doubtful = true;
    if (!this.rechecking) void this.recheck();
  }

  /** Ends all stories; what is being loaded for them is dropped. */
  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    for (const { story } of this.stories.values()) story.end();
    this.stories.clear();
  }

  private begin(key: string, domain: string, id: string): { domain: string; story: Story } {
    const story = new Story(domain, id, this.deps);
    const entry = { domain, story };
    this.stories.set(key, entry);
    const joining = this.deps.fanOut.join(domain, id);
    // Until the network has confirmed the join, a hint may have passed by: so it is looked up once more.
    if (joining) joining.then(() => story.refresh(), this.deps.onTrouble);
    return entry;
  }

  /** Looks all unfinished stories up in one statement a domain. A store that is away is asked at the next recheck. */
  private async recheck(): Promise<void> {
    this.rechecking = true;
    while (this.doubtful && !this.closed) {
      this.doubtful = false;
      for (const [domain, ids] of this.unfinished()) {
        try {
          for (const [id, version] of await this.deps.store.last(domain, ids)) this.hint({ domain, id, version });
        } catch (thrown) {
          this.deps.onTrouble(thrown);
        }
      }
    }
    this.rechecking = false;
  }

  private unfinished(): Map<string, string[]> {
    const ids = new Map<string, string[]>();
    for (const { domain, story } of this.stories.values()) {
      if (story.done) continue;
      const known = ids.get(domain);
      if (known) known.push(story.id);
      else ids.set(domain, [story.id]);
    }
    return ids;
  }
}

function keyOf(domain: string, id: string): string {
  return `${domain}/${id}`;
}

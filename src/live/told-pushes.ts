import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Pushes, PushedVersion } from '../path/pushes';
import type { Hub } from './hub';
import type { PushMemory } from './push-memory';
import type { LiveServer } from './socketio';

/** Where a gateway answers the api, which alone reaches it: `/pushes/<domain>/<id>`. */
export const PUSHES_PATH = '/pushes/';

/** What one gateway knows of a story. */
export interface OwnPushes {
  readonly following: number;
  readonly pushed: readonly PushedVersion[];
}

/** Answers what was pushed of a story, by this gateway and, where there are several, by all of them. */
export class ToldPushes {
  constructor(
    private readonly io: LiveServer,
    private readonly hub: Hub,
    private readonly memory: PushMemory,
    /** True where other gateways share the stories. */
    private readonly several: boolean,
  ) {
    io.on('pushes', (domain, id, answer) => answer(this.own(domain, id)));
  }

  /** Answers the request if it asks for pushes; false leaves it to others. */
  answer({ url = '', method }: IncomingMessage, response: ServerResponse): boolean {
    const [, domain, encoded] = /^\/pushes\/([\w-]+)\/([^/?]+)$/.exec(url) ?? [];
    const id = encoded === undefined ? undefined : decoded(encoded);
    if (method !== 'GET' || domain === undefined || id === undefined) return false;
    void this.all(domain, id).then((all) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(all)));
    return true;
  }

  private own(domain: string, id: string): OwnPushes {
    return { following: this.hub.followersOf(domain, id), pushed: this.memory.of(domain, id) };
  }

  private async all(domain: string, id: string): Promise<Pushes> {
    const own = this.own(domain, id);
    const others = this.several ? await this.others(domain, id) : [];
    return merged([own, ...others]);
  }

  private async others(domain: string, id: string): Promise<OwnPushes[]> {
    try {
      return await this.io.serverSideEmitWithAck('pushes', domain, id);
    } catch (thrown) {
      // One that has just gone is still waited for, and Redis may be away: those that answered are told with the fault.
      const responses = thrown instanceof Error && 'responses' in thrown ? thrown.responses : undefined;
      return Array.isArray(responses) ? (responses as OwnPushes[]) : [];
    }
  }
}

/** What several gateways know, as one: times are added, and of the instants the first and the last count. */
export function merged(all: readonly OwnPushes[]): Pushes {
  const versions = new Map<number, PushedVersion>();
  for (const one of all.flatMap(({ pushed }) => pushed)) {
    const known = versions.get(one.version) ?? { ...one, times: 0 };
    versions.set(one.version, {
      version: one.version,
      times: known.times + one.times,
      firstAt: known.firstAt < one.firstAt ? known.firstAt : one.firstAt,
      lastAt: known.lastAt > one.lastAt ? known.lastAt : one.lastAt,
    });
  }
  const following = all.reduce((sum, one) => sum + one.following, 0);
  return { gateways: all.length, following, pushed: [...versions.values()].sort((a, b) => a.version - b.version) };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (thrown) {
    if (thrown instanceof URIError) return undefined; // The asker's own fault: there is nothing at such a path.
    throw thrown;
  }
}

import type { PathLine } from './line';

/** What the gateways remember of one story's pushes: each version, how often it was sent, and when. */
export interface Pushes {
  /** Gateways that answered. */
  readonly gateways: number;
  /** How many follow it now. */
  readonly following: number;
  readonly pushed: readonly PushedVersion[];
}

export interface PushedVersion {
  readonly version: number;
  /** To how many, whoever came again counted again. */
  readonly times: number;
  /** ISO 8601 UTC. */
  readonly firstAt: string;
  readonly lastAt: string;
}

export function pushLines({ gateways, following, pushed }: Pushes): PathLine[] {
  const lines = pushed.map(({ version, times, firstAt, lastAt }): PathLine => {
    const often = times === 1 ? 'to 1 follower' : `to ${times} followers, last at ${lastAt}`;
    return { at: firstAt, teller: 'gateway', event: 'pushed', version, text: `${version} is pushed ${often}` };
  });
  const who = following === 0 ? 'nobody follows it now' : `${following} ${following === 1 ? 'follows' : 'follow'} it now`;
  const before = pushed.length === 0 ? ', and nobody did as far as the gateways remember' : '';
  const of = gateways > 1 ? `, of ${gateways} gateways` : '';
  return [...lines, { at: null, teller: 'gateway', event: 'following', text: `${who}${before}${of}` }];
}

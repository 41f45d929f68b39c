import type { IncomingMessage } from 'node:http';
import { openAuthenticator, tokenOf } from '../auth/authenticator';
import { absenceNamed } from '../api/database';
import { mayDo, type Caller } from '../auth/caller';
import { checkOwned } from '../auth/owners';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import type { Wish } from './wish';

/** The longest that a timer can wait, ms; whoever follows for longer than 24 days connects again. */
const TIMER_MS_MAX = 2_147_483_647;

/** Who may follow what. The gateway asks this itself, because it alone knows what a connection comes to follow. */
export interface LiveAccess {
  /** @throws FazendaError FZ_UNAUTHORIZED, FZ_FORBIDDEN, FZ_IDENTITY_AWAY */
  identify(token: string | undefined): Promise<Caller>;
  /** @throws FazendaError FZ_NOT_FOUND for a story of somebody else's, FZ_POSTGRES_AWAY */
  checkFollow(caller: Caller, wish: Wish): Promise<void>;
}

/** Undefined where nobody is asked who he is: on loopback, unless the setting says otherwise. */
export function openLiveAccess(config: Config, db: Queryable): LiveAccess | undefined {
  const { always, identify } = openAuthenticator(config);
  if (!always) return undefined;
  const named = absenceNamed(db);
  return {
    async identify(token) {
      const caller = await identify(token);
      if (!mayDo(caller, 'viewer')) throw new FazendaError('FZ_FORBIDDEN', 'the token gives no role', { bearer: 'insufficient_scope', scope: 'viewer' });
      return caller;
    },
    checkFollow: (caller, { domain, id }) => checkOwned(named, caller, domain, () => id),
  };
}

/** What a browser can send with a WebSocket instead of a header: a subprotocol `bearer.<token>` beside another one. */
const BEARER_PROTOCOL = 'bearer.';

/** The token of a handshake: of `Authorization`, else of its subprotocols. */
export function handshakeToken(request: IncomingMessage): string | undefined {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
  return tokenOf(request) ?? offered.find((one) => one.startsWith(BEARER_PROTOCOL))?.slice(BEARER_PROTOCOL.length);
}

/** The subprotocol that is answered with: never the token. */
export function answeredProtocol(offered: ReadonlySet<string>): string | false {
  return [...offered].find((one) => !one.startsWith(BEARER_PROTOCOL)) ?? false;
}

/** Calls `end` when the caller's token does; answers how to stop waiting for it. */
export function whenExpired({ expiresAt }: Caller, end: (fault: FazendaError) => void): () => void {
  if (expiresAt === undefined) return () => undefined;
  const expired = (): void => end(new FazendaError('FZ_UNAUTHORIZED', 'the token has expired', { bearer: 'invalid_token' }));
  const timer = setTimeout(expired, Math.min(Math.max(expiresAt - Date.now(), 0), TIMER_MS_MAX)).unref();
  return () => clearTimeout(timer);
}

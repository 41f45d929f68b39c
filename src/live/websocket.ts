import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import type { Caller } from '../auth/caller';
import { FazendaError, textOf } from '../errors';
import { answeredProtocol, handshakeToken, whenExpired, type LiveAccess } from './access';
import type { Hub } from './hub';
import type { LiveLimits } from './limits';
import { messageOf } from './message';
import { liveSteps } from './metrics';
import { wishOfUrl, type Wish } from './wish';

/** Close codes of RFC 6455 §7.4 and its registry: what a client sees besides the reason's FZ code. */
const CLOSE = { goingAway: 1001, badRequest: 1008, ourFault: 1011, tryAgainLater: 1013 } as const;

/** A close frame's reason has at most 123 bytes (RFC 6455 §5.5). */
const REASON_BYTES_MAX = 123;

export interface WebSocketDoorDeps {
  readonly hub: Hub;
  readonly limits: LiveLimits;
  /** True when this gateway holds as many connections as it may. */
  readonly full: () => boolean;
  /** Who may follow what; undefined where nobody is asked. */
  readonly access?: LiveAccess | undefined;
  /** Faults that nobody expected, for the log. */
  readonly onTrouble?: (trouble: unknown) => void;
}

/** Plain WebSockets, one story each, named by the path. */
export class WebSocketDoor {
  private readonly server: WebSocketServer;
  /** Clients that have not answered the last ping. */
  private readonly silent = new WeakSet<WebSocket>();
  private readonly heartbeat: NodeJS.Timeout;

  constructor(private readonly deps: WebSocketDoorDeps) {
    this.server = new WebSocketServer(optionsOf(deps.limits));
    this.heartbeat = setInterval(() => this.ping(), deps.limits.pingEveryMs).unref();
  }

  get connections(): number {
    return this.server.clients.size;
  }

  /** Takes the connection if its path is a story's; false leaves it to others. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const wish = attempt(() => wishOfUrl(request.url ?? ''));
    if (wish === undefined) return false;
    if (this.deps.access) void this.admit(this.deps.access, wish, request, socket, head);
    else this.accept(wish, request, socket, head);
    return true;
  }

  /** Takes the connection of a caller who may follow the story, and keeps it for as long as his token is good. */
  private async admit(access: LiveAccess, wish: Wish | FazendaError, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy()); // Gone before it was let in.
    try {
      const caller = await access.identify(handshakeToken(request));
      const refusal = wish instanceof FazendaError ? wish : await refusalOf(access.checkFollow(caller, wish));
      this.accept(refusal ?? wish, request, socket, head, caller);
    } catch (thrown) {
      if (!(thrown instanceof FazendaError)) this.deps.onTrouble?.(thrown);
      refuse(socket, thrown);
    }
  }

  private accept(wish: Wish | FazendaError, request: IncomingMessage, socket: Duplex, head: Buffer, caller?: Caller): void {
    const refusal = wish instanceof FazendaError ? wish : this.deps.full() ? tooMany() : undefined;
    // A browser shows no HTTP status of a refused handshake: so it is accepted, and closed with a reason.
    this.server.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate()); // Broken frames and oversized messages: the client's own fault.
      if (refusal) closeFor(client, refusal);
      else this.serve(client, wish as Wish);
      if (caller) client.on('close', whenExpired(caller, (fault) => closeFor(client, fault)));
    });
  }

  /** Says goodbye to all; who does not answer within `goodbyeMs` is cut off. */
  async close(): Promise<void> {
    clearInterval(this.heartbeat);
    for (const client of this.server.clients) client.close(CLOSE.goingAway, 'the gateway stops; connect again');
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(client: WebSocket, { domain, id, lastVersion }: Wish): void {
    const { hub, limits } = this.deps;
    const leave = hub.follow(domain.name, id, {
      heard: lastVersion,
      send: (step) => {
        if (client.readyState !== client.OPEN) return;
        liveSteps.inc({ domain: domain.name });
        client.send(JSON.stringify(messageOf(domain, id, step)));
        if (client.bufferedAmount > limits.sendBufferBytesMax) {
          closeFor(client, new FazendaError('FZ_CLIENT_SLOW', 'too much waits unsent'));
        }
      },
      fail: (fault) => closeFor(client, fault),
    });
    client.on('close', leave);
    client.on('pong', () => this.silent.delete(client));
  }

  /** Who has not answered the last ping is gone, whatever TCP believes. */
  private ping(): void {
    for (const client of this.server.clients) {
      if (this.silent.has(client)) client.terminate();
      else {
        this.silent.add(client);
        client.ping();
      }
    }
  }
}

/** `closeTimeout` is an option since ws 8.19 that its published types do not know yet. */
function optionsOf(limits: LiveLimits): ServerOptions & { closeTimeout: number } {
  return { noServer: true, maxPayload: limits.clientMessageBytesMax, perMessageDeflate: false, closeTimeout: limits.goodbyeMs, handleProtocols: answeredProtocol };
}

function tooMany(): FazendaError {
  return new FazendaError('FZ_SOCKETS_MAX', 'this gateway has all the connections that it may have');
}

function closeFor(client: WebSocket, fault: FazendaError): void {
  const { status, retryable } = fault.kind;
  const code = retryable ? CLOSE.tryAgainLater : status >= 500 ? CLOSE.ourFault : CLOSE.badRequest;
  let reason = fault.line;
  while (Buffer.byteLength(reason) > REASON_BYTES_MAX) reason = reason.slice(0, -1);
  client.close(code, reason);
}

/** The fault that a check ends in, where it is one of ours. */
async function refusalOf(check: Promise<void>): Promise<FazendaError | undefined> {
  try {
    await check;
  } catch (thrown) {
    if (thrown instanceof FazendaError) return thrown;
    throw thrown;
  }
  return undefined;
}

/** Who is not let in learns it by HTTP, as of any other path. */
function refuse(socket: Duplex, thrown: unknown): void {
  const { code, kind } = thrown instanceof FazendaError ? thrown : new FazendaError('FZ_INTERNAL', textOf(thrown));
  const challenge = kind.status === 401 ? 'www-authenticate: Bearer realm="fazenda"\r\n' : '';
  socket.end(`HTTP/1.1 ${kind.status} ${code}\r\n${challenge}connection: close\r\ncontent-length: 0\r\n\r\n`);
}

function attempt<Result>(work: () => Result): Result | FazendaError {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof FazendaError) return thrown;
    throw thrown;
  }
}

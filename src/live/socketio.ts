import type { Server as HttpServer } from 'node:http';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import { LOCAL, type Caller } from '../auth/caller';
import { FazendaError } from '../errors';
import { handshakeToken, whenExpired, type LiveAccess } from './access';
import type { Hub } from './hub';
import type { LiveLimits } from './limits';
import { messageOf, type LiveMessage } from './message';
import { liveSteps } from './metrics';
import type { OwnPushes } from './told-pushes';
import { holdsWish, roomOf, wishOfMessage } from './wish';

interface ToServer {
  subscribe(wish: unknown, answer?: unknown): void;
  unsubscribe(wish: unknown, answer?: unknown): void;
}

/** What went wrong with a subscription; the connection stays. */
export interface LiveProblem {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

interface ToClient {
  status(message: LiveMessage): void;
  error(problem: LiveProblem): void;
}

/** What is known of a connection. */
interface Known {
  caller?: Caller;
}

/** What gateways ask each other. */
interface Between {
  pushes(domain: string, id: string, answer: (own: OwnPushes) => void): void;
}

export type LiveServer = Server<ToServer, ToClient, Between, Known>;
type LiveSocket = Socket<ToServer, ToClient, Between, Known>;

export interface SocketIoDeps {
  readonly hub: Hub;
  readonly limits: LiveLimits;
  /** True when this gateway holds as many connections as it may. */
  readonly full: () => boolean;
  /** Who may follow what; undefined where nobody is asked. */
  readonly access?: LiveAccess | undefined;
  /** Makes rooms span several gateways. */
  readonly adapter?: ServerOptions['adapter'];
}

/** Socket.IO at its usual path, namespace `/`: any number of stories over one connection. */
export function openSocketIo(http: HttpServer, { hub, limits, full, access, adapter }: SocketIoDeps): LiveServer {
  const io: LiveServer = new Server(http, {
    serveClient: false,
    maxHttpBufferSize: limits.clientMessageBytesMax,
    pingInterval: limits.pingEveryMs,
    pingTimeout: limits.pingEveryMs,
    connectTimeout: limits.goodbyeMs,
    // Other upgrades on this server belong to the plain WebSockets.
    destroyUpgrade: false,
    ...(adapter && { adapter }),
  });
  io.use((_socket, next) => {
    if (!full()) return next();
    return next(refusal(new FazendaError('FZ_SOCKETS_MAX', 'this gateway has all the connections that it may have')));
  });
  if (access) io.use((socket, next) => void identify(access, socket).then(() => next(), (thrown: unknown) => next(refusal(thrown))));
  io.on('connection', (socket) => {
    const followings = new Followings(socket, hub, limits, access);
    socket.on('subscribe', (wish, answer) => followings.subscribe(wish, answer));
    socket.on('unsubscribe', (wish, answer) => followings.unsubscribe(wish, answer));
    const stop = whenExpired(callerOf(socket), (fault) => followings.cutOff(fault));
    socket.on('disconnect', () => {
      stop();
      followings.end();
    });
    if (holdsWish(socket.handshake.auth)) followings.subscribe(socket.handshake.auth);
  });
  return io;
}

/** By the handshake's header, or by `token` in its `auth`, which is all that a browser can send. */
async function identify(access: LiveAccess, { handshake, request, data }: LiveSocket): Promise<void> {
  const { token }: { token?: unknown } = handshake.auth;
  data.caller = await access.identify(typeof token === 'string' ? token : handshakeToken(request));
}

function callerOf({ data }: LiveSocket): Caller {
  return data.caller ?? LOCAL;
}

/** As Socket.IO tells a client that it is not let in: by `connect_error`. */
function refusal(thrown: unknown): Error {
  const problem = problemOf(thrown instanceof FazendaError ? thrown : new FazendaError('FZ_INTERNAL', 'the connection cannot be judged', {}, thrown));
  return Object.assign(new Error(problem.code), { data: problem });
}

/** What one connection follows. Subscribing again to the same story starts over from the version it names. */
class Followings {
  private readonly leaves = new Map<string, () => void>();
  /** Packets handed to the connection and not yet to its transport. */
  private waiting = 0;

  constructor(
    private readonly socket: LiveSocket,
    private readonly hub: Hub,
    private readonly limits: LiveLimits,
    private readonly access: LiveAccess | undefined,
  ) {
    socket.conn.on('packetCreate', () => (this.waiting += 1));
    socket.conn.on('flush', (packets: readonly unknown[]) => (this.waiting = Math.max(0, this.waiting - packets.length)));
  }

  subscribe(given: unknown, answer?: unknown): void {
    const { access } = this;
    if (access) return void this.attemptLater(answer, () => access.checkFollow(callerOf(this.socket), wishOfMessage(given)), () => this.follow(given));
    this.attempt(answer, () => this.follow(given));
  }

  private follow(given: unknown): void {
    const wish = wishOfMessage(given);
    const { domain, id, lastVersion } = wish;
    const room = roomOf(wish);
    this.leaves.get(room)?.();
    this.leaves.delete(room);
    if (this.leaves.size >= this.limits.subscriptionsPerSocketMax) {
      throw new FazendaError('FZ_SUBSCRIPTIONS_MAX', `one connection follows at most ${this.limits.subscriptionsPerSocketMax} stories`);
    }
    void this.socket.join(room);
    const leave = this.hub.follow(domain.name, id, {
      heard: lastVersion,
      send: (step) => {
        liveSteps.inc({ domain: domain.name });
        this.socket.emit('status', messageOf(domain, id, step));
        if (this.waiting > this.limits.sendBufferPacketsMax) this.cutOff(new FazendaError('FZ_CLIENT_SLOW', 'too much waits unsent'));
      },
      fail: (fault) => {
        this.leave(room);
        this.socket.emit('error', problemOf(fault));
      },
    });
    this.leaves.set(room, leave);
  }

  unsubscribe(given: unknown, answer?: unknown): void {
    this.attempt(answer, () => this.leave(roomOf(wishOfMessage(given))));
  }

  end(): void {
    for (const leave of this.leaves.values()) leave();
    this.leaves.clear();
  }

  private leave(room: string): void {
    this.leaves.get(room)?.();
    this.leaves.delete(room);
    void this.socket.leave(room);
  }

  /** Ends the connection, and says why. */
  cutOff(fault: FazendaError): void {
    this.end();
    this.socket.emit('error', problemOf(fault));
    this.socket.disconnect(true);
  }

  /** Runs a client's request; what is wrong with it goes to the client, by event and to its callback. */
  private attempt(answer: unknown, work: () => void): void {
    const reply = typeof answer === 'function' ? (result: object) => void answer(result) : () => undefined;
    try {
      work();
      reply({ ok: true });
    } catch (thrown) {
      if (!(thrown instanceof FazendaError)) throw thrown;
      this.socket.emit('error', problemOf(thrown));
      reply({ ok: false, ...problemOf(thrown) });
    }
  }

  /** The same, once a check has passed and the connection is still there. */
  private async attemptLater(answer: unknown, check: () => Promise<void>, work: () => void): Promise<void> {
    const fault = await checked(check);
    if (!this.socket.connected) return;
    this.attempt(answer, () => {
      if (fault) throw fault;
      work();
    });
  }
}

async function checked(check: () => Promise<void>): Promise<FazendaError | undefined> {
  try {
    await check();
  } catch (thrown) {
    return thrown instanceof FazendaError ? thrown : new FazendaError('FZ_INTERNAL', 'the subscription cannot be judged', {}, thrown);
  }
  return undefined;
}

function problemOf({ code, message, kind }: FazendaError): LiveProblem {
  return { code, message, next: kind.next };
}

import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Express } from 'express';
import { openAuthenticator } from '../auth/authenticator';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { handshakeToken } from '../live/access';
import { SOCKET_IO, type GatewayProxy } from './gateway-proxy';

/** A request that has not arrived in full by then is given up, ms. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How long a stop lets answers finish, ms; below the process's own limit. */
const DRAIN_MS = 6_000;
const LOOK_FOR_IDLE_MS = 20;

export interface ApiServer {
  readonly port: number;
  /** Takes no more requests, lets those in hand finish, closes what is left. */
  stop(): Promise<void>;
}

/** Listens on HOST and PORT. Rejects with Node's own error where the port is taken. */
export async function listen(config: Config, app: Express, gateway: GatewayProxy): Promise<ApiServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, app);
  const live = new Set<Socket>();
  const { always, identify } = openAuthenticator(config);
  server.on('upgrade', (request, socket, head) => {
    const connection = socket as Socket;
    live.add(connection);
    connection.once('close', () => live.delete(connection));
    const goOn = (): void => void (gateway.upgrade(request, connection, head) || refuse(connection, '404 Not Found'));
    const token = handshakeToken(request);
    // A browser's Socket.IO shows its token in its first packet to the gateway, which asks everybody for one.
    if (!always || (token === undefined && SOCKET_IO.test(request.url ?? ''))) return goOn();
    identify(token).then(goOn, (fault: unknown) => refuse(connection, isAway(fault) ? '503 Service Unavailable' : '401 Unauthorized'));
  });
  server.on('clientError', (_fault, socket) => refuse(socket as Socket, '400 Bad Request'));

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(config.PORT, config.HOST, () => resolve());
  });
  return { port: (server.address() as AddressInfo).port, stop: () => drain(server, live) };
}

function isAway(fault: unknown): boolean {
  return fault instanceof FazendaError && fault.kind.status === 503;
}

/** For whom HTTP itself went wrong; there is no request to answer in full. */
function refuse(socket: Socket, status: string): void {
  if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  else socket.destroy();
}

async function drain(server: Server, live: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // Live connections have no end of their own; their clients come back with the last version they saw.
  for (const socket of live) socket.destroy();
  const force = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  // A connection whose answer was in hand just now is idle after it, and would be kept alive for seconds.
  const idle = setInterval(() => server.closeIdleConnections(), LOOK_FOR_IDLE_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(force);
}

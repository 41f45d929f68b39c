import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ServerOptions } from 'socket.io';
import type { LiveAccess } from './access';
import type { FanOut } from './fanout';
import { Hub } from './hub';
import { LIVE_LIMITS, type LiveLimits } from './limits';
import { PushMemory } from './push-memory';
import { openSocketIo, type LiveServer } from './socketio';
import type { FactStore } from './story';
import { ToldPushes } from './told-pushes';
import { WebSocketDoor } from './websocket';

export interface GatewayOptions {
  readonly store: FactStore;
  readonly fanOut: FanOut;
  /** 0 takes any free one. Always on loopback: strangers come through the api, which knows who they are. */
  readonly port: number;
  readonly limits?: Partial<LiveLimits>;
  /** Makes Socket.IO rooms span several gateways. */
  readonly adapter?: ServerOptions['adapter'];
  /** Who may follow what; undefined where nobody is asked who he is. */
  readonly access?: LiveAccess | undefined;
  /** Stores and networks that are away, for the log. */
  readonly onTrouble: (trouble: unknown) => void;
  /** Told of every version that is sent to a follower. */
  readonly onPushed?: (domain: string, id: string, version: number) => void;
}

export interface Gateway {
  readonly port: number;
  readonly io: LiveServer;
  /** Connections of both kinds. */
  readonly connections: number;
  close(): Promise<void>;
}

/** The live door: both kinds of sockets over one hub, on one port. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const limits = { ...LIVE_LIMITS, ...options.limits };
  const { store, fanOut, access, onTrouble, onPushed } = options;
  const memory = new PushMemory();
  const pushed = (domain: string, id: string, version: number): void => {
    memory.note(domain, id, version);
    onPushed?.(domain, id, version);
  };
  const hub = new Hub({ store, fanOut, limits, onTrouble, pushed });
  const http = createServer((request, response) => {
    if (told.answer(request, response)) return;
    const alive = request.url === '/livez';
    response.writeHead(alive ? 200 : 404, { 'content-type': 'text/plain' }).end(alive ? 'ok\n' : 'not found\n');
  });
  const connections = (): number => plain.connections + io.engine.clientsCount;
  // Socket.IO asks once the connection is counted, the plain door before.
  const io = openSocketIo(http, { hub, limits, full: () => connections() > limits.socketsMax, access, ...(options.adapter && { adapter: options.adapter }) });
  const told = new ToldPushes(io, hub, memory, options.adapter !== undefined);
  const plain = new WebSocketDoor({ hub, limits, full: () => connections() >= limits.socketsMax, access, onTrouble });
  http.on('upgrade', (request, socket, head) => {
    if (isSocketIo(request.url ?? '') || plain.upgrade(request, socket, head)) return;
    refuse(socket);
  });
  await listen(http, options.port);
  return {
    port: (http.address() as AddressInfo).port,
    io,
    get connections() {
      return connections();
    },
    async close() {
      await Promise.all([plain.close(), io.close()]); // Socket.IO closes the HTTP server with it.
      hub.close();
    },
  };
}

function isSocketIo(url: string): boolean {
  return url.startsWith('/socket.io/');
}

function refuse(socket: Duplex): void {
  socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
}

function listen(http: HttpServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', reject).listen(port, '127.0.0.1', () => {
      http.off('error', reject);
      resolve();
    });
  });
}

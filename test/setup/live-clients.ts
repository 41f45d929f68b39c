import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { until } from './until';

/** One message of live push, as it is on the wire. */
export type Heard = Readonly<Record<string, unknown>> & { version: number };

export interface Client {
  readonly heard: Heard[];
  /** Waits until this many messages came. */
  count(wanted: number): Promise<void>;
  close(): Promise<void>;
}

export interface PlainClient extends Client {
  readonly socket: WebSocket;
  /** How it was closed, once it was. */
  readonly closed: { code: number; reason: string } | undefined;
  whenClosed(): Promise<{ code: number; reason: string }>;
}

/** A plain WebSocket; resolves when it is open. */
export async function plainClient(url: string, { protocols = [], headers = {} }: { protocols?: string[]; headers?: Record<string, string> } = {}): Promise<PlainClient> {
  const socket = new WebSocket(url, protocols, { headers });
  const heard: Heard[] = [];
  let closed: { code: number; reason: string } | undefined;
  socket.on('message', (data: Buffer) => heard.push(JSON.parse(data.toString()) as Heard));
  socket.on('close', (code, reason) => (closed = { code, reason: reason.toString() }));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('error', () => undefined); // What follows from it is seen by `closed`.
  async function whenClosed(): Promise<{ code: number; reason: string }> {
    await until(() => closed !== undefined, 'the socket is closed');
    return closed ?? { code: 0, reason: '' };
  }
  return {
    socket, heard,
    get closed() {
      return closed;
    },
    whenClosed,
    count: (wanted) => until(() => heard.length >= wanted, `${wanted} messages came, not ${heard.length}`),
    async close() {
      socket.terminate();
      await whenClosed();
    },
  };
}

export interface IoClient extends Client {
  readonly socket: Socket;
  readonly errors: { code: string }[];
  subscribe(wish: object): Promise<{ ok: boolean; code?: string }>;
}

/** A Socket.IO client; resolves when it is connected. */
export async function ioClient(url: string, options: { auth?: object; polling?: boolean } = {}): Promise<IoClient> {
  const socket = io(url, { forceNew: true, reconnection: false, transports: [options.polling ? 'polling' : 'websocket'], ...(options.auth && { auth: { ...options.auth } }) });
  const heard: Heard[] = [];
  const errors: { code: string }[] = [];
  socket.on('status', (message: Heard) => heard.push(message));
  socket.on('error', (problem: { code: string }) => errors.push(problem));
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  return {
    socket, heard, errors,
    subscribe: (wish) => socket.emitWithAck('subscribe', wish) as Promise<{ ok: boolean; code?: string }>,
    count: (wanted) => until(() => heard.length >= wanted, `${wanted} messages came, not ${heard.length}`),
    async close() {
      socket.close();
    },
  };
}

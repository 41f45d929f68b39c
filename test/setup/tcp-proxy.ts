import { connect, createServer, type Server, type Socket } from 'node:net';

/** A wire that can be cut: what is behind it is away, for whoever was told this address. */
export interface TcpProxy {
  readonly port: number;
  /** Breaks every connection and refuses new ones. */
  cut(): Promise<void>;
  /** Takes connections again, on the same port. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** @param target `host:port` */
export async function tcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port: targetPort } = new URL(`tcp://${target}`);
  const open = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;

  async function mend(): Promise<void> {
    if (server) return;
    const listening = createServer((near) => {
      const far = connect(Number(targetPort), hostname);
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        open.add(socket);
        socket.on('error', () => other.destroy()); // A broken wire is what this is for; its ends see it.
        socket.on('close', () => {
          open.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    await new Promise<void>((resolve, reject) => listening.once('error', reject).listen(port, '127.0.0.1', resolve));
    const address = listening.address();
    if (address !== null && typeof address === 'object') port = address.port;
    server = listening;
  }

  async function cut(): Promise<void> {
    const closing = server;
    server = undefined;
    const closed = new Promise<void>((resolve) => (closing ? closing.close(() => resolve()) : resolve()));
    for (const socket of open) socket.destroy();
    await closed;
  }

  await mend();
  return { port, cut, mend, close: cut };
}

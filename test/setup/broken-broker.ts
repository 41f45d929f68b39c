import { createServer, type AddressInfo, type Socket } from 'node:net';

/** How a broker can be there and be none. */
export const BROKEN = ['refuses', 'closes', 'answers nonsense', 'says nothing'] as const;
export type Broken = (typeof BROKEN)[number];

/** An address where what should be a broker misbehaves; `refuses` is a port that nobody listens on. */
export async function brokenBroker(how: Broken): Promise<{ address: string; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined); // Whoever is hung up on may well complain.
    socket.on('close', () => open.delete(socket));
    if (how === 'closes') socket.destroy();
    if (how === 'answers nonsense') socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => new Promise<void>((resolve) => {
    server.close(() => resolve());
    for (const socket of open) socket.destroy();
  });
  if (how === 'refuses') await close();
  return { address, close: how === 'refuses' ? async () => undefined : close };
}

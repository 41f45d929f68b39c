import { createServer } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { isFree, PortBook } from '../src/runtime/ports';

const books: PortBook[] = [];
const book = (): PortBook => {
  const made = new PortBook();
  books.push(made);
  return made;
};

afterEach(() => books.splice(0).forEach((each) => each.release()));

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));

describe('a taken port moves to the next free one', () => {
  test.each(['127.0.0.1', '0.0.0.0', ...(hasIpv6 ? ['::1'] : [])])('when another program listens on %s', async (host) => {
    const wanted = await book().claim(21_000);
    books.splice(0).forEach((each) => each.release());
    const stranger = createServer().listen(wanted, host);
    await once(stranger, 'listening');
    try {
      expect(await isFree(wanted)).toBe(false);
      expect(await book().claim(wanted)).toBeGreaterThan(wanted);
    } finally {
      stranger.close();
    }
  });

  test('when another start has claimed it and nothing listens yet', async () => {
    const first = await book().claim(21_000);
    expect(await book().claim(first)).toBeGreaterThan(first);
  });

  test('and many that ask at once never get the same', async () => {
    const claimed = await Promise.all(Array.from({ length: 20 }, () => book().claim(21_000)));
    expect(new Set(claimed).size).toBe(20);
  });

  test('and a port given back can be had again', async () => {
    const mine = book();
    const first = await mine.claim(21_000);
    mine.release();
    expect(await book().claim(first)).toBe(first);
  });
});

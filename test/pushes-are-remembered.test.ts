import { PushMemory } from '../src/live/push-memory';
import { merged } from '../src/live/told-pushes';
import { pushLines } from '../src/path/pushes';

/** What gateways know of what they have sent: enough to say so, and never more than so much of it. */

describe('a gateway', () => {
  test('remembers each version of a story once, with how often it went out and when', () => {
    const memory = new PushMemory();
    const now = jest.spyOn(Date, 'now').mockReturnValue(1_000);
    memory.note('content', 'a', 2);
    now.mockReturnValue(3_000);
    memory.note('content', 'a', 2);
    memory.note('content', 'a', 1);
    memory.note('order', 'a', 9);
    now.mockRestore();
    const at = (ms: number) => new Date(ms).toISOString();
    expect(memory.of('content', 'a')).toEqual([
      { version: 1, times: 1, firstAt: at(3_000), lastAt: at(3_000) }, { version: 2, times: 2, firstAt: at(1_000), lastAt: at(3_000) },
    ]);
    expect(memory.of('content', 'b')).toEqual([]);
  });

  test('forgets the story that was pushed longest ago, and of a long one the first versions', () => {
    const memory = new PushMemory(2);
    for (const id of ['a', 'b', 'a', 'c']) memory.note('content', id, 1);
    expect(['a', 'b', 'c'].map((id) => memory.of('content', id).length)).toEqual([1, 0, 1]);
    for (let version = 1; version <= 150; version += 1) memory.note('content', 'c', version);
    const versions = memory.of('content', 'c').map(({ version }) => version);
    expect([versions.length, versions[0], versions.at(-1)]).toEqual([100, 51, 150]);
  });
});

test('what several know is one thing: times are added, the first and the last instant count', () => {
  const of = (times: number, firstAt: string, lastAt: string) => ({ following: times, pushed: [{ version: 1, times, firstAt, lastAt }] });
  const all = merged([of(1, '2026-01-01T00:00:02Z', '2026-01-01T00:00:03Z'), of(2, '2026-01-01T00:00:01Z', '2026-01-01T00:00:02Z'), { following: 0, pushed: [] }]);
  expect(all).toEqual({ gateways: 3, following: 3, pushed: [{ version: 1, times: 3, firstAt: '2026-01-01T00:00:01Z', lastAt: '2026-01-01T00:00:03Z' }] });
  expect(pushLines(all).map(({ text }) => text)).toEqual(['1 is pushed to 3 followers, last at 2026-01-01T00:00:03Z', '3 follow it now, of 3 gateways']);
  expect(pushLines(merged([{ following: 0, pushed: [] }])).map(({ text }) => text)).toEqual(['nobody follows it now, and nobody did as far as the gateways remember']);
});

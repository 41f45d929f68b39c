import RequestQueue from 'kafkajs/src/network/requestQueue';
import '../src/kafka/idle-connections';

/** A connection that has nothing to do does nothing, and one that was throttled loses no request: kafkajs' own class. */

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function open(): { queue: RequestQueue; sent: number[]; push(correlationId: number): void } {
  const queue = new RequestQueue({ maxInFlightRequests: null, requestTimeout: 1_000, enforceRequestTimeout: false, clientId: 'test', broker: 'b:1', logger: { debug: () => undefined } });
  const sent: number[] = [];
  return { queue, sent, push: (correlationId) => queue.push({ entry: { correlationId, resolve: () => undefined }, expectResponse: false, sendRequest: () => void sent.push(correlationId) }) };
}

test('with nothing waiting no timer is set, however often it looks', () => {
  const { queue } = open();
  queue.checkPendingRequests();
  queue.checkPendingRequests();
  expect(jest.getTimerCount()).toBe(0);
});

test('what waits while the broker throttles is sent when that is over, in its order, and then it rests', () => {
  const { queue, sent, push } = open();
  queue.maybeThrottle(50);
  push(1);
  push(2);
  jest.advanceTimersByTime(40);
  expect(sent).toEqual([]);
  jest.advanceTimersByTime(30);
  expect([sent, jest.getTimerCount()]).toEqual([[1, 2], 0]);
});

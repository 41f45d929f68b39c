import RequestQueue from 'kafkajs/src/network/requestQueue';

/**
 * A connection of kafkajs 2.2.4 looks for waiting requests once a millisecond for as long as it lives, also where none
 * waits: the time until its next look is reckoned from a throttling that never was, and is negative. A process has a
 * dozen connections and more: of an ingress that took one record a second in, a sixth of its main thread's time was this.
 * A request that has to wait asks for a look when it is put in line, so nothing is lost without the others.
 * https://github.com/tulios/kafkajs/issues/1704, https://github.com/tulios/kafkajs/pull/1667 (open since 2024)
 */
const look = RequestQueue.prototype.scheduleCheckPendingRequests;

RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
  if (this.pending.length > 0) look.call(this);
};

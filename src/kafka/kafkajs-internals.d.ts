/** What we know of a class that kafkajs does not export (2.2.4). */
declare module 'kafkajs/src/network/requestQueue' {
  class RequestQueue {
    constructor(options: { maxInFlightRequests: number | null; requestTimeout: number; enforceRequestTimeout: boolean; clientId: string; broker: string; logger: { debug(): void } });
    readonly pending: unknown[];
    readonly inflight: ReadonlyMap<number, unknown>;
    push(request: { entry: { correlationId: number; resolve(): void }; expectResponse: boolean; sendRequest: () => void }): void;
    maybeThrottle(ms: number): void;
    checkPendingRequests(): void;
    scheduleCheckPendingRequests(): void;
  }
  export = RequestQueue;
}

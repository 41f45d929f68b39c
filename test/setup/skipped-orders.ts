import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import type { PaymentActivities } from '../../activities/payments';
import type { StockActivities } from '../../activities/stock';
import { workflowId } from '../../src/facts/identity';
import { Endings } from '../../src/temporal/endings';
import { mailUpdate } from '../../workflows/kernel/carry';
import type { Verdict } from '../../workflows/kernel/lifecycle';
import type { RecordingActivities } from '../../workflows/kernel/recording';
import { order } from '../../workflows/order/definition';
import type { OrderFact, SettleMail } from '../../workflows/order/lifecycle';
import type { orderWorkflow } from '../../workflows/order/workflow';
import { FakeOrderActivities } from './fake-order-activities';
import { createdOrder, type OrderWish } from './orders';
import { openSkippedServer } from './skipped-server';
import { until } from './until';

const QUEUE = 'skipped-orders';

/** Orders on a server whose clock jumps over waits. */
export interface SkippedOrders {
  /** An order whose fact 1 is told, with one product p1 of which there are 10. */
  begin(wish?: OrderWish): Promise<SkippedOrder>;
  close(): Promise<void>;
}

export interface SkippedOrder {
  readonly id: string;
  readonly stores: FakeOrderActivities;
  /** Starts the workflow named after the order; again, where the run before was ended. */
  start(): Promise<void>;
  /** Ends its run, as an operator would; the story is where its facts are. */
  terminate(): Promise<void>;
  /** Asks the story as PATCH does, and hands on its answer. */
  ask(type: SettleMail['type']): Promise<Verdict | undefined>;
  /** Waits until a fact of this type is told; no time is skipped. */
  told(type: OrderFact['type']): Promise<void>;
  /** Lets this much time pass, at once. */
  sleep(durationMs: number): Promise<void>;
  now(): Promise<number>;
  /** Lets time skip until the workflow is over: what it answered, and every stored fact. */
  ended(): Promise<{ result: unknown; facts: OrderFact[] }>;
}

export async function openSkippedOrders(): Promise<SkippedOrders> {
  const { environment, codePath } = await openSkippedServer();
  const storesOf = new Map<string, FakeOrderActivities>();
  const worker = await Worker.create({
    connection: environment.nativeConnection, taskQueue: QUEUE, workflowBundle: { codePath }, activities: activitiesOf(storesOf), sinks: new Endings().sinks,
  });
  const running = worker.run();
  return {
    async begin(wish = {}) {
      const created = createdOrder({ id: randomUUID(), ...wish }, new Date(await environment.currentTimeMs()).toISOString());
      const { orderId } = created.data;
      const stores = new FakeOrderActivities(order.limits(order.settings.parse({})));
      stores.shelves.set('p1', { id: 'p1', sku: null, free: 10 });
      stores.tell(orderId, created);
      storesOf.set(orderId, stores);
      return openOrder(environment, orderId, stores);
    },
    async close() {
      worker.shutdown();
      await running;
      await environment.teardown();
    },
  };
}

/** One worker serves all orders of a file, because starting one takes a second; each order has stores of its own. */
function activitiesOf(storesOf: ReadonlyMap<string, FakeOrderActivities>) {
  const of = (id: string | undefined): FakeOrderActivities => {
    const stores = storesOf.get(id ?? '');
    if (!stores) throw new Error(`no stores for order ${id}`);
    return stores;
  };
  return {
    recordFacts: (domain, proposals) => of(proposals[0]?.id).recordFacts(domain, proposals),
    openStories: (domain, ids) => of(ids[0]).openStories(domain, ids),
    startOwnWorkflows: (_domain, ids) => of(ids[0]).startOwnWorkflows(),
    reserveStock: (requests) => of(requests[0]?.id).reserveStock(requests),
    releaseStock: (requests) => of(requests[0]?.id).releaseStock(requests),
    closeOrders: (requests) => of(requests[0]?.id).closeOrders(requests),
    capturePayments: (requests) => of(requests[0]?.id).capturePayments(requests),
    capturePayment: (request) => of(request.id).capturePayment(request),
    voidPayment: (request) => of(request.id).voidPayment(request),
  } satisfies RecordingActivities & StockActivities & PaymentActivities;
}

function openOrder(environment: TestWorkflowEnvironment, id: string, stores: FakeOrderActivities): SkippedOrder {
  let handle: WorkflowHandle<typeof orderWorkflow>;
  return {
    id, stores,
    sleep: (durationMs) => environment.sleep(durationMs),
    now: () => environment.currentTimeMs(),
    async start() {
      handle = await environment.client.workflow.start<typeof orderWorkflow>(order.workflow, {
        workflowId: workflowId(order.name, id), taskQueue: QUEUE, args: [id], workflowTaskTimeout: '2s',
      });
    },
    terminate: async () => void (await handle.terminate('test')),
    ask: (type) => handle.executeUpdate(mailUpdate, { args: [{ id: `${type}-of-${id}`, type, data: {} }] }),
    told: (type) => until(() => stores.factsOf(id).some((fact) => fact.type === type), `${type} is told`),
    ended: async () => ({ result: await handle.result(), facts: stores.factsOf(id) }),
  };
}

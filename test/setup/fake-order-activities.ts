import type { PaymentProvider } from '../../activities/payment/port';
import type { Captured, PaymentActivities } from '../../activities/payments';
import type { OrderTelling, ReasonedTelling, StockActivities } from '../../activities/stock';
import { Allotter, type Hold, type Shelf } from '../../activities/stock/allot';
import { closingFact, inventoryFact } from '../../activities/stock/facts';
import type { Keyed } from '../../workflows/kernel/coalesce';
import type { Recorded, Told } from '../../workflows/kernel/recording';
import { paymentKey, type OrderFact } from '../../workflows/order/lifecycle';
import type { OrderLimits } from '../../workflows/order/workflow';
import { FakeStores, type StoreScript } from './fake-stores';
import { gated, MemoryProvider, type Gate } from './provider';

/** What goes wrong; without a hook, all goes well. */
export interface OrderScript extends StoreScript<OrderFact> {
  readonly provider?: Gate;
  /** May throw what a database that is away would. */
  readonly stock?: (call: keyof StockActivities) => Promise<void>;
}

/**
 * FAKES of what an order causes: the stock is a Map and the provider a memory. What is allotted and what is
 * told of it is decided by the real code.
 */
export class FakeOrderActivities extends FakeStores<OrderFact, OrderLimits> implements StockActivities, PaymentActivities {
  script: OrderScript = {};
  readonly shelves = new Map<string, Shelf>();
  readonly held = new Map<string, readonly Hold[]>();
  readonly books = new MemoryProvider();
  private readonly provider: PaymentProvider = gated(this.books, () => this.script.provider ?? {});

  readonly reserveStock: StockActivities['reserveStock'] = (requests) =>
    this.each('reserveStock', requests, (request) => {
      const allotted = new Allotter([...this.shelves.values()]).allot(request.before);
      if ('reason' in allotted) return this.telling(request, inventoryFact('InventoryRejected', { ...request, reason: allotted.reason }));
      return this.telling(request, inventoryFact('InventoryReserved', { ...request, reason: null }), () => {
        this.held.set(request.id, allotted.holds);
        this.move(allotted.holds, -1);
      });
    });

  readonly releaseStock: StockActivities['releaseStock'] = (requests) =>
    this.each('releaseStock', requests, (request) => this.telling(request, inventoryFact('InventoryReleased', request), () => this.giveBack(request.id)));

  readonly closeOrders: StockActivities['closeOrders'] = (requests) =>
    this.each('closeOrders', requests, (request) => {
      const fact = closingFact(request, null);
      return this.telling(request, fact, () => (fact.type === 'OrderPaid' ? void this.held.delete(request.id) : this.giveBack(request.id)));
    });

  readonly capturePayments: PaymentActivities['capturePayments'] = async (requests) =>
    Promise.all(
      requests.map(async (request) => {
        const { id, version } = request;
        return { id, version, ...(await this.capturePayment(request).catch(() => ({ outcome: 'away' as const }))) };
      }),
    );

  readonly capturePayment: PaymentActivities['capturePayment'] = async (request): Promise<Captured | Told> => {
    const told = this.told(request);
    if (told) return told;
    const key = paymentKey(request.id);
    const answer = (await this.provider.capture([{ key, amountCents: request.amountCents }])).get(key);
    return answer === undefined || answer.outcome === 'closed' ? { outcome: 'closed', paymentId: key } : answer;
  };

  readonly voidPayment: PaymentActivities['voidPayment'] = async (request) => {
    const told = this.told(request);
    if (told) return told;
    const key = paymentKey(request.id);
    return (await this.provider.void([key])).get(key) ?? { paymentId: null };
  };

  private told({ id, version }: Keyed): Told | undefined {
    const facts = this.factsOf(id).slice(version - 1);
    return facts.length > 0 ? { told: facts } : undefined;
  }

  private async each<Request extends OrderTelling | ReasonedTelling>(
    call: keyof StockActivities, requests: readonly Request[], serve: (request: Request) => Recorded,
  ): Promise<Recorded[]> {
    await this.script.stock?.(call);
    return requests.map(serve);
  }

  private telling({ id, version, refill = [] }: OrderTelling, fact: OrderFact, move: () => void = () => undefined): Recorded {
    for (const known of refill) this.tell(id, known);
    if (this.tell(id, fact)) move();
    return this.storedFrom(id, version);
  }

  private giveBack(id: string): void {
    this.move(this.held.get(id) ?? [], 1);
    this.held.delete(id);
  }

  private move(holds: readonly Hold[], sign: 1 | -1): void {
    for (const { product, quantity } of holds) {
      const shelf = this.shelves.get(product);
      if (shelf) this.shelves.set(product, { ...shelf, free: shelf.free + sign * quantity });
    }
  }
}

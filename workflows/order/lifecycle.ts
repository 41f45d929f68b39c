import type { FactOf, Mail, Told } from '../kernel/fact';
import type { Lifecycle, Phase, Verdict } from '../kernel/lifecycle';
import type { orderFacts } from './contracts';
import { centsOf, decimalOf } from './money';

/** How somebody means to pay: type 2 waits for a settlement, any other is captured at once. */
export interface OrderPayment {
  readonly typePaymentId: number;
  readonly amount: number;
}

/** By which contract an order came in: S1's, S3's, or from another orders service, which keeps its own stock. */
export type OrderEdge = 'gateway' | 'shop' | 'partner';

/** What the story must know of an order and `orders.created` does not say. */
export interface OrderContext {
  readonly edge: OrderEdge;
  readonly payments: readonly OrderPayment[];
}

/** What can happen to an order; what each fact says is in its contract. */
export type OrderFacts = Told<typeof orderFacts>;
export type OrderFact = FactOf<OrderFacts>;

/** A line of an order, in its edge's own figures. */
export type OrderItem = OrderFacts['OrderCreated']['items'][number];
/** What of an item the stock is concerned with. */
export type StockItem = OrderFacts['InventoryReserved']['items'][number];
/** Why an order can fail. */
export type OrderReason = NonNullable<OrderFacts['PaymentDeclined']['reason']>;

/** Somebody settles the order: it is paid, is to be cancelled, or has failed. */
export type SettleMail = Settle<'pay'> | Settle<'cancel'> | Settle<'refuse'>;
type Settle<Type extends string> = Mail<Type, Record<string, never>>;

export type OrderStatus = 'unknown' | 'pending' | 'paid' | 'cancelled' | 'failed';

export interface OrderState {
  readonly status: OrderStatus;
  /** What the story does next; finer than the status, which is what readers were promised. */
  readonly step: 'unborn' | 'reserving' | 'paying' | 'awaiting' | 'closing' | 'voiding' | 'releasing' | 'failing' | 'done';
  readonly edge: OrderEdge;
  readonly clientId: string;
  readonly clientName: string | null;
  readonly totalCents: number;
  readonly items: readonly OrderItem[];
  readonly payments: readonly OrderPayment[];
  readonly createdAt: string;
  /** True while stock is held for it. */
  readonly reserved: boolean;
  /** When it began to wait for a settlement. */
  readonly awaitingSince: string | null;
  readonly paymentId: string | null;
  /** Why it failed or is being undone. */
  readonly reason: OrderReason | null;
}

const initial: OrderState = {
  status: 'unknown', step: 'unborn', edge: 'gateway', clientId: '', clientName: null, totalCents: 0, items: [], payments: [],
  createdAt: '', reserved: false, awaitingSince: null, paymentId: null, reason: null,
};

/** True where the order is captured by nobody until somebody settles it. Source: CONTRACTS §7, "any payment of type 2". */
export function waitsForSettlement({ payments }: Pick<OrderState, 'payments'>): boolean {
  return payments.some(({ typePaymentId }) => typePaymentId === SETTLED_BY_HAND);
}

const SETTLED_BY_HAND = 2;

/** A first fact without a context was read from a topic that somebody else writes. */
const FOREIGN: OrderContext = { edge: 'partner', payments: [] };

function evolve(state: OrderState, fact: OrderFact): OrderState {
  switch (fact.type) {
    case 'OrderCreated': {
      const { clientId, total, items, createdAt } = fact.data;
      const { edge, payments } = (fact.context as OrderContext | undefined) ?? FOREIGN;
      const step = edge === 'partner' ? 'paying' : 'reserving';
      return { ...state, status: 'pending', step, edge, clientId, totalCents: centsOf(total) ?? 0, items, payments, createdAt };
    }
    case 'InventoryReserved':
      return waitsForSettlement(state)
        ? { ...state, reserved: true, step: 'awaiting', awaitingSince: fact.at }
        : { ...state, reserved: true, step: 'paying' };
    case 'InventoryRejected':
      return { ...state, step: 'failing', reason: fact.data.reason ?? 'out-of-stock' };
    case 'InventoryReleased':
      return { ...state, reserved: false, step: 'failing', reason: fact.data.reason ?? state.reason };
    case 'PaymentCaptured':
      return { ...state, step: 'closing', paymentId: fact.data.paymentId };
    case 'PaymentDeclined': {
      const { reason = 'declined' } = fact.data;
      // Turned away by somebody, not by the provider: a capture may be under way, or done by another run.
      return reason === 'declined' ? undoing(state, reason) : { ...state, step: 'voiding', reason };
    }
    case 'PaymentVoided':
      return undoing(state, fact.data.reason ?? state.reason);
    case 'OrderPaid':
      return { ...state, status: 'paid', step: 'done', reserved: false, clientName: fact.data.clientName };
    case 'OrderFailed': {
      const { status, clientName } = fact.data;
      // Where nothing had to be undone, no fact has said why: then somebody asked for it.
      const reason = state.reason ?? (status === 'CANCELADO' ? 'cancelled' : 'refused');
      return { ...state, status: status === 'CANCELADO' ? 'cancelled' : 'failed', step: 'done', reserved: false, clientName, reason };
    }
    default:
      return unknownFact(fact);
  }
}

/** Nothing is paid, or not any more; what is held comes next. */
function undoing(state: OrderState, reason: OrderReason | null): OrderState {
  return { ...state, step: state.reserved ? 'releasing' : 'failing', reason };
}

/** A fact without a case does not compile, because only `never` fits here. */
function unknownFact(fact: never): never {
  throw new Error(`order has no case for ${JSON.stringify(fact)}`);
}

function phase({ step }: OrderState): Phase {
  if (step === 'done') return 'done';
  return step === 'awaiting' ? 'waiting' : 'working';
}

/** The status that each kind of settlement asks for. */
const ASKED: Readonly<Record<string, OrderStatus>> = { pay: 'paid', cancel: 'cancelled', refuse: 'failed' } satisfies Record<SettleMail['type'], OrderStatus>;

/** A settlement is answered by the order's end. Paying an order that is captured at once is not for anyone to ask. */
function verdict(state: OrderState, mailType: string): Verdict | undefined {
  if (state.step === 'done') return state.status === ASKED[mailType] ? 'granted' : 'refused';
  return mailType === 'pay' && !waitsForSettlement(state) ? 'unheeded' : undefined;
}

/** The idempotency key of an order's one payment; also its name where the provider gave it none. */
export function paymentKey(orderId: string): string {
  return `order/${orderId}/payment`;
}

/** The amount of an order as payment facts say it. */
export function amountOf({ totalCents }: Pick<OrderState, 'totalCents'>): string {
  return decimalOf(totalCents);
}

export const orderLifecycle: Lifecycle<OrderState, OrderFact> = { domain: 'order', initial, evolve, phase, verdict };

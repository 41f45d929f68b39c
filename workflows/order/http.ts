import type { Accepted, Ask, CommandContext, HttpCommand, HttpQuery, HttpSurface, HttpUpdate } from '../kernel/definition';
import { fold } from '../kernel/lifecycle';
import { isUuid, placed } from './doors';
import { orderLifecycle, type OrderFact, type SettleMail } from './lifecycle';
import { gatewayOrder, settlement, shopOrder, type GatewayOrder, type OrderPlaced, type OrderRequested, type Settlement, type ShopOrder } from './messages';
import { clients, products } from './resources';
import { ENGLISH_STATUSES, englishOf, inEnglish, inPortuguese, orderView, PORTUGUESE_STATUSES } from './view';

/**
 * `POST /orders` (S1). The correlation id is the order's id: the caller's, where it is a UUID, else a fresh
 * one, and then the caller's goes with it as a trace id only.
 */
const requestOrder: HttpCommand = {
  path: '/orders',
  status: 202,
  summary: 'Request an order',
  body: gatewayOrder,
  kind: 'creates',
  ownerField: 'customerId',
  check: async () => [],
  accept(body: GatewayOrder, { freshId, correlationId, correlationGiven, at }: CommandContext): Accepted {
    const orderId = correlationGiven && isUuid(correlationId) ? correlationId.toLowerCase() : freshId;
    const { customerId, items, totalAmount } = body;
    const event: OrderRequested = { correlationId: orderId, customerId, items, totalAmount, createdAt: at };
    const links = { self: `/orders/${orderId}`, live: `/ws/orders/${orderId}/status` };
    return {
      aggregateId: orderId, topic: 'order_created', key: orderId, type: 'CreateOrder', message: event,
      answer: { correlationId, orderId, status: 'pending', event, links },
    };
  },
};

/** `POST /v1/orders` (S3); answers with the order as its readers will see it. */
const placeOrder: HttpCommand = {
  path: '/v1/orders',
  status: 201,
  summary: 'Place an order',
  body: shopOrder,
  kind: 'creates',
  ownerField: 'clientId',
  async check({ clientId, items }: ShopOrder, ask: Ask) {
    const [client, unknown] = await Promise.all([
      ask.missing('clients', 'id', [clientId]),
      ask.missing('products', 'id', items.map(({ productId }) => productId)),
    ]);
    return [
      ...client.map(() => ({ path: 'clientId', message: 'no such client' })),
      ...items.flatMap(({ productId }, at) => (unknown.includes(productId) ? [{ path: `items.${at}.productId`, message: 'no such product' }] : [])),
    ];
  },
  accept(body: ShopOrder, { freshId, at }: CommandContext): Accepted {
    const message: OrderPlaced = { orderId: freshId, ...body };
    const first = placed.first({ message: message as never, headers: {}, sentAt: at });
    const state = fold(orderLifecycle, [{ ...first, version: 1 } as OrderFact]);
    const row = orderView.row(freshId, state, orderLifecycle.phase(state));
    const instants = { created_at: new Date(at), updated_at: new Date(at) };
    return {
      aggregateId: freshId, topic: 'orders.create', key: freshId, type: 'CreateOrder', message,
      answer: inPortuguese({ ...row, ...instants }),
    };
  },
};

/** What each status of S3 asks of the story. */
const ASKS: Readonly<Record<Settlement['status'], SettleMail['type']>> = { PAGO: 'pay', CANCELADO: 'cancel', FALHA: 'refuse' };

const settleOrder: HttpUpdate = {
  path: '/v1/orders',
  summary: 'Settle an order',
  body: settlement,
  mail: ({ status }: Settlement) => ({ type: ASKS[status], data: {} }),
};

const gatewayQuery: HttpQuery = { path: '/orders', summary: 'Orders as their facts tell them', list: true, statuses: ENGLISH_STATUSES, show: inEnglish };

const shopQuery: HttpQuery = {
  path: '/v1/orders', summary: 'Orders, in Portuguese', list: true, statuses: PORTUGUESE_STATUSES, statusOf: englishOf, show: inPortuguese,
};

export const orderHttp: HttpSurface = {
  commands: [requestOrder, placeOrder],
  resources: [clients, products],
  queries: [gatewayQuery, shopQuery],
  updates: [settleOrder],
  live: { path: '/ws/orders/:id/status', idField: 'orderId' },
};

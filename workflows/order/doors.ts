import { v5 as uuidv5 } from 'uuid';
import type { StartDoor } from '../kernel/definition';
import type { OrderContext, OrderFacts } from './lifecycle';
import { instantOf, orderPlaced, orderRequested, partnerOrder, type OrderPlaced, type OrderRequested, type PartnerOrder } from './messages';

/** The group that takes orders in; its name is a contract, and `KAFKA_GROUP_ID` may change it. */
const ORDER_GROUP = 'order-service-group';

/** The group that takes in what another orders service has created; its name is a contract. */
const PAYMENTS_GROUP = 'payments-service-group';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The namespace of order ids that come from a correlation id; it never changes. */
const ORDER_NAMESPACE = '6ba7b0c2-5d0e-5f43-9a57-fa2e0da00001';

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The id of an S1 order: its correlation id where that is a UUID, in lower case, else one made from it. */
export function orderIdOf(correlationId: string): string {
  return isUuid(correlationId) ? correlationId.toLowerCase() : uuidv5(correlationId, ORDER_NAMESPACE);
}

/** An order by S1: lines without prices, paid at once. */
export const requested: StartDoor = {
  kind: 'start',
  topic: 'order_created',
  topicSetting: 'KAFKA_TOPIC_ORDER_CREATED',
  group: ORDER_GROUP,
  groupSetting: 'KAFKA_GROUP_ID',
  schema: orderRequested,
  foreignOnly: false,
  first({ message, sentAt }: { message: OrderRequested; sentAt: string }) {
    const { correlationId, customerId, items, totalAmount, createdAt = sentAt } = message;
    const lines = items.map(({ sku, quantity }) => ({ productId: sku, quantity, price: null }));
    return {
      ...created({ orderId: orderIdOf(correlationId), clientId: customerId, total: totalAmount, items: lines, createdAt }),
      context: { edge: 'gateway', payments: [] } satisfies OrderContext,
      correlationId,
    };
  },
};

/** An order by S3. */
export const placed: StartDoor = {
  kind: 'start',
  topic: 'orders.create',
  group: ORDER_GROUP,
  groupSetting: 'KAFKA_GROUP_ID',
  schema: orderPlaced,
  foreignOnly: false,
  first({ message, sentAt }: { message: OrderPlaced; sentAt: string }) {
    const { orderId, clientId, total, items, payments = [] } = message;
    return {
      ...created({ orderId, clientId, total, items, createdAt: sentAt }),
      context: { edge: 'shop', payments } satisfies OrderContext,
    };
  },
};

/** An order that another service created, and keeps the stock of: the record is fact 1 already. */
export const createdElsewhere: StartDoor = {
  kind: 'start',
  topic: 'orders.created',
  group: PAYMENTS_GROUP,
  schema: partnerOrder,
  foreignOnly: true,
  first({ message, sentAt }: { message: PartnerOrder; sentAt: string }) {
    const { orderId, clientId, total, itemsCount } = message;
    const items = message.items.map(({ productId, quantity, price }) => ({ productId, quantity, price: price ?? null }));
    return created({ orderId, clientId, total, items, createdAt: instantOf(message.createdAt) ?? sentAt }, itemsCount ?? items.length);
  },
};

type Given = Pick<OrderFacts['OrderCreated'], 'orderId' | 'clientId' | 'total' | 'items' | 'createdAt'>;

/** Fact 1, its members in the order of the contract. */
function created({ orderId, clientId, total, items, createdAt }: Given, itemsCount = items.length) {
  const data: OrderFacts['OrderCreated'] = { orderId, clientId, total, status: 'PENDENTE', items, itemsCount, createdAt };
  return { id: orderId, type: 'OrderCreated', at: createdAt, data };
}

import type { CliSurface, CliUpdate } from '../kernel/definition';

/** Who orders, where nobody is named: an example's customer, of whom there is no record. */
const SOMEBODY = '06f3bbf9-24ad-4d18-9d0d-7fad5b5f5cbf';

const settles = (name: string, summary: string, status: string): CliUpdate => ({ name, summary, path: '/v1/orders', body: { status } });

export const orderCli: CliSurface = {
  noun: 'order',
  submit: {
    name: 'create',
    underNoun: true,
    summary: 'place an order',
    path: '/orders',
    options: [
      { flags: '--item <sku=quantity>', summary: 'what is ordered; may be repeated', pairs: true },
      { flags: '--total <amount>', summary: 'what it costs in all', preset: '0' },
      { flags: '--customer <uuid>', summary: 'who orders', preset: SOMEBODY },
    ],
    body: ({ total, customer }, items) => ({
      customerId: customer,
      items: Object.entries(items).map(([sku, quantity]) => ({ sku, quantity: Number(quantity) })),
      totalAmount: Number(total),
    }),
  },
  updates: [
    settles('pay', 'say that an order is paid', 'PAGO'),
    settles('cancel', 'ask an order to end', 'CANCELADO'),
    settles('fail', 'say that an order has failed', 'FALHA'),
  ],
  endings: { OrderPaid: true, OrderFailed: false },
};

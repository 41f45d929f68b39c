/** One of each kind of record: as a JSON document, and where it differs as a stranger to fazenda sees it in Avro. */
export const SAMPLES: Readonly<Record<string, { readonly data: object; readonly avro?: object }>> = {
  TaskCreated: {
    data: { eventId: 'e-1', ...task(), templateId: 'b', priority: 'high', modelType: 'local', timestamp: 1_700_000_000_123, userId: 'José ☕', variables: { product: 'coffee', drafts: [{ error: 'slow', times: 2 }], n: null } },
    avro: { eventId: 'e-1', ...task(), templateId: 'b', priority: 'high', modelType: 'local', timestamp: 1_700_000_000_123, userId: 'José ☕', variables: { product: '"coffee"', drafts: '[{"error":"slow","times":2}]', n: 'null' } },
  },
  TaskAssigned: { data: { ...task(), attempt: 2, agentId: 'agent-1' } },
  ContentGenerated: { data: { ...task(), attempt: 1, contentUri: 's3://b/k', sha256: 'f'.repeat(64), model: 'local', usage: { inputTokens: 12, outputTokens: null } } },
  ValidationFailed: {
    data: { ...task(), attempt: 1, failures: [{ rule: 'r', fact: 'words', operator: 'in', expected: [1, 'x', null], measured: null }] },
    avro: { ...task(), attempt: 1, failures: [{ rule: 'r', fact: 'words', operator: 'in', expected: '[1,"x",null]', measured: 'null' }] },
  },
  ContentValidated: { data: { ...task(), attempt: 1, score: 0.1 } },
  ContentStored: { data: { ...task(), uri: 's3://b/k', sha256: 'f'.repeat(64), bytes: 5_000_000_000 } },
  TaskFailed: { data: { ...task(), reason: 'technical', attempts: 0 } },
  TaskCancelled: { data: { ...task(), by: 'me', reason: null } },
  CancelTask: { data: task(), avro: { ...task(), reason: null, userId: null } },
  OrderCreated: {
    data: {
      ...order(), clientId: 'c', total: 10.1, status: 'PENDENTE', items: [{ productId: 'p', quantity: 2, price: 5.05 }, { productId: 'q', quantity: 1, price: null }],
      itemsCount: 2, createdAt: '2026-01-01T00:00:00.000Z',
    },
  },
  InventoryReserved: { data: { ...order(), items: [{ productId: 'p', quantity: 2 }] }, avro: { ...order(), items: [{ productId: 'p', quantity: 2 }], reason: null } },
  InventoryRejected: { data: { ...order(), items: [], reason: 'out-of-stock' } },
  InventoryReleased: { data: { ...order(), items: [{ productId: 'p', quantity: 2 }], reason: 'declined' } },
  PaymentCaptured: { data: { ...order(), amount: '10.10', paymentId: 'x' }, avro: { ...order(), amount: '10.10', paymentId: 'x', reason: null } },
  PaymentDeclined: { data: { ...order(), amount: '10.10', paymentId: 'x', reason: 'declined' } },
  PaymentVoided: { data: { ...order(), amount: '10.10', paymentId: 'x', reason: 'cancelled' } },
  OrderPaid: { data: { ...order(), clientId: 'c', clientName: null, status: 'PAGO', total: 150, updatedAt: '2026-01-01T00:00:00.000Z' } },
  OrderFailed: { data: { ...order(), clientId: 'c', clientName: 'João', status: 'FALHA', total: 0.07, updatedAt: '2026-01-01T00:00:00.000Z' } },
  OrderRequested: {
    data: { customerId: 'c', items: [{ sku: 's', quantity: 1 }], totalAmount: 9.99, correlationId: 'k' },
    avro: { customerId: 'c', items: [{ sku: 's', quantity: 1 }], totalAmount: 9.99, correlationId: 'k', createdAt: null },
  },
  OrderPlaced: { data: { clientId: 'c', items: [{ productId: 'p', quantity: 1, price: 100 }], total: 100, payments: [{ typePaymentId: 1, amount: 100 }], ...order() } },
  ItemCreated: { data: { id: 'i', name: 'Wheelbarrow', sku: 'WB-1', created_by: 'anonymous' } },
  ItemUpdated: { data: { id: 'i', changes: { name: 'Red' }, updated_by: 'me' }, avro: { id: 'i', changes: { name: 'Red', sku: null }, updated_by: 'me' } },
  ItemDeleted: { data: { id: 'i', deleted_by: 'me' } },
};

function task(): { taskId: string } {
  return { taskId: '9d2f7c1e-0000-4000-8000-000000000001' };
}

function order(): { orderId: string } {
  return { orderId: 'order-1' };
}

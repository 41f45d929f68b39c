import type { HttpResource } from '../kernel/definition';
import { instant } from '../kernel/settings';
import { newClient, newProduct, type NewClient, type NewProduct } from './messages';
import { centsOf, unitsOf } from './money';

export const clients: HttpResource = {
  path: '/v1/clients',
  summary: 'Clients',
  table: 'clients',
  // Who a client is, is for that client alone, and for those who see everything.
  owner: 'id',
  body: newClient,
  row: ({ name, email, phone, cpf }: NewClient, id) => ({ id, name, email, phone, cpf }),
  show: ({ id, name, email, phone, cpf, created_at }) => ({ id, name, email, phone, cpf, createdAt: instant(created_at) }),
  conflict: 'a client with this CPF is there already',
};

export const products: HttpResource = {
  path: '/v1/products',
  summary: 'Products and their stock',
  table: 'products',
  body: newProduct,
  row: ({ name, description, price, quantity, sku }: NewProduct, id) => ({
    id, name, description, price_cents: centsOf(price), quantity, stocked: quantity, sku: sku ?? null,
  }),
  show: ({ id, sku, name, description, price_cents, quantity, reserved, sold, created_at }) => ({
    id, sku, name, description, price: unitsOf(Number(price_cents)),
    quantity: Number(quantity), reserved: Number(reserved), sold: Number(sold), createdAt: instant(created_at),
  }),
  conflict: 'a product with this sku is there already',
};

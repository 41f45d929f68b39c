import type { OrderEdge, OrderReason, StockItem } from '../../workflows/order/lifecycle';

/** A product as the stock knows it at the moment of deciding. */
export interface Shelf {
  readonly id: string;
  readonly sku: string | null;
  /** Pieces that are still free. */
  readonly free: number;
}

/** Pieces of one product that an order holds. */
export interface Hold {
  readonly product: string;
  readonly quantity: number;
}

export type Allotment =
  | { readonly holds: readonly Hold[] }
  | { readonly reason: Extract<OrderReason, 'unknown-product' | 'out-of-stock'> };

/** Allots what is on the shelves to one order after the other: every item of an order, or none. */
export class Allotter {
  private readonly byId: ReadonlyMap<string, Shelf>;
  private readonly bySku: ReadonlyMap<string | null, Shelf>;
  private readonly free: Map<string, number>;

  constructor(shelves: readonly Shelf[]) {
    this.byId = new Map(shelves.map((shelf) => [shelf.id, shelf]));
    this.bySku = new Map(shelves.map((shelf) => [shelf.sku, shelf]));
    this.free = new Map(shelves.map(({ id, free }) => [id, free]));
  }

  /** What an order gets; items of the same product count together. What it gets, the next one does not. */
  allot({ edge, items }: { readonly edge: OrderEdge; readonly items: readonly StockItem[] }): Allotment {
    const wanted = new Map<string, number>();
    for (const { productId, quantity } of items) {
      const product = this.productOf(edge, productId);
      if (product) wanted.set(product, (wanted.get(product) ?? 0) + quantity);
      else if (edge === 'shop') return { reason: 'unknown-product' };
    }
    const lacks = [...wanted].some(([product, quantity]) => quantity > this.freeOf(product));
    if (lacks) return { reason: 'out-of-stock' };
    for (const [product, quantity] of wanted) this.free.set(product, this.freeOf(product) - quantity);
    return { holds: [...wanted].map(([product, quantity]) => ({ product, quantity })) };
  }

  /**
   * A shop's item names a product. A gateway's may also be its SKU, or of no product that has a record: that
   * one is in endless stock. Source: CONTRACTS §6.
   */
  private productOf(edge: OrderEdge, name: string): string | undefined {
    const shelf = this.byId.get(name) ?? (edge === 'shop' ? undefined : this.bySku.get(name));
    return shelf?.id;
  }

  private freeOf(product: string): number {
    return this.free.get(product) ?? 0;
  }
}

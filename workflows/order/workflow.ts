import { proxyActivities, proxyLocalActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../../activities';
import { carryMany, carryOne, type Ending } from '../kernel/carry';
import { coalesce } from '../kernel/coalesce';
import { LOCAL_PATIENCE, type Journey } from '../kernel/journey';
import type { Begun } from '../kernel/recording';
import { amountOf, orderLifecycle, paymentKey, type OrderFact, type OrderReason, type OrderState, type SettleMail } from './lifecycle';

/** What a story is told of the settings when it begins. */
export interface OrderLimits {
  /** How long a settlement is waited for, from the fact that began the wait. */
  readonly paymentDeadlineMs: number;
  /** One call of the payment provider outside a lane. */
  readonly paymentCallTimeoutMs: number;
}

type OrderJourney = Journey<OrderState, OrderFact, OrderLimits, SettleMail>;

/** Our own PostgreSQL: made where the fact is stored, waited for without end. */
const local = proxyLocalActivities<Activities>(LOCAL_PATIENCE);
const reserveStock = coalesce(local.reserveStock);
const releaseStock = coalesce(local.releaseStock);
const closeOrder = coalesce(local.closeOrders);

/** The provider in a hurry: whoever needs longer than this must not hold up those who share the workflow. */
const hurried = proxyLocalActivities<Activities>({ startToCloseTimeout: '1s', retry: { maximumAttempts: 1 } });
const captureAtOnce = coalesce(hurried.capturePayments);

/** Somebody wants the order to end unpaid. */
const TURNS_AWAY = ['cancel', 'refuse'] as const;
const SETTLES = ['pay', ...TURNS_AWAY] as const;

/** One order: reserve stock, pay, close; whatever goes wrong is undone in reverse and ends in OrderFailed. */
export async function orderWorkflow(orderId: string, begun?: Begun): Promise<Ending> {
  return carryOne(orderLifecycle, orderStory, orderId, begun);
}

/** Many orders as coroutines of one workflow; each is the same story. */
export async function orderLane(orderIds: string[], begun?: Begun): Promise<{ finished: number; left: number }> {
  return carryMany(orderLifecycle, orderStory, orderIds, begun);
}

async function orderStory(journey: OrderJourney): Promise<void> {
  while (!journey.done) {
    const { state } = journey;
    const turned = journey.mailOf(...TURNS_AWAY);

    switch (state.step) {
      case 'reserving':
        if (turned) await journey.tellBy(closeOrder, { reason: reasonOf(turned), causedBy: turned.id });
        else await journey.tellBy(reserveStock, {});
        break;

      case 'paying':
        if (turned) await declinePayment(journey, reasonOf(turned), turned.id);
        else await pay(journey);
        break;

      case 'voiding':
        await voidPayment(journey);
        break;

      case 'awaiting':
        await settle(journey);
        break;

      case 'releasing':
        await journey.tellBy(releaseStock, { reason: state.reason });
        break;

      case 'closing':
      case 'failing':
        await journey.tellBy(closeOrder, { reason: state.reason });
        break;

      default:
        throw new Error(`an order's story cannot be ${state.step}`);
    }
  }
}

/** Has the provider capture the total: at once, or alone and for as long as it is away. */
async function pay(journey: OrderJourney): Promise<void> {
  const { id, next: version, state, limits } = journey;
  const request = { id, version, amountCents: state.totalCents };
  const { capturePayment } = proxyActivities<Activities>({ ...PROVIDER_PATIENCE, startToCloseTimeout: limits.paymentCallTimeoutMs, summary: 'capture' });

  const answer = await journey.effect(captureAtOnce(request).catch(() => ({ outcome: 'away' as const })));
  const paid = answer?.outcome !== 'away' ? answer : await alone(() => journey.effect(capturePayment(request)));
  if (!paid) return;

  const payment = { orderId: id, amount: amountOf(state), paymentId: paid.paymentId };
  if (paid.outcome === 'captured') await journey.record('PaymentCaptured', payment);
  else if (paid.outcome === 'declined') await journey.record('PaymentDeclined', { ...payment, reason: 'declined' });
  // The key is closed: another run is turning this order away and has told so. A store that forgot is told again.
  else await declinePayment(journey, 'refused');

  async function alone<Answer>(slow: () => Promise<Answer>): Promise<Answer | undefined> {
    await journey.alone();
    return journey.unlessMail(TURNS_AWAY, slow);
  }
}

/**
 * Turns the payment away, by a fact before any effect: from here on nobody's capture can be told, so that a void
 * never takes back the money of an order that is paid. What was captured meanwhile is found by the void.
 */
async function declinePayment(journey: OrderJourney, reason: OrderReason, causedBy?: string): Promise<void> {
  const { id, state } = journey;
  await journey.record('PaymentDeclined', { orderId: id, amount: amountOf(state), paymentId: paymentKey(id), reason }, causedBy);
}

/** Closes the payment's key for ever, because a capture may be under way, and then undoes what there was. */
async function voidPayment(journey: OrderJourney): Promise<void> {
  await journey.alone();
  const { id, next: version, state, limits } = journey;
  const { reason } = state;
  const provider = proxyActivities<Activities>({ ...PROVIDER_PATIENCE, startToCloseTimeout: limits.paymentCallTimeoutMs, summary: 'void' });
  const voided = await journey.effect(provider.voidPayment({ id, version }));
  if (!voided) return;
  if (voided.paymentId) await journey.record('PaymentVoided', { orderId: id, amount: amountOf(state), paymentId: voided.paymentId, ...(reason && { reason }) });
  else if (state.reserved) await journey.tellBy(releaseStock, { reason });
  else await journey.tellBy(closeOrder, { reason });
}

/** Waits for a settlement until the deadline; of several, the first decides. */
async function settle(journey: OrderJourney): Promise<void> {
  await journey.alone();
  const { id, state, limits } = journey;
  const deadlineAt = Date.parse(state.awaitingSince ?? state.movedAt) + limits.paymentDeadlineMs;
  await journey.mailUntil(SETTLES, deadlineAt);
  const mail = journey.mailOf(...SETTLES);
  if (mail?.type === 'pay') await journey.record('PaymentCaptured', { orderId: id, amount: amountOf(state), paymentId: `settled/${id}` }, mail.id);
  else await journey.tellBy(releaseStock, { reason: mail ? reasonOf(mail) : 'deadline', ...(mail && { causedBy: mail.id }) });
}

function reasonOf({ type }: SettleMail): OrderReason {
  return type === 'cancel' ? 'cancelled' : 'refused';
}

/**
 * A provider that is away is asked again until it is back; its answers are keyed, so that asking again is safe.
 * Whoever turns an order away does not wait for a call under way: the void that follows settles what it did.
 */
const PROVIDER_PATIENCE = {
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' }, cancellationType: 'TRY_CANCEL',
} satisfies ActivityOptions;

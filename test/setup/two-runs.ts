import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { workflowId } from '../../src/facts/identity';
import { factsFrom, type StoredFact } from '../../src/facts/read';
import { mailUpdate } from '../../workflows/kernel/carry';
import type { Verdict } from '../../workflows/kernel/lifecycle';
import type { OrderFact, SettleMail } from '../../workflows/order/lifecycle';
import type { Around } from './around';
import type { Bench } from './bench';
import { createdOrder, shelf, stockUp, tellCreated, type OrderWish } from './orders';

/** The workflow named after an order, or a lane that carries it. */
export type RunKind = 'own' | 'lane';

/** Before or after the nth activity of a run; the first one opens its story. `never` lets it run to its end. */
export type Point = { readonly call: number; readonly side: 'before' | 'after' } | 'never';

export interface TwoRuns {
  /** The run that knows nothing of the cancel, and where it is held. */
  readonly innocent: { readonly kind: RunKind; readonly at: Point };
  /** The run that begins after that and finds the cancel. */
  readonly canceller: { readonly kind: RunKind; readonly at: Point };
}

/** How two runs of one order left money and stock. */
export interface Left {
  readonly facts: readonly StoredFact[];
  readonly stock: readonly [free: number, reserved: number, sold: number];
  readonly payment: { readonly state: string; readonly captured: boolean } | undefined;
  /** What the workflow named after the order answered to the cancel; undefined where it was asked for nothing. */
  readonly verdict: Verdict | undefined;
}

/** One run, seen from its activities. */
class Run {
  private calls = 0;
  private readonly under: Promise<unknown>[] = [];
  private arrive = (): void => undefined;
  private letGo = (): void => undefined;
  readonly arrived = new Promise<void>((resolve) => (this.arrive = resolve));
  private readonly released = new Promise<void>((resolve) => (this.letGo = resolve));

  constructor(private readonly at: Point) {}

  release(): void {
    this.letGo();
  }

  async call(run: () => Promise<unknown>): Promise<unknown> {
    const work = this.pass((this.calls += 1), run);
    this.under.push(work.catch(() => undefined));
    return work;
  }

  /** Also those that Temporal gave up, and that come back like a worker that was thought dead. */
  async quiet(): Promise<void> {
    await Promise.all(this.under);
  }

  private async pass(call: number, run: () => Promise<unknown>): Promise<unknown> {
    await this.holdAt(call, 'before');
    const answer = await run();
    await this.holdAt(call, 'after');
    return answer;
  }

  private async holdAt(call: number, side: 'before' | 'after'): Promise<void> {
    if (this.at === 'never' || this.at.call !== call || this.at.side !== side) return;
    this.arrive();
    await this.released;
  }
}

/** Orders that are each run twice at once; one stage serves many at a time. */
export class TwoRunsStage {
  private readonly runs = new Map<string, Run>();

  constructor(private readonly bench: Bench) {}

  readonly around: Around = async (_name, _args, run) => {
    const { workflowExecution } = Context.current().info;
    const known = this.runs.get(workflowExecution?.workflowId ?? '');
    return known ? known.call(run) : run();
  };

  /** Lets both runs come to their points, releases the innocent to its end and then the canceller. */
  async play({ innocent, canceller }: TwoRuns, wish: OrderWish = {}): Promise<Left> {
    const id = randomUUID();
    await stockUp(this.bench.db, { [id]: 3 });
    await tellCreated(this.bench.db, [createdOrder({ id, items: { [id]: 1 }, ...wish })]);
    const names: Record<RunKind, string> = { own: workflowId('order', id), lane: `lane-of-${id}` };
    const first = new Run(innocent.at);
    const second = new Run(canceller.at);
    this.runs.set(names[innocent.kind], first).set(names[canceller.kind], second);

    const firstEnds = this.run(innocent.kind, id, names);
    await Promise.race([first.arrived, firstEnds]);

    const cancel: SettleMail = { id: `cancel-of-${id}`, type: 'cancel', data: {} };
    await this.bench.db.query(`INSERT INTO mail (aggregate_type, aggregate_id, mail_id, type, data) VALUES ('order', $1, $2, 'cancel', '{}')`, [id, cancel.id]);
    const asked = canceller.kind === 'own' ? this.ask(names.own, id, cancel) : Promise.resolve(undefined);
    const secondEnds = canceller.kind === 'own' ? asked.then(() => this.resultOf(names.own)) : this.run('lane', id, names);
    await Promise.race([second.arrived, secondEnds]);

    first.release();
    await firstEnds;
    second.release();
    await secondEnds;
    // Whoever left its lane goes on by the order's own name.
    await this.resultOf(names.own);
    await Promise.all([first.quiet(), second.quiet()]);
    return { ...(await this.look(id)), verdict: await asked };
  }

  private async run(kind: RunKind, id: string, names: Record<RunKind, string>): Promise<void> {
    const args = kind === 'own' ? [id] : [[id]];
    const handle = await this.bench.client.workflow.start(kind === 'own' ? 'orderWorkflow' : 'orderLane', {
      workflowId: names[kind], taskQueue: this.bench.config.TEMPORAL_TASK_QUEUE, args, workflowIdConflictPolicy: 'USE_EXISTING',
    });
    await handle.result();
  }

  private ask(name: string, id: string, mail: SettleMail): Promise<Verdict | undefined> {
    const startWorkflowOperation = new WithStartWorkflowOperation('orderWorkflow', {
      workflowId: name, taskQueue: this.bench.config.TEMPORAL_TASK_QUEUE, args: [id], workflowIdConflictPolicy: 'USE_EXISTING',
    });
    return this.bench.client.workflow.executeUpdateWithStart(mailUpdate, { args: [mail], startWorkflowOperation });
  }

  private async resultOf(name: string): Promise<void> {
    await this.bench.client.workflow.getHandle(name).result().catch((thrown: unknown) => {
      // A name that nobody started has no result to wait for.
      if (!/not found/i.test(String(thrown))) throw thrown;
    });
  }

  private async look(id: string): Promise<Omit<Left, 'verdict'>> {
    const { rows } = await this.bench.db.query<{ state: string; captured: boolean }>('SELECT state, captured FROM simulated_payments WHERE key LIKE $1', [`order/${id}/%`]);
    return { facts: await factsFrom(this.bench.db, 'order', id), stock: await shelf(this.bench.db, id), payment: rows[0] };
  }
}

/** Types of a story, without the first fact. */
export function toldBy({ facts }: Left): OrderFact['type'][] {
  return facts.slice(1).map(({ type }) => type as OrderFact['type']);
}

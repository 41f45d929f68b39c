import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Queryable } from '../src/facts/postgres';
import { letters, noticed } from '../src/notify/metrics';
import { DEAD_QUEUE, QUEUE } from '../src/notify/queue';
import { remember } from '../src/notify/remember';
import type { RunningParts } from '../src/runtime/parts';
import { messagesOn, onChannel, startRabbitmq } from './setup/broker';
import { compiled } from './setup/compiled';
import { ending, messageIdOfEnding, openLetterStage, type LetterStage } from './setup/letters';
import { whereRabbitmqIs } from './setup/rabbitmq';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { removeTempHomes } from './setup/temp-home';
import { recordsOn } from './setup/topic';
import { until } from './setup/until';

/**
 * The end of an order is told to its client by one letter, at most once, whatever dies or repeats itself: from facts
 * on a real Kafka over a real RabbitMQ to a real exchange of SMTP.
 */
whereRabbitmqIs()('letters', () => {
  let rabbit: RunningParts;
  let stage: LetterStage;
  const running: { stop(): Promise<unknown> }[] = [];
  const url = () => rabbit.env.AMQP_URL ?? '';

  beforeAll(async () => {
    rabbit = await startRabbitmq();
    stage = await openLetterStage({ AMQP_URL: url(), SMTP_TIMEOUT_MS: '3000' });
    await stage.dispatcher().then((one) => dispatchers.push(one));
  }, PARTS_TIMEOUT_MS);
  const dispatchers: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    stage.mail.temper = 'take';
    await stage.mail.back();
    await Promise.all(running.splice(0).map((one) => one.stop()));
  }, 30_000);
  afterAll(async () => {
    await Promise.all(dispatchers.map((one) => one.stop()));
    await stage.close();
    await rabbit.stop();
    removeTempHomes();
  }, 30_000);

  async function notifier(db?: Queryable): Promise<void> {
    running.push(await stage.notifier(db));
  }

  const lettersFor = (orderId: string) => stage.mail.handed.filter(({ messageId }) => messageId === messageIdOfEnding(orderId));
  const deadFor = async (orderId: string) => (await messagesOn(url(), DEAD_QUEUE)).filter(({ body }) => body.aggregateId === orderId);
  const tell = (...args: Parameters<typeof ending>) => stage.producer.send([ending(...args)]);

  /** A notifier as npm start runs it, to be killed. */
  async function notifierProcess(): Promise<ChildProcess> {
    const child = spawn(process.execPath, [join(await compiled(), 'workers', 'notifier.js')], { env: { ...process.env, ...stage.env }, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    running.push({
      async stop() {
        if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await once(child, 'exit');
      },
    });
    await new Promise<void>((resolve) => child.once('message', () => resolve()));
    return child;
  }

  test('each end of an order is one letter, however often its fact and its slip are repeated, and by however many notifiers', async () => {
    const client = await stage.client({ email: 'ana@example.com' });
    const orders = Array.from({ length: 40 }, (_, at) => ({ id: randomUUID(), status: ['PAGO', 'CANCELADO', 'FALHA'][at % 3] ?? '' }));
    const records = orders.map(({ id, status }) => ending(id, client, { status }));
    await stage.producer.send([...records, ...records]);
    for (const { id } of orders) await stage.reaches(id, 'queued');
    const { rows } = await stage.db.query<{ ceId: string; domain: string; aggregateId: string; event: string }>(
      `SELECT ce_id AS "ceId", aggregate_type AS domain, aggregate_id AS "aggregateId", event FROM notifications WHERE aggregate_id = ANY($1)`, [orders.map(({ id }) => id)]);
    // Three copies of each beside each other, so that some are in several hands at the same moment.
    await stage.queue.put(rows.flatMap((row) => [row, row, row]));
    await Promise.all([notifier(), notifier()]);
    for (const { id } of orders) await stage.reaches(id, 'sent');
    await stage.producer.send(records);
    await stage.queue.put(rows);
    await until(async () => (await onChannel(url(), (channel) => channel.checkQueue(QUEUE))).messageCount === 0, 'all slips are taken');
    const next = randomUUID();
    await tell(next, client);
    await stage.reaches(next, 'sent');

    for (const { id } of orders) expect(lettersFor(id)).toMatchObject([{ recipients: ['ana@example.com'], taken: true }]);
    const said = (at: number) => lettersFor(orders[at]?.id ?? '')[0]?.raw ?? '';
    expect(said(0)).toContain('R$ 1.234,50');
    expect(said(0)).toContain(`Subject: Pedido ${orders[0]?.id}: pagamento confirmado`);
    expect(said(2)).toContain('=?UTF-8?Q?');
    expect(new Set([said(0), said(1), said(2)].map((raw) => /recebemos|foi cancelado|conclui?r/i.exec(raw.slice(raw.indexOf('\r\n\r\n')))?.[0].toLowerCase())).size).toBe(3);
  }, 90_000);

  test('a notifier killed between the text and the answer leaves a letter that is put aside as perhaps sent, and never sent again', async () => {
    const order = randomUUID();
    stage.mail.temper = 'hang';
    const victim = await notifierProcess();
    await tell(order, await stage.client());
    await until(() => lettersFor(order).length === 1, 'the text is with the server', 30_000);
    expect(await stage.row(order)).toMatchObject({ state: 'sending' });
    victim.kill('SIGKILL');
    stage.mail.temper = 'take';
    await notifierProcess();
    await stage.reaches(order, 'perhaps-sent');
    await until(async () => (await deadFor(order)).length === 1, 'its slip is dead', 10_000);
    const [dead] = await deadFor(order);
    expect(dead).toMatchObject({ headers: { reason: 'perhaps-sent' }, body: { messageId: messageIdOfEnding(order), reason: 'perhaps-sent' }, persistent: true });

    // Neither its fact nor its slip brings it back.
    await tell(order, await stage.client());
    const next = randomUUID();
    await tell(next, await stage.client());
    await stage.reaches(next, 'sent');
    expect(lettersFor(order)).toHaveLength(1);
  }, 90_000);

  test.each([['says nothing more', 'hang'], ['hangs up', 'hang-up']] as const)('a server that is told the text and then %s has perhaps taken it', async (_, temper) => {
    const order = randomUUID();
    stage.mail.temper = temper;
    await notifier();
    await tell(order, await stage.client());
    await stage.reaches(order, 'perhaps-sent');
    await until(async () => (await deadFor(order)).length === 1, 'its slip is dead', 10_000);
    expect(lettersFor(order)).toHaveLength(1);
  }, 60_000);

  test('a server that is away costs a letter no try, and it is sent when the server is back', async () => {
    const order = randomUUID();
    await stage.mail.away();
    await notifier();
    await tell(order, await stage.client());
    const tried = async () => (await letters.get()).values.find(({ labels }) => labels.outcome === 'away')?.value ?? 0;
    const before = await tried();
    await until(async () => (await tried()) >= before + 2, 'it was put off twice', 20_000);
    expect(lettersFor(order)).toHaveLength(0);
    expect(await stage.row(order)).toMatchObject({ tries: 0 });
    await stage.mail.back();
    await stage.reaches(order, 'sent');
    expect(lettersFor(order)).toHaveLength(1);
  }, 60_000);

  test('"not now" is tried again after a delay, and given up after the last', async () => {
    stage.mail.temper = { at: 'DATA', code: 451 };
    await notifier();
    const order = randomUUID();
    await tell(order, await stage.client());
    await until(() => lettersFor(order).length === 1, 'it was refused once');
    stage.mail.temper = 'take';
    await stage.reaches(order, 'sent');
    expect(await stage.row(order)).toMatchObject({ tries: 1 });
    expect(lettersFor(order).map(({ taken }) => taken)).toEqual([false, true]);

    stage.mail.temper = { at: 'RCPT', code: 450 };
    const last = randomUUID();
    await tell(last, await stage.client());
    await until(async () => (await stage.row(last))?.tries === 1, 'it was refused once');
    await stage.db.query('UPDATE notifications SET tries = 3 WHERE aggregate_id = $1', [last]);
    await stage.reaches(last, 'refused');
    await until(async () => (await deadFor(last)).length === 1, 'its slip is dead', 10_000);
    expect((await deadFor(last))[0]?.headers).toMatchObject({ reason: 'gave-up' });
  }, 60_000);

  test('a "never" is a dead letter at once', async () => {
    for (const at of ['RCPT', 'DATA'] as const) {
      stage.mail.temper = { at, code: 550 };
      if (running.length === 0) await notifier();
      const order = randomUUID();
      await tell(order, await stage.client());
      await stage.reaches(order, 'refused');
      await until(async () => (await deadFor(order)).length === 1, 'its slip is dead', 10_000);
      expect((await deadFor(order))[0]?.headers).toMatchObject({ reason: 'refused' });
      expect(stage.mail.taken().has(messageIdOfEnding(order))).toBe(false);
    }
  }, 60_000);

  test('no name, id or address can write a header, add a recipient or end a command', async () => {
    await notifier();
    const order = `x\r\nBcc: third@example.com\r\n\r\n${randomUUID()}`;
    const clientName = 'Eve\r\n.\r\nMAIL FROM:<eve@example.com>\u2028Bcc: third@example.com';
    await tell(order, await stage.client({ name: clientName, email: 'eve@example.com' }), { clientName });
    await stage.reaches(order, 'sent');
    const [letter] = lettersFor(order);
    const [head = ''] = letter?.raw.split('\r\n\r\n') ?? [];
    const names = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n').map((line) => line.split(':')[0]);
    expect(names.sort()).toEqual(['Auto-Submitted', 'Content-Transfer-Encoding', 'Content-Type', 'Date', 'From', 'MIME-Version', 'Message-ID', 'Subject', 'To']);
    expect(head).toContain('Content-Type: text/plain');
    expect(letter?.recipients).toEqual(['eve@example.com']);

    for (const email of ['a@example.com\r\nRCPT TO:<b@example.com>', 'a@example.com, b@example.com', '<a@example.com> x', 'nobody', 'a b@example.com']) {
      const refused = randomUUID();
      const before = stage.mail.handed.length;
      await tell(refused, await stage.client({ email }));
      await stage.reaches(refused, 'refused');
      expect(stage.mail.handed).toHaveLength(before);
    }
  }, 60_000);

  test('where no address is known none is sent, and that is counted once', async () => {
    await notifier();
    const order = randomUUID();
    const count = async () => (await noticed.get()).values.find(({ labels }) => labels.fate === 'addressless' && labels.topic === 'orders.paid')?.value ?? 0;
    const before = await count();
    await tell(order, 'a client that nobody knows');
    await tell(order, 'a client that nobody knows');
    const next = randomUUID();
    await tell(next, await stage.client());
    await stage.reaches(order, 'addressless');
    await stage.reaches(next, 'sent');
    expect(lettersFor(order)).toEqual([]);
    expect((await count()) - before).toBe(1);
  }, 60_000);

  test("strangers' records are let be, forged and broken ones are dead letters, and those behind them go on", async () => {
    await notifier();
    const client = await stage.client();
    const good = ending(randomUUID(), client);
    const foreign = ending(randomUUID(), client);
    const forged = ending(randomUUID(), client);
    const key = good.key;
    const before = stage.mail.handed.length;
    await stage.producer.send([
      { ...foreign, key, headers: { ...foreign.headers, ce_source: '/elsewhere' } },
      { ...foreign, key, headers: {} },
      { ...forged, key, headers: { ...forged.headers, ce_id: randomUUID() } },
      { ...forged, key, value: Buffer.from('no JSON') },
      { ...forged, key, value: Buffer.from('{}') },
      good,
    ]);
    await stage.reaches(String(key), 'sent');
    for (const { key: order } of [foreign, forged]) expect(await stage.row(String(order))).toBeUndefined();
    expect(stage.mail.handed).toHaveLength(before + 1);
    const dead = await recordsOn(stage.config, 'orders.paid.dlq');
    expect(dead.map(({ headers }) => headers.dlq_error_code).sort()).toEqual(['FZ_RECORD_UNDECODABLE', 'FZ_SCHEMA_INVALID', 'FZ_SCHEMA_INVALID']);
    expect(dead.every(({ headers }) => headers.dlq_group === 'notifications-group' && headers.dlq_topic?.endsWith('orders.paid'))).toBe(true);
  }, 60_000);

  test('RabbitMQ killed again and again costs no letter and doubles none', async () => {
    await notifier();
    const client = await stage.client();
    const orders: string[] = [];
    for (let round = 0; round < 2; round += 1) {
      const more = Array.from({ length: 60 }, () => randomUUID());
      orders.push(...more);
      const sending = stage.producer.send(more.map((id) => ending(id, client)));
      await until(() => lettersFor(more[0] ?? '').length > 0 || stage.mail.handed.length > 0, 'letters are on their way');
      rabbit.kill('rabbitmq');
      await sending;
    }
    for (const id of orders) await stage.reaches(id, 'sent', 90_000);
    for (const id of orders) expect([id, lettersFor(id).length]).toEqual([id, 1]);
  }, 180_000);

  test('a database that is away when the outcome is to be written down does not send the letter twice', async () => {
    let faults = 3;
    const flaky: Queryable = {
      query(text: string, values?: unknown[]) {
        if (text.includes('SET state = $3') && faults > 0) {
          faults -= 1;
          return Promise.reject(new Error('the connection was cut'));
        }
        return stage.db.query(text, values);
      },
    };
    await notifier(flaky);
    const order = randomUUID();
    await tell(order, await stage.client());
    await stage.reaches(order, 'sent');
    expect(faults).toBe(0);
    expect(lettersFor(order)).toHaveLength(1);
  }, 60_000);

  test('a slip that the queue has lost is written anew', async () => {
    const order = randomUUID();
    await tell(order, await stage.client());
    await stage.reaches(order, 'queued');
    await onChannel(url(), (channel) => channel.purgeQueue(QUEUE));
    expect(await remember(stage, 600_000)).toBe(0);
    expect(await remember(stage, 0)).toBe(1);
    await notifier();
    await stage.reaches(order, 'sent');
    expect(lettersFor(order)).toHaveLength(1);
  }, 60_000);
});

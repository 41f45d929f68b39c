import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../src/config';
import { MailboxStore } from '../src/mailbox/store';
import { handOver } from '../src/notify/smtp';
import { PortBook } from '../src/runtime/ports';
import { Secret } from '../src/secret';
import { compiled } from './setup/compiled';

/** The mailbox takes what a mail server would, shows it to people and programs, and has it again after a restart. */

let home: string;
let ports: PortBook;
let smtpPort: number;
let pagePort: number;
let child: ChildProcess;

async function start(): Promise<void> {
  const env = { ...process.env, FAZENDA_HOME: home, MAILBOX_SMTP_PORT: String(smtpPort), MAILBOX_PORT: String(pagePort), LOG_LEVEL: 'silent' };
  child = spawn(process.execPath, [join(await compiled(), 'workers', 'mailbox.js')], { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`the mailbox ended with ${code}`)));
  });
}

async function kill(): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'fazenda-mailbox-'));
  ports = new PortBook();
  [smtpPort, pagePort] = [await ports.claim(11_025), await ports.claim(18_025)];
  await start();
}, 60_000);
afterAll(async () => {
  await kill();
  ports.release();
  rmSync(home, { recursive: true, force: true });
});

const send = (ceId: string, subject: string, text: string) =>
  handOver({ url: new Secret(`smtp://127.0.0.1:${smtpPort}`), from: readConfig({}).MAIL_FROM, timeoutMs: 5_000 }, { ceId, address: 'ana@example.com', subject, text });
const page = (headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${pagePort}/`, { headers });

test('what is sent is shown, newest first, as it was written', async () => {
  expect(await (await page()).json()).toEqual([]);
  const long = `Olá! <script>alert(1)</script> ${'ação '.repeat(60)}\n\n.\nfim`;
  expect(await send('0b6f6fd4-0000-5000-8000-000000000001', 'Pedido não concluído: '.repeat(6).trim(), long)).toEqual({ outcome: 'sent', detail: '' });
  expect(await send('0b6f6fd4-0000-5000-8000-000000000002', 'plain', 'second')).toEqual({ outcome: 'sent', detail: '' });

  const letters = (await (await page()).json()) as unknown[];
  expect(letters).toEqual([
    { messageId: '<0b6f6fd4-0000-5000-8000-000000000002@fazenda>', to: 'ana@example.com', subject: 'plain', text: 'second', at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) },
    { messageId: '<0b6f6fd4-0000-5000-8000-000000000001@fazenda>', to: 'ana@example.com', subject: 'Pedido não concluído: '.repeat(6).trim(), text: long, at: expect.any(String) },
  ]);
  const html = await page({ accept: 'text/html,*/*;q=0.8' });
  expect(html.headers.get('content-type')).toContain('text/html');
  expect(html.headers.get('content-security-policy')).toContain("default-src 'none'");
  const body = await html.text();
  expect(body).toContain('&lt;script&gt;alert(1)');
  expect(body).not.toContain('<script>alert');
});

test('a kill -9 forgets nothing that it said it took', async () => {
  const before = await (await page()).json();
  await kill();
  await start();
  expect(await (await page()).json()).toEqual(before);
  expect(await send('0b6f6fd4-0000-5000-8000-000000000003', 'after', 'third')).toMatchObject({ outcome: 'sent' });
  expect(await (await page()).json()).toHaveLength((before as unknown[]).length + 1);
});

test('a letter that is too large is refused for good', async () => {
  expect(await send('0b6f6fd4-0000-5000-8000-000000000004', 'large', 'x'.repeat(400_000))).toMatchObject({ outcome: 'never' });
});

test('it keeps the last letters and no more, also on disk', () => {
  const folder = join(home, 'bounded');
  const store = new MailboxStore(folder, 3);
  for (const subject of ['a', 'b', 'c', 'd', 'e']) store.add({ messageId: subject, to: 'x', subject, text: '', at: '2026-01-01T00:00:00.000Z' });
  expect(store.all().map(({ subject }) => subject)).toEqual(['e', 'd', 'c']);
  expect(new MailboxStore(folder, 3).all().map(({ subject }) => subject)).toEqual(['e', 'd', 'c']);
});

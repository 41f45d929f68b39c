import type { Notice } from '../kernel/definition';
import type { OrderFacts } from './lifecycle';
import { centsOf, decimalOf } from './money';

type Ended = OrderFacts['OrderPaid'] | OrderFacts['OrderFailed'];

const ended = (data: object) => data as Ended;

/** What the letters of each ending say; the amount stands between the two halves of the news. */
const LETTERS: Readonly<Record<Ended['status'], { readonly subject: string; readonly news: string; readonly next: string }>> = {
  PAGO: {
    subject: 'pagamento confirmado',
    news: 'Recebemos o pagamento do seu pedido',
    next: 'Já estamos preparando tudo para o envio. Obrigado pela preferência!',
  },
  CANCELADO: {
    subject: 'pedido cancelado',
    news: 'O seu pedido foi cancelado',
    next: 'Nada será cobrado. Se não foi você quem pediu o cancelamento, responda a esta mensagem.',
  },
  FALHA: {
    subject: 'pedido não concluído',
    news: 'Não foi possível concluir o seu pedido',
    next: 'Nada será cobrado. Você pode tentar de novo quando quiser.',
  },
};

const outcome: Notice = {
  recipient: { table: 'clients', addressColumn: 'email', id: (data) => ended(data).clientId },
  subject: (data) => `Pedido ${ended(data).orderId}: ${LETTERS[ended(data).status].subject}`,
  text: (data) => {
    const { orderId, clientName, status, total } = ended(data);
    const { news, next } = LETTERS[status];
    return [`Olá${clientName === null ? '' : `, ${clientName}`}!`, '', `${news} ${orderId}, no valor de ${reais(total)}.`, '', next, '', 'Fazenda'].join('\n');
  },
};

/** Both ends of an order are told to its client; the fact's status says which of the three letters it is. */
export const orderNotices = { OrderPaid: outcome, OrderFailed: outcome } satisfies Readonly<Record<string, Notice>>;

/** `R$ 1.234,50`, as amounts are written where these letters are read. */
function reais(units: number): string {
  const [whole = '0', cents = '00'] = decimalOf(centsOf(units) ?? 0).split('.');
  return `R$ ${whole.replace(/\B(?=(\d{3})+$)/g, '.')},${cents}`;
}

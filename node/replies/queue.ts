import { jobCard } from './asked-jobs.ts';
import { alarm, askedMail, cards, heading, items, say } from './blocks.ts';
import type { QueueView } from './command-views.ts';
import { plural, shortId } from './format.ts';
import type { ReplyMail } from './views.ts';

const MAX_JOBS_SHOWN = 100;
const INCOMPLETE = {
  title: 'Lista incompleta',
  lines: ['O outro servidor não respondeu a tempo: pode haver pedidos que não aparecem aqui.'],
};

/** FILA: requests that wait or are being worked. */
export function queueMail(view: QueueView): ReplyMail {
  const { jobs, total, everybody, incomplete, timeZone } = view;
  const shown = jobs.slice(0, MAX_JOBS_SHOWN);
  const more = total - shown.length;
  const first = shown.find(({ state }) => state === 'pending') ?? shown[0];
  return askedMail(view, {
    heading: everybody ? 'Fila de pedidos' : 'Seus pedidos na fila',
    lead: opening(total, everybody),
    blocks: [
      alarm('warning', incomplete ? [INCOMPLETE] : []),
      ...(shown.length === 0 ? [] : [cards(shown.map((job) => jobCard(job, timeZone, everybody)))]),
      ...(more > 0 ? [say(`… e mais ${plural(more, 'pedido', 'pedidos')}.`)] : []),
      ...(first === undefined
        ? []
        : [
            heading('O que você pode fazer'),
            items([
              `Para desistir de um pedido, envie CANCELAR= e o número dele, por exemplo: CANCELAR=${shortId(first.jobId)}`,
            ]),
          ]),
    ],
  });
}

function opening(total: number, everybody: boolean): string {
  if (total === 0) {
    return everybody
      ? 'Não há nenhum pedido na fila.'
      : 'Você não tem nenhum pedido na fila: todos já foram respondidos.';
  }
  const count = plural(total, 'pedido', 'pedidos');
  return everybody ? `Há ${count} na fila, de todas as pessoas.` : `Você tem ${count} na fila.`;
}

import type { Card, Mark } from './cards.ts';
import type { AskedJobView } from './command-views.ts';
import { formatInstant, shortId } from './format.ts';
import { shownSubject } from './subject-line.ts';

/** Of a request that somebody called off. */
export const CANCELLED: Mark = { kind: 'plain', label: 'Cancelado' };
const DONE: Mark = { kind: 'good', label: 'Concluído' };
const FAILED: Mark = { kind: 'bad', label: 'Não concluído' };
const ENDED: Readonly<Record<string, Mark>> = {
  done: DONE,
  delivered: DONE,
  'nothing-found': { kind: 'plain', label: 'Nada encontrado' },
  failed: FAILED,
  cancelled: CANCELLED,
};

/** Where a request stands, in a word or two. */
export function jobMark({ state, position, ended }: AskedJobView): Mark {
  const known = ended !== null && Object.hasOwn(ENDED, ended) ? ENDED[ended] : undefined;
  if (known !== undefined) return known;
  if (state === 'completed') return DONE;
  if (state === 'failed') return FAILED;
  if (state === 'processing') return { kind: 'good', label: 'Em andamento' };
  if (position === null) return { kind: 'plain', label: 'Aguardando' };
  return { kind: 'plain', label: position <= 1 ? 'É o próximo' : `${position}º na fila` };
}

/** A request as one of several. */
export function jobCard(job: AskedJobView, timeZone: string, withRequester: boolean): Card {
  return {
    title: shownSubject(job.subject),
    mark: jobMark(job),
    lines: [
      `Pedido ${shortId(job.jobId)}, recebido em ${formatInstant(job.acceptedAt, timeZone)}`,
      ...(withRequester && job.requester !== null ? [`Solicitante: ${job.requester}`] : []),
    ],
  };
}

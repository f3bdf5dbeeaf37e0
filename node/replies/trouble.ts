import { AREA, PRODUCT } from './catalogue.ts';
import { failureSentence } from './failure-sentences.ts';
import { copyBox, pairs, paragraph, section } from './components.ts';
import { formatInstant, shortId } from './format.ts';
import { page } from './page.ts';
import { footerText, jobFooter, type Pair, requestPairs } from './parts.ts';
import { replySubject, shownSubject } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { DelayedView, FailedView, ReplyMail, RequestView } from './views.ts';

/** The job was given up: what happened in plain words, that the admin knows, and what to do. */
export function failedMail(view: FailedView): ReplyMail {
  const { happened, advice } = failureSentence(view.code, view.request !== null);
  const tried = view.attempts > 1 ? ` Tentamos ${view.attempts} vezes.` : '';
  return troubleMail(view, {
    heading: 'O pedido não pôde ser concluído',
    lead: `${happened}${tried}`,
    paragraphs: [
      advice,
      `O administrador também recebeu este e-mail. Se falar com ele, informe o pedido ${shortId(view.jobId)}.`,
    ],
    rows: [...asked(view.request, null), ['Motivo técnico', view.code]],
    recordings: view.request !== null,
  });
}

/** The job waits: it goes on by itself, nobody has to do anything. */
export function delayedMail(view: DelayedView): ReplyMail {
  const { happened } = failureSentence(view.code, view.request !== null);
  const next =
    view.nextAttemptAt === null
      ? 'Vamos tentar de novo assim que possível.'
      : `A próxima tentativa é em ${formatInstant(view.nextAttemptAt, view.timeZone)}.`;
  return troubleMail(view, {
    heading: 'O pedido vai demorar um pouco mais',
    lead: `${happened} ${next}`,
    paragraphs: [
      'Você não precisa fazer nada: o pedido está guardado, e o resultado chega nesta mesma conversa.',
    ],
    rows: asked(view.request, view.timeZone),
    recordings: view.request !== null,
  });
}

/** What was asked for, as it was understood; a command for no recordings is shown as it was written. */
function asked(request: RequestView | null, timeZone: string | null): Pair[] {
  return request === null ? [] : requestPairs(request, timeZone);
}

interface Trouble {
  readonly heading: string;
  readonly lead: string;
  readonly paragraphs: readonly string[];
  readonly rows: readonly Pair[];
  readonly recordings: boolean;
}

function troubleMail(
  { subject, jobId }: { readonly subject: string; readonly jobId: string },
  { heading, lead, paragraphs, rows, recordings }: Trouble,
): ReplyMail {
  const footer = jobFooter(jobId, subject);
  const written = recordings ? null : shownSubject(subject);
  const text = new TextMail().title(heading, '=').paragraph(lead);
  for (const sentence of paragraphs) text.paragraph(sentence);
  text.title('O pedido');
  if (written !== null) text.verbatim(written).blank();
  if (rows.length > 0) text.pairs(rows);
  footerText(text, footer);
  return {
    subject: replySubject(subject),
    text: text.toString(),
    html: page({
      title: heading,
      area: recordings ? PRODUCT : AREA.requests,
      preheader: `${heading}: ${lead}`,
      heading,
      lead,
      body: [
        paragraphs.map((sentence) => paragraph(sentence)),
        section('O pedido'),
        written !== null && copyBox(written),
        rows.length > 0 && pairs(rows),
      ],
      footer,
    }),
  };
}

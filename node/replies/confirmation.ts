import { LABEL, measuredSentence, positionSentence } from './catalogue.ts';
import { pairs, paragraph } from './components.ts';
import { shortId } from './format.ts';
import { page } from './page.ts';
import { extensionsPhrase, footerText, jobFooter, jobPairs, type Pair, rangePhrase } from './parts.ts';
import { replySubject } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { ConfirmationView, ReplyMail } from './views.ts';

const HEADING = 'Pedido recebido';
/** Said where the other server has not said when it begins: it may have been reached by file, or not yet. */
const AWAITED =
  'Estas gravações ficam em outro servidor, que ainda não informou o lugar do pedido na fila. O pedido está guardado e segue sozinho: você não precisa fazer nada.';
const NEXT =
  'O resultado chega em outro e-mail, nesta mesma conversa. Se algo acima não for o que você queria, envie um novo pedido com o assunto corrigido.';

/** The request has been taken: what was understood, and where it stands in its lane. */
export function confirmationMail(view: ConfirmationView): ReplyMail {
  const { extensions } = view.request;
  const whose = `${extensions.length === 1 ? 'do' : 'dos'} ${extensionsPhrase(extensions)}`;
  const found = view.measured === null ? '' : ` ${measuredSentence(view.measured)}`;
  const lead = `Entendemos o seu pedido: gravações ${whose}, de ${rangePhrase(view.request)}.${found}`;
  const situation = positionSentence(view.position, view.measured !== null && view.measured.count > 0);
  const rows: Pair[] = [...jobPairs(view), [LABEL.position, situation], [LABEL.request, shortId(view.jobId)]];
  const footer = jobFooter(view.jobId, view.request.subject);
  const paragraphs = view.position === null ? [AWAITED, NEXT] : [NEXT];
  const text = new TextMail().title(HEADING, '=').paragraph(lead).blank().pairs(rows);
  for (const sentence of paragraphs) text.paragraph(sentence);
  footerText(text, footer);
  return {
    subject: replySubject(view.request.subject),
    text: text.toString(),
    html: page({
      title: HEADING,
      preheader: `${HEADING}: ${extensionsPhrase(view.request.extensions)}, ${rangePhrase(view.request)}.${found} Situação: ${situation}.`,
      heading: HEADING,
      lead,
      body: [pairs(rows), paragraphs.map((sentence) => paragraph(sentence))],
      footer,
    }),
  };
}

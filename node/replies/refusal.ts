import type { Fault } from '../commands/command.ts';
import {
  ACCESS_REFUSAL,
  AREA,
  AUTOMATIC,
  CONFIRM_HINT,
  CORRECTED,
  OR_OPEN,
  PREPARE,
  TOKEN_HINT,
} from './catalogue.ts';
import { button, copyBox, paragraph, section } from './components.ts';
import { html } from './html.ts';
import { page } from './page.ts';
import { boxes, faultGroups, footerText, groupsText, receivedHtml } from './parts.ts';
import { cutText, mailtoLink, replySubject, shownSubject, subjectToSend } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { AccessRefusalView, RefusalView, ReplyMail } from './views.ts';

const HEADING = 'Pedido não aceito';
/** Where nothing is wrong with the request: the system cannot take it now. */
const LATER = {
  heading: 'Pedido não aceito por enquanto',
  lead: 'O seu pedido está certo, mas não foi possível aceitá-lo agora. Nada foi feito.',
  toSend: 'Assunto para enviar mais tarde',
  hint: 'O pedido não ficou guardado: é preciso enviá-lo de novo.',
  press: 'Preparar o e-mail',
} as const;
const CORRECT = {
  heading: HEADING,
  toSend: CORRECTED,
  hint: CONFIRM_HINT,
  press: PREPARE,
} as const;
const MAX_PREHEADER_LENGTH = 300;

/** The request cannot be carried out as it stands: every fault under its field, and a corrected subject. */
export function refusalMail(view: RefusalView): ReplyMail {
  const groups = faultGroups(view.faults);
  const words = wordsFor(view.faults);
  const send = view.corrected === null ? null : subjectToSend(view.corrected, view.tokenRequired);
  const mailto = send === null || view.mailbox === null ? null : mailtoLink(view.mailbox, send);
  const hint = view.tokenRequired ? `${words.hint} ${TOKEN_HINT}` : words.hint;

  const text = new TextMail().title(words.heading, '=').paragraph(words.lead);
  groupsText(text, groups);
  // Where nothing is to be corrected, the subject is told once.
  const received = words === LATER && send !== null ? null : view.subject;
  if (received !== null) text.title('Assunto recebido').verbatim(shownSubject(received));
  if (send !== null) {
    text.title(words.toSend).verbatim(send).paragraph(hint);
    if (mailto !== null) text.paragraph(OR_OPEN).link(mailto, '  ');
  }
  footerText(text, [AUTOMATIC]);

  const told = groups.map(({ title, lines }) => `${title}: ${lines[0] ?? ''}`).join(' ');
  return {
    subject: replySubject(view.subject),
    text: text.toString(),
    html: page({
      title: words.heading,
      area: AREA.requests,
      preheader: cutText(`${words.heading}: ${told}`, MAX_PREHEADER_LENGTH),
      heading: words.heading,
      lead: words.lead,
      body: [
        boxes(words === LATER ? 'warning' : 'error', groups),
        received !== null && receivedHtml(received, copyBox),
        send !== null && [
          section(words.toSend),
          copyBox(send),
          paragraph(hint),
          mailto !== null && html`<p style="margin:0">${button(mailto, words.press)}</p>`,
        ],
      ],
      footer: [AUTOMATIC],
    }),
  };
}

interface Words {
  readonly heading: string;
  readonly lead: string;
  readonly toSend: string;
  readonly hint: string;
  readonly press: string;
}

function wordsFor(faults: readonly Fault[]): Words {
  if (faults.length > 0 && faults.every(({ field }) => field === 'SYSTEM')) return LATER;
  const what = faults.length === 1 ? 'Veja o que corrigir:' : `Veja os ${faults.length} pontos a corrigir:`;
  return { ...CORRECT, lead: `Não foi possível atender o seu pedido. Nada foi feito. ${what}` };
}

/** Nobody looked at the request: its sender may not ask, or has no good token. Says how to get in; shows no token. */
export function accessRefusalMail(view: AccessRefusalView): ReplyMail {
  const { heading, said, fix } = ACCESS_REFUSAL[view.reason];
  const admin =
    view.adminEmail === null ? 'o administrador do sistema' : `o administrador: ${view.adminEmail}`;
  const how = `Se você precisa de acesso, fale com ${admin}.`;
  const once = 'Para evitar excesso de e-mails, este aviso é enviado no máximo uma vez por dia.';
  const text = new TextMail().title(heading, '=').paragraph(said).paragraph(fix).paragraph(how);
  text.title('Assunto recebido').verbatim(shownSubject(view.subject));
  footerText(text, [once, AUTOMATIC]);
  return {
    subject: replySubject(view.subject),
    text: text.toString(),
    html: page({
      title: heading,
      area: AREA.requests,
      preheader: said,
      heading,
      lead: said,
      body: [paragraph(fix), paragraph(how), receivedHtml(view.subject, copyBox)],
      footer: [once, AUTOMATIC],
    }),
  };
}

import { ACCESS_REFUSAL, AREA, AUTOMATIC, TOKEN_PLACEHOLDER } from './catalogue.ts';
import { button, copyBox, paragraph, section } from './components.ts';
import { html } from './html.ts';
import { page } from './page.ts';
import { boxes, faultGroups, footerText, groupsText, receivedHtml } from './parts.ts';
import { mailtoLink, replySubject, shownSubject, subjectToSend } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { AccessRefusalView, RefusalView, ReplyMail } from './views.ts';

const HEADING = 'Pedido não aceito';
const TOKEN_HINT = `Antes de enviar, troque ${TOKEN_PLACEHOLDER} pelo seu token, entre colchetes.`;
const CONFIRM_HINT = 'Confira se é isto que você quer antes de enviar.';

/** The request cannot be carried out as it stands: every fault under its field, and a corrected subject. */
export function refusalMail(view: RefusalView): ReplyMail {
  const groups = faultGroups(view.faults);
  const lead =
    view.faults.length === 1
      ? 'Não foi possível atender o seu pedido. Nada foi feito. Veja o que corrigir:'
      : `Não foi possível atender o seu pedido. Nada foi feito. Veja os ${view.faults.length} pontos a corrigir:`;
  const send = view.corrected === null ? null : subjectToSend(view.corrected, view.tokenRequired);
  const mailto = send === null || view.mailbox === null ? null : mailtoLink(view.mailbox, send);
  const hint = view.tokenRequired ? `${CONFIRM_HINT} ${TOKEN_HINT}` : CONFIRM_HINT;

  const text = new TextMail().title(HEADING, '=').paragraph(lead);
  groupsText(text, groups);
  text.title('Assunto recebido').verbatim(shownSubject(view.subject));
  if (send !== null) {
    text.title('Assunto corrigido, para copiar').verbatim(send).paragraph(hint);
    if (mailto !== null) text.paragraph('Ou abra este link, que prepara o e-mail:').link(mailto, '  ');
  }
  footerText(text, [AUTOMATIC]);

  return {
    subject: replySubject(view.subject),
    text: text.toString(),
    html: page({
      title: HEADING,
      area: AREA.requests,
      preheader:
        `${HEADING}: ${groups.map(({ title, lines }) => `${title}: ${lines[0] ?? ''}`).join(' ')}`.slice(
          0,
          300,
        ),
      heading: HEADING,
      lead,
      body: [
        boxes('error', groups),
        receivedHtml(view.subject, copyBox),
        send !== null && [
          section('Assunto corrigido, para copiar'),
          copyBox(send),
          paragraph(hint),
          mailto !== null && html`<p style="margin:0">${button(mailto, 'Preparar e-mail corrigido')}</p>`,
        ],
      ],
      footer: [AUTOMATIC],
    }),
  };
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

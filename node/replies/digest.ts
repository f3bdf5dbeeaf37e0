import { AREA, AUTOMATIC } from './catalogue.ts';
import { remark, section } from './components.ts';
import type { DigestView } from './command-views.ts';
import { digestBody, type DigestLine } from './digest-body.ts';
import { formatInstant, plural } from './format.ts';
import { type Html, html } from './html.ts';
import { page } from './page.ts';
import { footerText } from './parts.ts';
import { cutText, shownSubject } from './subject-line.ts';
import { TextMail } from './text.ts';
import { LINK } from './theme.ts';
import type { ReplyMail } from './views.ts';

const MAX_ITEMS = 60;
/** Of the texts together: the mail stays below what Gmail clips. */
const MAX_CHARACTERS = 45_000;
const MAX_PREHEADER_LENGTH = 300;
const WHY =
  'O sistema chegou ao número de e-mails que pode enviar por dia, por isso estas respostas chegam juntas. Os pedidos foram atendidos normalmente.';

interface Shown {
  readonly title: string;
  readonly about: string;
  readonly lines: readonly DigestLine[];
}

/** Answers that were held back, in one mail: the newest where not all fit, in the order they were made. */
export function digestMail(view: DigestView): ReplyMail {
  const shown = shownItems(view);
  const total = view.items.length;
  const missing = total - shown.length;
  const title = `Resumo: ${plural(total, 'resposta', 'respostas')}`;
  const rest =
    missing === 0
      ? null
      : `${plural(missing, 'resposta não coube', 'respostas não couberam')} neste e-mail. Para saber dos seus pedidos, envie FILA; para receber gravações de novo, envie REENVIAR= e o número do pedido.`;
  const text = new TextMail().title(title, '=').paragraph(WHY);
  if (rest !== null) text.paragraph(rest);
  for (const item of shown) itemText(text, item);
  footerText(text, [AUTOMATIC]);
  return {
    subject: title,
    text: text.toString(),
    html: page({
      title,
      area: AREA.requests,
      preheader: cutText(`${title}: ${shown.map((item) => item.title).join('; ')}`, MAX_PREHEADER_LENGTH),
      heading: title,
      lead: WHY,
      body: [rest !== null && html`<p style="margin:0 0 12px">${rest}</p>`, shown.map(itemHtml)],
      footer: [AUTOMATIC],
    }),
  };
}

/** From the newest back, as many as fit; at least that one, cut. */
function shownItems({ items, timeZone }: DigestView): Shown[] {
  const shown: Shown[] = [];
  let left = MAX_CHARACTERS;
  for (const { subject, at, text } of items.toReversed().slice(0, MAX_ITEMS)) {
    const { title, lines, length } = digestBody(text, MAX_CHARACTERS);
    if (length > left && shown.length > 0) break;
    left -= length;
    const about = `${formatInstant(at, timeZone)} · ${shownSubject(subject)}`;
    shown.push({ title: title ?? shownSubject(subject), about, lines });
  }
  return shown.toReversed();
}

function itemText(mail: TextMail, { title, about, lines }: Shown): void {
  mail.blank().title(title, '=').line(about).blank();
  for (const line of lines) {
    if (line.kind === 'link') mail.link(line.url, '  ');
    else if (line.kind === 'blank') mail.blank();
    else if (line.kind === 'heading') mail.title(line.text);
    else if (line.text.startsWith('- ')) mail.line(line.text);
    else mail.line(line.text, '', '');
  }
}

function itemHtml({ title, about, lines }: Shown): Html {
  return html`${section(title)}${remark(about)}
    <div style="margin:8px 0 22px;font-size:14px;line-height:21px;overflow-wrap:anywhere">
      ${lines.map(lineHtml)}
    </div>`;
}

function lineHtml(line: DigestLine): Html {
  switch (line.kind) {
    case 'blank':
      return html`<div style="line-height:10px">&nbsp;</div>`;
    case 'heading':
      return html`<div style="margin-top:6px"><strong>${line.text}</strong></div>`;
    case 'link':
      return html`<div><a class="lk" href="${line.url}" style="display:inline-block;line-height:44px;color:${LINK}">Abrir</a></div>`;
    default:
      return html`<div>${line.text}</div>`;
  }
}

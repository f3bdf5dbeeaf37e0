import { type Card, cardTable } from './cards.ts';
import { AREA, AUTOMATIC, LABEL } from './catalogue.ts';
import type { AskedView } from './command-views.ts';
import { bullets, button, copyBox, notes, pairs, paragraph, section } from './components.ts';
import { shortId } from './format.ts';
import { html, type HtmlValue } from './html.ts';
import { page } from './page.ts';
import { boxes, footerText, type Group, groupsText, type Pair } from './parts.ts';
import { cutText, replySubject, shownSubject } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { ReplyMail } from './views.ts';

const MAX_PREHEADER_LENGTH = 300;

/** A piece of a mail, in both its forms: so neither says what the other does not. */
export interface Block {
  readonly html: HtmlValue;
  readonly text: (mail: TextMail) => void;
}

/** A paragraph. */
export function say(sentence: string): Block {
  return { html: paragraph(sentence), text: (mail) => mail.paragraph(sentence) };
}

/** The heading of what follows. */
export function heading(title: string): Block {
  return { html: section(title), text: (mail) => mail.title(title) };
}

/** Labels and values. */
export function facts(rows: readonly Pair[]): Block {
  return { html: pairs(rows), text: (mail) => mail.blank().pairs(rows) };
}

/** Things to do or to check. */
export function items(sentences: readonly string[]): Block {
  return { html: bullets(sentences), text: (mail) => itemsText(mail, sentences) };
}

/** Small print. */
export function small(sentences: readonly string[]): Block {
  return { html: notes(sentences), text: (mail) => itemsText(mail, sentences) };
}

/** Boxes to be seen first. */
export function alarm(kind: 'warning' | 'error', groups: readonly Group[]): Block {
  return { html: boxes(kind, groups), text: (mail) => groupsText(mail, groups) };
}

/** A text to be copied as it is. */
export function copy(text: string): Block {
  return { html: copyBox(text), text: (mail) => mail.blank().verbatim(text).blank() };
}

/** The one big thing to press. */
export function press(url: string, label: string, introduction: string): Block {
  return {
    html: html`<p style="margin:0 0 12px">${button(url, label)}</p>`,
    text: (mail) => mail.paragraph(introduction).link(url, '  '),
  };
}

/** One thing of several under another. */
export function cards(list: readonly Card[]): Block {
  return {
    html: cardTable(list),
    text: (mail) => {
      for (const card of list) cardText(mail.blank(), card);
    },
  };
}

function itemsText(mail: TextMail, sentences: readonly string[]): void {
  mail.blank();
  for (const sentence of sentences) mail.item(sentence);
}

/** A link whose text is what it opens needs no address in plain text. */
function cardText(
  mail: TextMail,
  { title, mark, lines, verbatim = [], small: fine = [], links = [] }: Card,
): void {
  mail.line(mark === null ? title : `${title} — ${mark.label.toUpperCase()}`);
  for (const line of lines) mail.line(line, '  ', line.startsWith('•') ? '    ' : '  ');
  for (const line of verbatim) mail.line(line, '    ');
  for (const line of fine) mail.line(line, '  ');
  if (links.length > 0) mail.blank();
  for (const { label } of links) mail.verbatim(label);
}

/** What a mail made of blocks says before and after them. */
export interface Answer {
  /** As received, without its token. */
  readonly subject: string;
  readonly area: string;
  readonly heading: string;
  readonly lead: string;
  /** Beside the subject in an inbox; heading and lead unless told. */
  readonly preheader?: string;
  readonly blocks: readonly Block[];
  readonly footer: readonly string[];
}

/** A mail made of blocks. */
export function blockMail(answer: Answer): ReplyMail {
  const { subject, area, heading: title, lead, blocks, footer } = answer;
  const text = new TextMail().title(title, '=').paragraph(lead);
  for (const block of blocks) block.text(text);
  footerText(text, footer);
  return {
    subject: replySubject(subject),
    text: text.toString(),
    html: page({
      title,
      area,
      preheader: cutText(answer.preheader ?? `${title}: ${lead}`, MAX_PREHEADER_LENGTH),
      heading: title,
      lead,
      body: blocks.map((block) => block.html),
      footer,
    }),
  };
}

/** The answer to a command that is no RAMAIS. */
export function askedMail(
  { subject, jobId }: AskedView,
  answer: Pick<Answer, 'heading' | 'lead' | 'blocks'> & { readonly area?: string },
): ReplyMail {
  const footer = [
    `${LABEL.request} ${shortId(jobId)} · ${LABEL.subject}: ${shownSubject(subject)}`,
    AUTOMATIC,
  ];
  return blockMail({ area: AREA.requests, ...answer, subject, footer });
}

import { AREA, LABEL } from './catalogue.ts';
import { pairs, paragraph } from './components.ts';
import { formatInstant } from './format.ts';
import { tidy } from './html.ts';
import { NOTICE } from './notice-sentences.ts';
import { page } from './page.ts';
import { boxes, faultGroups, footerText, groupsText, type Pair } from './parts.ts';
import { cutText, shownSubject } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { NoticeView, ReplyMail } from './views.ts';

const MAX_DETAILS = 30;
const MAX_DETAIL_LENGTH = 500;
const MAX_ABOUT_LENGTH = 70;
const FOOTER = 'Aviso automático a quem administra o sistema.';

/** Tells the admin of something outside any request: what happened, what it means, what is to be done. */
export function noticeMail(view: NoticeView): ReplyMail {
  const { heading, meaning, advice } = NOTICE[view.kind];
  const sentences = [meaning, view.note ?? '', advice].filter((sentence) => sentence !== '');
  const groups = faultGroups(view.faults);
  const rows: Pair[] = [
    ...view.details
      .slice(0, MAX_DETAILS)
      .map(([label, value]) => [label, cutText(shownSubject(value), MAX_DETAIL_LENGTH)] as const),
    [LABEL.when, formatInstant(view.at, view.timeZone)],
    [LABEL.node, view.nodeId],
  ];
  const [lead = heading, ...rest] = sentences;
  const text = new TextMail().title(heading, '=').paragraph(lead);
  groupsText(text, groups);
  for (const sentence of rest) text.paragraph(sentence);
  text.blank().pairs(rows);
  footerText(text, [FOOTER]);
  return {
    subject: subjectOf(view, heading),
    text: text.toString(),
    html: page({
      title: heading,
      area: AREA.system,
      preheader: lead,
      heading,
      lead,
      body: [boxes('error', groups), rest.map((sentence) => paragraph(sentence)), pairs(rows)],
      footer: [FOOTER],
    }),
  };
}

/**
 * `[Parelha audio] E-mail em quarentena: ana@example.com`: sorts by node and kind, is found by what it is about, and
 * keeps alerts about different things out of one conversation.
 */
function subjectOf({ kind, nodeId, details }: NoticeView, heading: string): string {
  const { about } = NOTICE[kind];
  const values = about.flatMap((label) => details.find(([name]) => name === label)?.[1] ?? []);
  const subject = `[Parelha ${tidy(nodeId)}] ${heading}`;
  return values.length === 0
    ? subject
    : `${subject}: ${cutText(values.map(shownSubject).join(', '), MAX_ABOUT_LENGTH)}`;
}

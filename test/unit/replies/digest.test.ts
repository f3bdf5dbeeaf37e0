import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestBody } from '../../../node/replies/digest-body.ts';
import { digestMail } from '../../../node/replies/digest.ts';
import { TextMail } from '../../../node/replies/text.ts';
import { GMAIL_CLIP_BYTES, samples } from './samples.ts';

const AT = Temporal.Instant.from('2025-10-28T18:04:00Z');
const MANY = 100_000;

test('what was wrapped is read back into whole paragraphs', () => {
  const word = fc.stringMatching(/^[a-zà-ü]{1,14}$/);
  const paragraph = fc.array(word, { minLength: 1, maxLength: 60 }).map((words) => words.join(' '));
  fc.assert(
    fc.property(fc.array(paragraph, { minLength: 1, maxLength: 6 }), (paragraphs) => {
      const mail = new TextMail().title('Título', '=');
      for (const text of paragraphs) mail.paragraph(text);
      const { title, lines } = digestBody(mail.toString(), MANY);
      expect(title).toBe('Título');
      expect(lines.flatMap((line) => (line.kind === 'line' ? [line.text] : []))).toEqual(paragraphs);
    }),
  );
});

test('headings, items and links of an answer stay what they are', () => {
  const url = 'https://audio.example.com/r/3f9a?e=1&s=x';
  const mail = new TextMail().title('Gravações', '=').title('Baixar').item('um').item('dois').link(url, '  ');
  expect(digestBody(mail.toString(), MANY)).toMatchObject({
    title: 'Gravações',
    lines: [
      { kind: 'heading', text: 'Baixar' },
      { kind: 'line', text: '- um' },
      { kind: 'line', text: '- dois' },
      { kind: 'link', url },
    ],
  });
});

test('a link that is none of ours is text', () => {
  const { lines } = digestBody('javascript:alert(1)\nhttps://\n', MANY);
  expect(lines.every(({ kind }) => kind === 'line')).toBe(true);
});

test('the newest answers are kept where not all fit, in the order they were made, and the rest is counted', () => {
  const text = samples()['result-many']?.text ?? '';
  const items = Array.from({ length: 30 }, (_, index) => ({
    subject: `Re: pedido ${index}`,
    at: AT.add({ minutes: index }),
    text: index % 3 === 0 ? text : 'Pronto\n======\n\nEstá feito.\n',
  }));
  const mail = digestMail({ items, timeZone: 'UTC' });
  const shown = [...mail.text.matchAll(/Re: pedido (\d+)/g)].map(([, index]) => Number(index));
  expect(shown.at(-1)).toBe(29);
  expect(shown).toEqual(shown.toSorted((a, b) => a - b));
  expect(shown.length).toBeLessThan(30);
  expect(mail.text).toMatch(/^Resumo: 30 respostas\n/);
  expect(mail.text).toContain(`${30 - shown.length} respostas não couberam`);
  expect(Buffer.byteLength(mail.html)).toBeLessThan(GMAIL_CLIP_BYTES);
});

test('an answer longer than a mail is cut, and says so', () => {
  const text = `Longo\n=====\n\n${'palavra '.repeat(20_000)}\n`.replaceAll(/(.{72}) /g, '$1\n');
  const mail = digestMail({ items: [{ subject: 'x', at: AT, text }], timeZone: 'UTC' });
  expect(mail.text).toContain('o restante não coube');
  expect(mail.text).not.toContain('não couberam');
  expect(Buffer.byteLength(mail.html)).toBeLessThan(GMAIL_CLIP_BYTES);
});

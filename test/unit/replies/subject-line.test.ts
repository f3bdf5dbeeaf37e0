import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mailtoLink, replySubject, shownSubject, subjectToSend } from '../../../node/replies/subject-line.ts';

test('an answer keeps the subject behind one Re:', () => {
  expect(replySubject('RAMAIS=1121')).toBe('Re: RAMAIS=1121');
  expect(replySubject('RE: RAMAIS=1121')).toBe('RE: RAMAIS=1121');
  expect(replySubject('ENC: RAMAIS=1121')).toBe('Re: ENC: RAMAIS=1121');
  expect(replySubject('  ')).toBe('Re: (sem assunto)');
});

test('a token that slipped through is not quoted', () => {
  expect(replySubject('Re: [0badf00d] [ 0BADF00D ] RAMAIS=1121')).toBe('Re: RAMAIS=1121');
});

test('whatever the subject, the header is one bounded line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (subject) => {
      const line = replySubject(subject);
      // eslint-disable-next-line no-control-regex
      expect(line).not.toMatch(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E]/);
      expect(line.length).toBeLessThanOrEqual(904);
      expect(shownSubject(line)).not.toBe('');
    }),
  );
});

test('the link to send a subject brings exactly that subject', () => {
  const send = subjectToSend('RAMAIS=1121 & "x"?#\uD800', true);
  const url = new URL(mailtoLink('gravacoes+x@example.com', send));
  expect(decodeURIComponent(url.pathname)).toBe('gravacoes+x@example.com');
  expect(url.searchParams.get('subject')).toBe('[SEU_TOKEN] RAMAIS=1121 & "x"?#\uFFFD');
});

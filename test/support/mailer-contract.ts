import { expect, test, type describe as vitestDescribe } from 'vitest';
import type { Mailer, OutgoingMail } from '../../node/mail/mailer.ts';
import { codeOf } from '../../node/platform/errors.ts';

export interface MailerHarness extends AsyncDisposable {
  readonly mailer: Mailer;
  /** How many mails with this Message-ID have arrived at this address, once there is one. */
  arrived(address: string, messageId: string): Promise<number>;
  /** The same without waiting for one. */
  arrivedNow(address: string, messageId: string): Promise<number>;
}

let count = 0;

export function outgoing(change: Partial<OutgoingMail> = {}): OutgoingMail {
  count += 1;
  return {
    messageId: `<${process.pid}.${count}.result.0@example.test>`,
    to: ['admin@example.test'],
    cc: ['ana@example.test'],
    subject: 'Gravações encontradas: ramal 1121',
    text: 'Olá! Encontramos 3 gravações.\n',
    html: '<p>Olá! Encontramos <b>3</b> gravações.</p>\n',
    inReplyTo: '<question@example.test>',
    references: ['<first@example.test>', '<question@example.test>'],
    ...change,
  };
}

/** What every mailer keeps. `describe` is vitest's, or that of `needs` for one on a real server. */
export function mailerContract(
  describe: typeof vitestDescribe | ReturnType<typeof vitestDescribe.skipIf>,
  label: string,
  make: () => Promise<MailerHarness>,
): void {
  describe(`a mailer (${label})`, () => {
    const { signal } = new AbortController();

    test('hands a mail to the server for each recipient once and gives its answer', async () => {
      await using it = await make();
      const mail = outgoing();
      expect(await it.mailer.send(mail, signal)).toEqual({
        response: expect.stringMatching(/^250 /),
        deferred: [],
        refused: [],
      });
      for (const address of ['admin@example.test', 'ana@example.test']) {
        expect(await it.arrived(address, mail.messageId)).toBe(1);
      }
    });

    test('sends several at the same time', async () => {
      await using it = await make();
      const mails = Array.from({ length: 8 }, () => outgoing({ cc: [] }));
      await Promise.all(mails.map((mail) => it.mailer.send(mail, signal)));
      for (const mail of mails) expect(await it.arrived('admin@example.test', mail.messageId)).toBe(1);
    });

    test('sends only to some of those it names where it is told so', async () => {
      await using it = await make();
      const mail = outgoing({ only: ['ana@example.test'] });
      await it.mailer.send(mail, signal);
      const other = outgoing({ to: ['admin@example.test'], cc: [] });
      await it.mailer.send(other, signal);
      expect(await it.arrived('ana@example.test', mail.messageId)).toBe(1);
      expect(await it.arrived('admin@example.test', other.messageId)).toBe(1);
      expect(await it.arrivedNow('admin@example.test', mail.messageId)).toBe(0);
    });

    test('refuses for good what has nobody to go to', async () => {
      await using it = await make();
      expect(await it.mailer.send(outgoing({ to: [], cc: [] }), signal).catch(codeOf)).toBe('mail.rejected');
    });

    test('does not begin what was given up, and sends nothing after its end', async () => {
      await using it = await make();
      expect(await it.mailer.send(outgoing(), AbortSignal.abort()).catch(codeOf)).toBe('mail.unavailable');
      await it.mailer.close();
    });
  });
}

import { expect, test, type describe as vitestDescribe } from 'vitest';
import type { Mailbox } from '../../node/mail/mailbox.ts';
import { codeOf } from '../../node/platform/errors.ts';
import { mailSource } from './mails.ts';
import { eventually } from './process.ts';

export interface MailboxHarness extends AsyncDisposable {
  readonly mailbox: Mailbox;
  /** Puts a mail into the mailbox. */
  deliver(raw: string): Promise<void>;
  /** Ends the sessions of the mailbox's user. */
  kick(): Promise<void>;
  /** The flags of the mails, by UID. */
  flags(): Promise<ReadonlyMap<number, readonly string[]>>;
}

const LIMIT = 1_000_000;
const HINT_MS = 10_000;

/** What every mailbox keeps. `describe` is vitest's, or that of `needs` for one on a real server. */
export function mailboxContract(
  describe: typeof vitestDescribe | ReturnType<typeof vitestDescribe.skipIf>,
  label: string,
  make: () => Promise<MailboxHarness>,
): void {
  describe(`a mailbox (${label})`, () => {
    const { signal } = new AbortController();

    test('lists mails after a UID in ascending order, no more than asked for', async () => {
      await using it = await make();
      for (const name of ['one', 'two', 'three']) await it.deliver(mailSource({ subject: name }));
      const session = await it.mailbox.open(signal);
      const all = await session.listAfter(0, 10);
      const uids = all.map((mail) => mail.uid);
      expect(uids).toHaveLength(3);
      expect(uids).toEqual(uids.toSorted((a, b) => a - b));
      expect(session.uidNext).toBe(uids[2]! + 1);
      expect(all.every((mail) => !mail.seen && mail.sizeBytes > 50)).toBe(true);
      expect((await session.listAfter(0, 2)).map((mail) => mail.uid)).toEqual(uids.slice(0, 2));
      expect((await session.listAfter(uids[0]!, 10)).map((mail) => mail.uid)).toEqual(uids.slice(1));
      expect(await session.listAfter(uids[2]!, 10)).toEqual([]);
      await session.close();
      const fresh = await it.mailbox.open(signal);
      expect(await fresh.listAfter(uids[2]!, 10)).toEqual([]);
      await fresh.close();
    });

    test('lists mails by the time the server took them in', async () => {
      await using it = await make();
      await it.deliver(mailSource());
      const session = await it.mailbox.open(signal);
      const [mail] = await session.listAfter(0, 1);
      const at = mail!.receivedAt;
      expect(await session.listSince(at, 10)).toEqual([mail]);
      expect(await session.listSince(at.subtract({ hours: 30 }), 10)).toEqual([mail]);
      expect(await session.listSince(at.add({ seconds: 1 }), 10)).toEqual([]);
      await session.close();
    });

    test('reads a mail whole without marking it, and the headers alone of one that is too large', async () => {
      await using it = await make();
      await it.deliver(mailSource({ subject: 'small' }));
      await it.deliver(mailSource({ subject: 'large', body: `${'x'.repeat(70)}\r\n`.repeat(200) }));
      const session = await it.mailbox.open(signal);
      const uids = (await session.listAfter(0, 10)).map((mail) => mail.uid);
      const [small, large] = await session.read(uids, 5_000);
      expect(small).toMatchObject({ uid: uids[0], truncated: false });
      expect(small?.raw.toString()).toContain('Obrigada.');
      expect(large).toMatchObject({ uid: uids[1], truncated: true });
      expect(large?.raw.toString()).toContain('Subject: large');
      expect(large?.raw.toString()).not.toContain('xxx');
      for (const uid of uids)
        expect((await session.read([uid], LIMIT))[0]).toMatchObject({ uid, truncated: false });
      expect((await session.listAfter(0, 10)).map((mail) => mail.seen)).toEqual([false, false]);
      await session.close();
    });

    test('gives each mail that it reads with others its own content, and each that is left out when it is read alone', async () => {
      await using it = await make();
      const subjects = ['one', 'two', 'three'];
      for (const subject of subjects) await it.deliver(mailSource({ subject }));
      const session = await it.mailbox.open(signal);
      const uids = (await session.listAfter(0, 10)).map((mail) => mail.uid);
      const together = await session.read(uids, LIMIT);
      const read: string[] = [];
      for (const uid of uids) {
        const given =
          together.find((content) => content.uid === uid) ?? (await session.read([uid], LIMIT))[0];
        read.push(/^Subject: (.*)$/m.exec(given?.raw.toString() ?? '')?.[1]?.trim() ?? '');
      }
      expect(read.toSorted()).toEqual(subjects.toSorted());
      await session.close();
    });

    test('passes over mails that are not there', async () => {
      await using it = await make();
      await it.deliver(mailSource());
      const session = await it.mailbox.open(signal);
      const [mail] = await session.listAfter(0, 1);
      expect((await session.read([mail!.uid, mail!.uid + 7], LIMIT)).map(({ uid }) => uid)).toEqual([
        mail!.uid,
      ]);
      await session.close();
    });

    test('marks accepted mails as read and as ours, and no others', async () => {
      await using it = await make();
      for (const name of ['one', 'two']) await it.deliver(mailSource({ subject: name }));
      const session = await it.mailbox.open(signal);
      const [first, second] = await session.listAfter(0, 10);
      await session.markAccepted([first!.uid]);
      const flags = await it.flags();
      expect(flags.get(first!.uid)).toEqual(expect.arrayContaining(['\\Seen', '$Parelha']));
      expect(flags.get(second!.uid)).not.toContain('\\Seen');
      expect((await session.listAfter(0, 10)).map((mail) => mail.seen)).toEqual([true, false]);
      await session.close();
    });

    test('hints at mail that comes while it waits, and at mail that came since the last wait', async () => {
      await using it = await make();
      const session = await it.mailbox.open(signal);
      const waiting = session.waitForMail(HINT_MS, signal);
      await it.deliver(mailSource());
      expect(await waiting).toBe('hint');
      await it.deliver(mailSource());
      // A listing makes the server tell of it, where it does not tell by itself between two waits.
      await eventually('the second mail', async () => (await session.listAfter(0, 10)).length === 2);
      expect(await session.waitForMail(HINT_MS, signal)).toBe('hint');
      expect(await session.waitForMail(20, signal)).toBe('timeout');
      await session.close();
    });

    test('stops waiting when its signal aborts', async () => {
      await using it = await make();
      const session = await it.mailbox.open(signal);
      const giveUp = new AbortController();
      const waiting = session.waitForMail(HINT_MS, giveUp.signal);
      const reason = new Error('enough');
      giveUp.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      await expect(session.waitForMail(HINT_MS, giveUp.signal)).rejects.toBe(reason);
      await session.close();
    });

    test('tells that a session has ended, and opens another', async () => {
      await using it = await make();
      const session = await it.mailbox.open(signal);
      const waiting = session.waitForMail(HINT_MS, signal).catch(codeOf);
      await it.kick();
      expect(await waiting).toBe('mailbox.closed');
      expect(await session.listAfter(0, 1).catch(codeOf)).toBe('mailbox.closed');
      expect(await session.waitForMail(HINT_MS, signal).catch(codeOf)).toBe('mailbox.closed');
      await session.close();
      const next = await it.mailbox.open(signal);
      expect(next.uidValidity).toBe(session.uidValidity);
      await next.close();
    });
  });
}

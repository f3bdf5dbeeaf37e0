import { describe } from 'vitest';
import { mailboxContract } from '../../support/mailbox-contract.ts';
import { mailerContract } from '../../support/mailer-contract.ts';
import { createMemoryMailbox } from '../../support/memory-mailbox.ts';
import { createMemoryMailer } from '../../support/memory-mailer.ts';

mailboxContract(describe, 'in memory', async () => {
  const mailbox = createMemoryMailbox(() => Temporal.Instant.from('2026-03-02T12:00:00Z'));
  const uids: number[] = [];
  return {
    mailbox,
    deliver: async (raw) => {
      uids.push(mailbox.deliver(raw));
    },
    kick: async () => mailbox.kick(),
    flags: async () => new Map(uids.map((uid) => [uid, mailbox.flagsOf(uid)])),
    [Symbol.asyncDispose]: async () => mailbox.kick(),
  };
});

mailerContract(describe, 'in memory', async () => {
  const mailer = createMemoryMailer();
  const arrived = async (address: string, messageId: string): Promise<number> =>
    mailer.sent
      .filter((mail) => mail.messageId === messageId)
      .filter((mail) => (mail.only ?? [...mail.to, ...mail.cc]).includes(address)).length;
  return { mailer, arrived, arrivedNow: arrived, [Symbol.asyncDispose]: () => mailer.close() };
});

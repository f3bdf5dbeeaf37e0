import type { ImapFlow } from 'imapflow';
import { AppError, messageOf } from '../platform/errors.ts';
import {
  closeOnAbort,
  commandError,
  connectImap,
  disconnectImap,
  type ImapOptions,
  sequenceSet,
} from './imap-connection.ts';
import type { SentMail } from './mailbox.ts';

export interface ImapSentMailOptions extends ImapOptions {
  /** Name of the mailbox that holds what was sent; `auto` finds the one marked `\Sent` (RFC 6154). */
  readonly sentMailbox: 'auto' | { readonly name: string };
  /** A connection that was not used for so long is closed. */
  readonly idleMs?: number;
}

const IDLE_MS = 60_000;
/** A HEADER search finds substrings; more hits than this are not looked at. */
const MAX_HITS = 50;

/** Looks into the mailbox of sent mails, read-only, over one connection that is opened when it is asked. */
export function createImapSentMail(options: ImapSentMailOptions): SentMail & { close(): Promise<void> } {
  let current: { client: ImapFlow; opened: boolean } | null = null;
  let idle = new AbortController();
  const closing = new AbortController();
  let last: Promise<unknown> = Promise.resolve();

  const disconnect = async (): Promise<void> => {
    const connection = current;
    current = null;
    if (connection !== null) await disconnectImap(connection.client, options.clock);
  };

  const connection = async (signal: AbortSignal): Promise<{ client: ImapFlow; opened: boolean }> => {
    if (current?.client.usable === true) return current;
    const client = await connectImap(options, signal);
    const release = closeOnAbort(client, signal, options.clock);
    current = { client, opened: await examine(client, options) };
    release();
    return current;
  };

  const look = async (messageId: string, signal: AbortSignal): Promise<boolean> => {
    idle.abort();
    try {
      const { client, opened } = await connection(signal);
      if (opened) return await contains(client, messageId, closeOnAbort(client, signal, options.clock));
      await disconnect(); // made by the server when it files the first mail: look for it anew each time
      return false;
    } catch (error) {
      await disconnect();
      signal.throwIfAborted();
      throw error;
    } finally {
      idle = new AbortController();
      const unused = AbortSignal.any([idle.signal, closing.signal]);
      options.clock.sleep(options.idleMs ?? IDLE_MS, unused).then(disconnect, () => undefined);
    }
  };

  return {
    contains: async (messageId, signal) => {
      const until = AbortSignal.any([signal, closing.signal]);
      until.throwIfAborted();
      // One after another: a connection serves one command at a time anyway.
      const mine = last.then(() => look(messageId, until));
      last = mine.catch(() => undefined);
      return orAbort(mine, until);
    },
    close: async () => {
      const reason = new AppError('mailbox.closed', 'the node is stopping', { retriable: true });
      closing.abort(reason);
      await last;
      await disconnect();
    },
  };
}

/** The promise, or the signal's reason where it aborts first: another's look may hang before ours. */
async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** False where there is no such mailbox: then nothing was filed in it. */
async function examine(client: ImapFlow, options: ImapSentMailOptions): Promise<boolean> {
  try {
    const path =
      options.sentMailbox === 'auto'
        ? (await client.list()).find((mailbox) => mailbox.specialUse === '\\Sent')?.path
        : options.sentMailbox.name;
    if (path !== undefined) {
      await client.mailboxOpen(path, { readOnly: true });
      return true;
    }
    options.log.warn('no mailbox is marked as the one of sent mails; set SENT_MAILBOX');
    return false;
  } catch (error) {
    if ((error as { mailboxMissing?: boolean }).mailboxMissing === true) {
      options.log.warn('the mailbox of sent mails does not exist', { reason: messageOf(error) });
      return false;
    }
    await disconnectImap(client, options.clock);
    throw commandError(client, 'EXAMINE', error);
  }
}

async function contains(client: ImapFlow, messageId: string, done: () => void): Promise<boolean> {
  try {
    await client.noop(); // a selected mailbox shows what was filed since only after a command (RFC 9051 section 5.2)
    const hits = await client.search({ header: { 'message-id': messageId } }, { uid: true });
    if (!Array.isArray(hits)) throw commandError(client, 'SEARCH', undefined);
    if (hits.length === 0) return false;
    const query = { uid: true, headers: ['message-id'] };
    const found = await client.fetchAll(sequenceSet(hits.slice(-MAX_HITS)), query, { uid: true });
    return found.some(
      ({ headers }) =>
        headers
          ?.toString('latin1')
          .replace(/^message-id:/i, '')
          .trim() === messageId,
    );
  } catch (error) {
    throw commandError(client, 'SEARCH', error);
  } finally {
    done();
  }
}

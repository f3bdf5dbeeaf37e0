import type { FetchMessageObject, FetchQueryObject, ImapFlow, SearchObject } from 'imapflow';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import {
  closeOnAbort,
  commandError,
  connectImap,
  disconnectImap,
  type ImapOptions,
  MAX_LITERAL_BYTES,
  sequenceSet,
} from './imap-connection.ts';
import type { Mailbox, MailboxSession, MailContent, MailSummary } from './mailbox.ts';

export interface ImapMailboxOptions extends ImapOptions {
  /** Name of the inbox, as `INBOX`. */
  readonly mailbox: string;
}

/** Keyword beside `\Seen`: this mail was taken by a node, not opened by a person. */
const ACCEPTED_KEYWORD = '$Parelha';
/** UIDs named in one command: keeps a line under the 8,192 octets of RFC 7162 section 4. */
const UIDS_PER_COMMAND = 500;
/** Headers of a mail that is too large are read up to this. */
const MAX_HEADER_BYTES = 256 * 1024;
/** Larger mails are not asked for, whatever the limit given: the connection would end at such a literal. */
const MAX_READ_BYTES = MAX_LITERAL_BYTES - 1024;
const MAX_REMEMBERED_SIZES = 10_000;
/** Who gives a session up may still end what is in hand; what takes longer hangs. */
const GRACE_MS = 1_000;
const HOURS_PER_DAY = 24;
const SUMMARY: FetchQueryObject = { uid: true, flags: true, internalDate: true, size: true };

/** The inbox on an IMAP server (RFC 9051), by imapflow. */
export function createImapMailbox(options: ImapMailboxOptions): Mailbox {
  return {
    open: async (signal) => {
      const client = await connectImap(options, signal);
      const selecting = closeOnAbort(client, signal, options.clock);
      try {
        const selected = await client.mailboxOpen(options.mailbox);
        if (selected.readOnly === true) throw new Error(`${options.mailbox} is read-only for this user`);
        selecting();
        closeOnAbort(client, signal, options.clock, GRACE_MS);
        return createSession(client, options.clock, signal, {
          uidValidity: String(selected.uidValidity),
          uidNext: selected.uidNext,
        });
      } catch (error) {
        await disconnectImap(client, options.clock);
        signal.throwIfAborted();
        throw new AppError('mailbox.unavailable', commandError(client, 'SELECT', error).message, {
          retriable: true,
          cause: error,
        });
      }
    },
  };
}

interface Selected {
  readonly uidValidity: string;
  readonly uidNext: number;
}

function createSession(
  client: ImapFlow,
  clock: Clock,
  life: AbortSignal,
  selected: Selected,
): MailboxSession {
  /** What a failed command means; where the session was given up, its end is no fault of the server's. */
  const failure = (what: string, error: unknown): unknown =>
    life.aborted && !client.usable ? life.reason : commandError(client, what, error);
  const sizes = new Map<number, number>();
  /** A listing from this UID on was complete: what comes after it came since, so it needs no search first. */
  let caughtUpFrom = Number.POSITIVE_INFINITY;

  const fetchAll = async (uids: string, query: FetchQueryObject): Promise<FetchMessageObject[]> => {
    try {
      // Collected first: a command inside a fetch loop would wait for the loop, and the loop for it.
      return await client.fetchAll(uids, query, { uid: true });
    } catch (error) {
      throw failure('FETCH', error);
    }
  };

  const search = async (query: SearchObject): Promise<number[]> => {
    let found: unknown;
    try {
      found = await client.search(query, { uid: true });
    } catch (error) {
      throw failure('SEARCH', error);
    }
    if (!Array.isArray(found)) throw failure('SEARCH', undefined);
    return (found as number[]).toSorted((a, b) => a - b);
  };

  const summaries = async (set: string): Promise<MailSummary[]> => {
    const listed = (await fetchAll(set, SUMMARY)).map(summaryOf).toSorted((a, b) => a.uid - b.uid);
    if (sizes.size > MAX_REMEMBERED_SIZES) sizes.clear();
    for (const { uid, sizeBytes } of listed) sizes.set(uid, sizeBytes);
    return listed;
  };

  const listAfter = async (uid: number, limit: number): Promise<MailSummary[]> => {
    // `n:*` names the last mail also where its UID is below n (RFC 9051 section 9, seq-range).
    if (uid >= caughtUpFrom) {
      const listed = await summaries(`${uid + 1}:*`);
      return listed.filter((mail) => mail.uid > uid).slice(0, limit);
    }
    const uids = (await search({ uid: `${uid + 1}:*` })).filter((found) => found > uid);
    if (uids.length <= limit) caughtUpFrom = uid;
    const wanted = uids.slice(0, limit);
    const listed: MailSummary[] = [];
    for (const chunk of chunksOf(wanted)) listed.push(...(await summaries(sequenceSet(chunk))));
    return listed;
  };

  const listSince = async (since: Temporal.Instant, limit: number): Promise<MailSummary[]> => {
    // SINCE knows whole days, of a zone of the server's choice: search a day more and look at the time itself.
    const day = since.subtract({ hours: HOURS_PER_DAY }).toString().slice(0, 10);
    const listed: MailSummary[] = [];
    for (const chunk of chunksOf(await search({ since: day }))) {
      const recent = (await summaries(sequenceSet(chunk))).filter(
        (mail) => Temporal.Instant.compare(mail.receivedAt, since) >= 0,
      );
      listed.push(...recent);
      if (listed.length >= limit) break;
    }
    return listed.slice(0, limit);
  };

  const read = async (uids: readonly number[], limitBytes: number): Promise<MailContent[]> => {
    const maxBytes = Math.min(limitBytes, MAX_READ_BYTES);
    const unknown = uids.filter((uid) => !sizes.has(uid));
    if (unknown.length > 0) await summaries(sequenceSet(unknown));
    const known = uids.filter((uid) => sizes.has(uid)); // the others are gone
    const large = known.filter((uid) => (sizes.get(uid) ?? 0) > maxBytes);
    const small = known.filter((uid) => !large.includes(uid));
    const found = new Map<number, MailContent>();
    if (small.length > 0) {
      // A server may err on the size: ask for one byte more than is wanted, and no more than that.
      const query: FetchQueryObject = { uid: true, source: { start: 0, maxLength: maxBytes + 1 } };
      for (const { uid, source } of await fetchAll(sequenceSet(small), query)) {
        // Some servers give the first of several mails alone and call the others empty: these were not given out.
        if (source === undefined || (source.length === 0 && sizes.get(uid) !== 0)) continue;
        found.set(uid, contentOf(uid, source, maxBytes));
      }
    }
    if (large.length > 0) {
      const header = { key: 'HEADER', start: 0, maxLength: MAX_HEADER_BYTES };
      for (const { uid, headers } of await fetchAll(sequenceSet(large), { uid: true, bodyParts: [header] })) {
        if (headers !== undefined) found.set(uid, { uid, raw: headers, truncated: true });
      }
    }
    for (const uid of uids) sizes.delete(uid);
    return uids.flatMap((uid) => found.get(uid) ?? []);
  };

  const markAccepted = async (uids: readonly number[]): Promise<void> => {
    for (const chunk of chunksOf(uids)) {
      // imapflow leaves out the keyword where PERMANENTFLAGS does not allow it.
      const stored = await client
        .messageFlagsAdd(sequenceSet(chunk), ['\\Seen', ACCEPTED_KEYWORD], { uid: true })
        .catch((error: unknown) => {
          throw failure('STORE', error);
        });
      if (!stored) throw failure('STORE', undefined);
    }
  };

  return {
    ...selected,
    listAfter,
    listSince,
    read,
    markAccepted,
    waitForMail: createWait(client, clock),
    close: () => disconnectImap(client, clock),
  };
}

/** `exists` is only a hint: it wakes who waits, and what is there is then read by UID. */
function createWait(client: ImapFlow, clock: Clock): MailboxSession['waitForMail'] {
  let hinted = false;
  let wake: (() => void) | null = null;
  const nudge = (): void => wake?.();
  client.on('exists', () => {
    hinted = true;
    nudge();
  });
  client.on('close', nudge); // a dropped connection may emit nothing else

  return async (timeoutMs, signal) => {
    signal.throwIfAborted();
    if (!hinted && client.usable) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      const over = new AbortController();
      client.idle({ whenFree: true }).catch(nudge); // a failed IDLE closes the session, or is polled for by imapflow
      const timeout = clock.sleep(timeoutMs, AbortSignal.any([signal, over.signal])).catch(() => undefined);
      await Promise.race([woken, timeout]);
      over.abort();
      wake = null;
    }
    signal.throwIfAborted();
    if (!client.usable) {
      throw new AppError('mailbox.closed', 'the server closed the session', { retriable: true });
    }
    if (!hinted) return 'timeout';
    hinted = false;
    return 'hint';
  };
}

function summaryOf(mail: FetchMessageObject): MailSummary {
  const received = new Date(mail.internalDate ?? 0);
  return {
    uid: mail.uid,
    receivedAt: Temporal.Instant.fromEpochMilliseconds(
      Number.isNaN(received.getTime()) ? 0 : received.getTime(),
    ),
    sizeBytes: mail.size ?? 0,
    seen: mail.flags?.has('\\Seen') ?? false,
  };
}

function contentOf(uid: number, source: Buffer, maxBytes: number): MailContent {
  if (source.length <= maxBytes) return { uid, raw: source, truncated: false };
  const end = source.indexOf('\r\n\r\n');
  return {
    uid,
    raw: source.subarray(0, Math.min(end < 0 ? source.length : end + 4, MAX_HEADER_BYTES)),
    truncated: true,
  };
}

function* chunksOf(uids: readonly number[]): Generator<readonly number[]> {
  for (let start = 0; start < uids.length; start += UIDS_PER_COMMAND) {
    yield uids.slice(start, start + UIDS_PER_COMMAND);
  }
}

import { readFile } from 'node:fs/promises';
import type { Dovecot } from './dovecot.ts';

/** What a node calls itself (RFC 2971); the tests' own looks into mailboxes are by another name. */
const NODES_NAME = 'parelha';

/** A session in which the inbox was selected for reading and writing. */
export interface InboxSession {
  /** Dovecot's id of the session. */
  readonly id: string;
  /** As Dovecot logged it, in microseconds of its clock. */
  readonly fromUs: number;
  /** Infinity while it lasts. */
  readonly toUs: number;
}

interface Open {
  isNode: boolean;
  selectedUs: number | null;
}

const LINE =
  /^(?<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(?<us>\d{6}) imap\((?<user>[^)]*)\)<\d+><(?<id>[^>]+)>: (?:Info|Debug): (?<what>.*)$/;
const ENDS = /^(Disconnected|Connection closed)\b|^Command finished: (LOGOUT|CLOSE|UNSELECT)\b/;

/**
 * The sessions of nodes that had the user's inbox selected, in the order of their beginning, from the log of a Dovecot
 * that logs commands. A session that looks only (EXAMINE, or another mailbox) is none of them. "Selected" is from the
 * end of the SELECT to the end of the command that leaves it, or of the connection.
 */
export async function inboxSessions(dovecot: Dovecot, user: string): Promise<InboxSession[]> {
  const sessions: InboxSession[] = [];
  const opened = new Map<string, Open>();
  for (const line of (await readFile(dovecot.logFile, 'utf8')).split('\n')) {
    const fields = LINE.exec(line)?.groups;
    if (fields?.['user'] !== user) continue;
    const { at = '', us = '', id = '', what = '' } = fields;
    const atUs = Date.parse(`${at}Z`) * 1000 + Number(us);
    const session = opened.get(id) ?? { isNode: false, selectedUs: null };
    opened.set(id, session);
    session.isNode ||= what === `ID sent: name=${NODES_NAME}`;
    const selects = /^Command finished: (SELECT|EXAMINE) /.test(what);
    if (!selects && !ENDS.test(what)) continue;
    if (session.selectedUs !== null) sessions.push({ id, fromUs: session.selectedUs, toUs: atUs });
    const nowSelected = session.isNode && /^Command finished: SELECT "?INBOX"?( |$)/.test(what);
    session.selectedUs = nowSelected ? atUs : null;
  }
  for (const [id, { selectedUs }] of opened) {
    if (selectedUs !== null) sessions.push({ id, fromUs: selectedUs, toUs: Infinity });
  }
  return sessions.toSorted((a, b) => a.fromUs - b.fromUs);
}

/** The pairs of sessions that had the inbox selected at once, told in words; none is what is promised. */
export function overlapsOf(sessions: readonly InboxSession[]): string[] {
  const overlaps: string[] = [];
  let last: InboxSession | null = null;
  for (const session of sessions) {
    if (last !== null && session.fromUs < last.toUs) {
      const lateMs = (Math.min(last.toUs, session.toUs) - session.fromUs) / 1000;
      overlaps.push(`${last.id} was still open for ${lateMs} ms when ${session.id} had selected the inbox`);
    }
    if (last === null || session.toUs > last.toUs) last = session;
  }
  return overlaps;
}

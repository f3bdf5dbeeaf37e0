import type { ServerReport } from './bans.ts';
import { type IgnoreEntry, readEntry } from './ignore-file.ts';
import type { Server } from './inventory.ts';
import { covers } from './ip.ts';

const MAX_JAILS = 200;
const MAX_IGNORED = 10_000;
const MAX_LINES = 5;
const MAX_LINE_LENGTH = 300;
const MAX_MESSAGE_LENGTH = 500;
/** fail2ban writes this year for a ban without end. */
const NEVER = '9999-';

/** What fail2ban of a server says of an address at one moment. */
export interface Facts {
  readonly jails: readonly string[];
  /** Addresses, networks and host names that a jail ignores. */
  readonly ignored: ReadonlyMap<string, readonly string[]>;
  readonly banned: readonly Banned[];
  /** Ours for this address, in the ignore file. */
  readonly entry: IgnoreEntry | null;
}

export interface Banned {
  readonly jail: string;
  /** Wall clock of the server, `2026-11-23 11:50:27`; null where it is not told. */
  readonly since: string | null;
  readonly until: string | null;
}

export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** A whole visit: what was found, and where something was done, what is then. */
export interface Visit {
  readonly before: Facts;
  /** Null for a look. */
  readonly after: Facts | null;
  readonly lines: readonly string[];
  readonly problems: readonly Problem[];
  /** The server's offset from UTC, `+0000`; null where it is not told. */
  readonly zone: string | null;
}

/** What `fail2ban-client status` prints of its jails; null where that is not what it should be. */
export function readJails(stdout: string): string[] | null {
  const list = /Jail list:[ \t]*(.*)/.exec(stdout)?.[1];
  if (list === undefined) return null;
  const names = list.split(/[,\s]+/).filter((name) => name !== '');
  return names.slice(0, MAX_JAILS);
}

/** What `fail2ban-client banned IP` prints, a list of Python: `[['sshd', 'asterisk']]`; null where it is something else. */
export function readHolding(stdout: string): string[] | null {
  const inner = /^\[\[(.*)\]\]$/s.exec(stdout.trim())?.[1];
  if (inner === undefined) return null;
  const names = [...inner.matchAll(/'([^'\\]+)'/g)].map((match) => match[1] ?? '');
  return inner.replaceAll(/'[^'\\]+'/g, '').replaceAll(/[,\s]/g, '') === '' ? names : null;
}

/** What `get JAIL ignoreip` prints. */
export function readIgnored(stdout: string): string[] {
  const entries = [...stdout.matchAll(/^[|`]- (\S+)$/gm)].map((match) => match[1] ?? '');
  return entries.slice(0, MAX_IGNORED);
}

/** What `get JAIL banip --with-time` prints of one address: `IP \tSTART + SECONDS = END`. */
export function readBanTimes(stdout: string, ip: string): Pick<Banned, 'since' | 'until'> {
  for (const line of stdout.split('\n')) {
    const [address, day, time, , , , untilDay, untilTime] = line.split(/\s+/);
    if (address !== ip || day === undefined || time === undefined) continue;
    const until = untilDay === undefined || untilTime === undefined ? null : `${untilDay} ${untilTime}`;
    return { since: `${day} ${time}`, until };
  }
  return { since: null, until: null };
}

/** The last lines that name an address, and not one that merely begins or ends like it. */
export function linesAbout(ip: string, text: string): string[] {
  const escaped = ip.replaceAll('.', String.raw`\.`);
  // Phones' logs have a port behind it (`203.0.113.9:5060`), and sometimes a protocol in front.
  const about = ip.includes(':')
    ? new RegExp(`(?<![0-9A-F:])${escaped}(?![0-9A-F]|:[0-9A-F:])`, 'i')
    : new RegExp(String.raw`(?<![0-9.])${escaped}(?![0-9]|\.[0-9])`);
  const lines = text.split('\n').filter((line) => about.test(line));
  return (
    lines
      .slice(-MAX_LINES)
      // eslint-disable-next-line no-control-regex
      .map((line) => line.replaceAll(/[\u0000-\u001F\u007F]+/g, ' ').slice(0, MAX_LINE_LENGTH))
  );
}

/** What a helper has said, word by word (deploy/remote/parelha-remote). */
export function readVisit(ip: string, stdout: string): Visit | null {
  const lines = stdout.split('\n');
  // Cut off in the middle, "not banned" could merely be what is missing.
  if (lines.at(-1) !== '' || lines.at(-2) !== 'end') return null;
  const acted = lines.indexOf('acted');
  const after = lines.indexOf('after');
  const before = factsOf(lines.slice(0, acted === -1 ? undefined : acted));
  const problems = lines.flatMap((line): Problem[] => {
    const [, word, message] = /^problem ([a-z-]+) ?(.*)$/.exec(line) ?? [];
    return word === undefined ? [] : [{ code: `fail2ban.${word}`, message: message ?? '' }];
  });
  const logged = lines.filter((line) => line.startsWith('line ')).map((line) => line.slice('line '.length));
  return {
    before,
    after: after === -1 ? null : factsOf(lines.slice(after)),
    lines: linesAbout(ip, logged.join('\n')),
    problems,
    zone: lines.find((line) => line.startsWith('zone '))?.slice('zone '.length) ?? null,
  };
}

function factsOf(lines: readonly string[]): Facts {
  const jails: string[] = [];
  const ignored = new Map<string, string[]>();
  const banned = new Map<string, Banned>();
  let entry: IgnoreEntry | null = null;
  for (const line of lines) {
    const [word, jail = '', ...rest] = line.split(' ');
    const text = rest.join(' ');
    const held = banned.get(jail);
    if (word === 'jail' && jails.length < MAX_JAILS) jails.push(jail);
    if (word === 'ignore') ignored.set(jail, [...(ignored.get(jail) ?? []), text].slice(0, MAX_IGNORED));
    if (word === 'banned') banned.set(jail, { jail, since: null, until: null });
    if (word === 'since' && held !== undefined) banned.set(jail, { ...held, since: text });
    if (word === 'until' && held !== undefined) banned.set(jail, { ...held, until: text });
    if (word === 'entry') entry = readEntry(line.slice('entry '.length));
  }
  return { jails, ignored, banned: [...banned.values()], entry };
}

/** A visit as the report that people get; `released` whether it was to do something. */
export function reportOf(
  server: Server,
  ip: string,
  visit: Visit,
  asked: 'look' | 'release',
  at: Temporal.Instant,
): ServerReport {
  const { before, after, zone } = visit;
  const blank = uncheckedReport(server, at, {
    code: 'fail2ban.incomplete',
    message: 'it said only part of it',
  });
  const [problem = null] = visit.problems;
  if (asked === 'look' ? problem !== null : after === null)
    return problem === null ? blank : { ...blank, problem };
  const now = after ?? before;
  const wrong = asked === 'release' ? (problem ?? leftUndone(now, ip)) : null;
  const wasIgnored = isIgnored(before, ip);
  const jails = before.banned.map(({ jail, since, until }) => ({
    jail,
    since: instantOf(since, zone),
    until: instantOf(until, zone),
  }));
  const found = jails.length === 0 ? 'free' : asked === 'look' ? 'banned' : 'released';
  return {
    ...blank,
    state: wrong === null ? found : 'partly',
    jails,
    ignored: wasIgnored ? 'before' : isIgnored(now, ip) ? 'now' : 'no',
    ignoredUntil: now.entry?.until ?? null,
    lines: visit.lines,
    problem: wrong,
  };
}

/** Nobody knows how it is on this server. */
export function uncheckedReport(server: Server, at: Temporal.Instant, problem: Problem): ServerReport {
  const { id: serverId, name: serverName } = server;
  const message = problem.message.slice(0, MAX_MESSAGE_LENGTH);
  return {
    ...{
      serverId,
      serverName,
      state: 'unchecked',
      jails: [],
      ignored: 'unknown',
      ignoredUntil: null,
      lines: [],
    },
    problem: { code: problem.code, message },
    at: at.toString({ smallestUnit: 'millisecond' }),
  };
}

/** What a release should have come to and has not: fail2ban takes orders it does not carry out, with exit status 0. */
function leftUndone(now: Facts, ip: string): Problem | null {
  const held = now.banned.map(({ jail }) => jail);
  if (held.length > 0) {
    return { code: 'fail2ban.still-banned', message: `after its release it is banned in ${held.join(', ')}` };
  }
  const open = now.jails.filter((jail) => !jailIgnores(now, jail, ip));
  if (open.length === 0) return null;
  return { code: 'fail2ban.not-ignored', message: `it is not ignored in ${open.join(', ')}` };
}

function isIgnored(facts: Facts, ip: string): boolean {
  return facts.jails.length > 0 && facts.jails.every((jail) => jailIgnores(facts, jail, ip));
}

function jailIgnores({ ignored }: Facts, jail: string, ip: string): boolean {
  return (ignored.get(jail) ?? []).some((entry) => covers(entry, ip));
}

/** Wall clock of a server as an instant; null where it cannot be told, or is never. */
function instantOf(stamp: string | null, zone: string | null): string | null {
  if (stamp === null || zone === null || stamp.startsWith(NEVER)) return null;
  const offset = /^([+-]\d{2})(\d{2})$/.exec(zone);
  if (offset === null || !/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/.test(stamp)) return null;
  try {
    return Temporal.Instant.from(`${stamp.replace(' ', 'T')}${offset[1]}:${offset[2]}`).toString();
  } catch {
    return null; // a day that no calendar has
  }
}

import { canonicalIp } from './ip.ts';

/** Names below jail.d: read by fail2ban before and after all others there (sorted, `.conf` before `.local`). */
export const FIRST_NAME = '000-parelha.conf';
export const LAST_NAME = 'zzz-parelha.local';
/** Past this nobody looks at them any more. */
export const MAX_ENTRIES = 1000;
export const MAX_IGNORE_FILE_BYTES = 1_048_576;

/** An address that is ignored because somebody asked for it. Instants have no fraction of a second. */
export interface IgnoreEntry {
  readonly ip: string;
  readonly since: string;
  readonly until: string;
  /** Id of the request. */
  readonly job: string;
  /** Who asked, in the characters of {@link plainRequester}. */
  readonly by: string;
}

const ENTRY =
  /^#parelha ip=(?<ip>[0-9a-f.:]+) since=(?<since>[-0-9TZ:]{20}) until=(?<until>[-0-9TZ:]{20}) job=(?<job>[0-9a-f]{1,64}) by=(?<by>[-A-Za-z0-9.@_+]{1,128})$/;

const JAIL = /^(?!DEFAULT$|INCLUDES$)[A-Za-z0-9_.][A-Za-z0-9_.-]*$/;

/**
 * An `ignoreip` of a section can extend what stood there before it (`%(known/ignoreip)s`), and where nothing did, that of
 * [DEFAULT]; where there is neither, fail2ban 1.0.2 neither starts nor reloads. So one is given before all others. As
 * jail.d is read after jail.conf, that is read once more.
 */
export const FIRST_TEXT = `# Made by Parelha, which writes it anew. So that an ignoreip can be extended where [DEFAULT] has none; whatever
# jail.conf, jail.local or other files of jail.d say goes over it, as jail.conf is read once more after this.
[INCLUDES]
after = ../jail.conf

[DEFAULT]
ignoreip =
`;

const HEAD = `# Made by Parelha, which writes it anew: addresses that people had released by CHECKIP, each until a time. They are ignored
# beside what is said elsewhere. To take one back, remove its line and its word in each section, then: fail2ban-client reload
`;

/** Who asked, as it can stand in a comment and as a word of the helper. */
export function plainRequester(address: string | null): string {
  const plain = (address ?? '').replaceAll(/[^A-Za-z0-9.@_+-]/g, '_').replace(/^-/, '_');
  return plain === '' ? 'nobody' : plain.slice(0, 128);
}

/** To the second, as entries have it. */
export function plainInstant(at: Temporal.Instant): string {
  return at.toString({ smallestUnit: 'second' });
}

/** Whether a section of this name can be written. */
export function isJailName(name: string): boolean {
  return JAIL.test(name);
}

/** The entries of a file of ours; lines that are none, or that somebody has broken, are passed over. */
export function parseEntries(text: string): IgnoreEntry[] {
  const entries = new Map<string, IgnoreEntry>();
  for (const line of text.split('\n')) {
    const entry = readEntry(line);
    if (entry !== null && entries.size < MAX_ENTRIES) entries.set(entry.ip, entry);
  }
  return [...entries.values()];
}

/** One entry, as a line of the file has it. */
export function readEntry(line: string): IgnoreEntry | null {
  const groups = ENTRY.exec(line)?.groups;
  if (groups === undefined) return null;
  const { ip = '', since = '', until = '', job = '', by = '' } = groups;
  if (canonicalIp(ip) !== ip || !isInstant(since) || !isInstant(until)) return null;
  return { ip, since, until, job, by };
}

/** With an entry added; of two for one address the newer counts, until the later of both ends. */
export function mergeEntry(entries: readonly IgnoreEntry[], entry: IgnoreEntry): IgnoreEntry[] {
  const old = entries.find(({ ip }) => ip === entry.ip);
  const until = old !== undefined && old.until > entry.until ? old.until : entry.until;
  return [...entries.filter(({ ip }) => ip !== entry.ip), { ...entry, until }];
}

/** Parted by whether their time is over; `now` as {@link plainInstant} has it. */
export function expireEntries(
  entries: readonly IgnoreEntry[],
  now: string,
): { kept: IgnoreEntry[]; expired: IgnoreEntry[] } {
  return {
    kept: entries.filter(({ until }) => until > now),
    expired: entries.filter(({ until }) => until <= now),
  };
}

/** The text of the file that is read last, with a section for each jail. */
export function printIgnoreFile(entries: readonly IgnoreEntry[], jails: readonly string[]): string {
  const lines = entries.map(
    ({ ip, since, until, job, by }) =>
      `#parelha ip=${ip} since=${since} until=${until} job=${job} by=${by}\n`,
  );
  const words = entries.map(({ ip }) => ` ${ip}`).join('');
  const sections =
    words === '' ? [] : jails.map((jail) => `\n[${jail}]\nignoreip = %(known/ignoreip)s${words}\n`);
  return HEAD + lines.join('') + sections.join('');
}

/** What of a file fail2ban goes by; where that is the same, nothing is to be reloaded. */
export function settingsOf(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.join('\n');
}

function isInstant(text: string): boolean {
  try {
    return plainInstant(Temporal.Instant.from(text)) === text;
  } catch {
    return false; // it may hold anything: somebody can have edited the file
  }
}

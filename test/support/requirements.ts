import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { canMakeNamespaces } from './namespaces.ts';
import { canMountPrivately } from './private-host.ts';
import { hasProgram } from './programs.ts';
import { canMountTmpfs } from './small-disk.ts';

interface Program {
  /** All of these must be there: names of programs, or paths of files. */
  readonly programs: readonly string[];
  /** The Debian packages that bring them. */
  readonly packages: readonly string[];
  /** What this process must be able to do besides; told in these words where it is not. */
  readonly ability?: { readonly told: string; readonly has: () => boolean };
}

/** What suites on real servers can need. */
export const REQUIREMENTS = {
  dovecot: {
    programs: ['dovecot', '/usr/lib/dovecot/imap', '/usr/lib/dovecot/lmtp', 'openssl'],
    packages: ['dovecot-imapd', 'dovecot-lmtpd', 'openssl'],
  },
  exim: { programs: ['exim4', 'openssl'], packages: ['exim4-daemon-light', 'openssl'] },
  ceph: {
    programs: ['ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'ceph', 'monmaptool'],
    packages: ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph-common'],
  },
  sshd: { programs: ['sshd', 'ssh'], packages: ['openssh-server', 'openssh-client'] },
  fail2ban: { programs: ['fail2ban-server', 'fail2ban-client'], packages: ['fail2ban'] },
  chromium: { programs: ['chromium'], packages: ['chromium'] },
  faketime: { programs: ['faketime'], packages: ['faketime'] },
  shellcheck: { programs: ['shellcheck'], packages: ['shellcheck'] },
  strace: { programs: ['strace'], packages: ['strace'] },
  sox: { programs: ['sox'], packages: ['sox'] },
  ffmpeg: { programs: ['ffmpeg', 'ffprobe'], packages: ['ffmpeg'] },
  unzip: { programs: ['unzip'], packages: ['unzip'] },
  python: { programs: ['python3'], packages: ['python3'] },
  'search-tools': { programs: ['fdfind', 'rg'], packages: ['fd-find', 'ripgrep'] },
  'zip-tools': { programs: ['zip', '7z'], packages: ['zip', 'p7zip-full'] },
  rclone: { programs: ['rclone'], packages: ['rclone'] },
  tmpfs: {
    programs: ['mount', 'umount'],
    packages: ['mount'],
    ability: { told: 'the right to mount a tmpfs (root)', has: canMountTmpfs },
  },
  netns: {
    programs: ['ip'],
    packages: ['iproute2'],
    ability: { told: 'the right to make network namespaces (root)', has: canMakeNamespaces },
  },
  'systemd-analyze': { programs: ['systemd-analyze'], packages: ['systemd'] },
  'private-mounts': {
    programs: ['unshare', 'nsenter', 'mount', 'setpriv', 'useradd'],
    packages: ['util-linux', 'mount', 'passwd'],
    ability: { told: 'the right to make mounts of its own (root)', has: canMountPrivately },
  },
} as const satisfies Record<string, Program>;

export type Requirement = keyof typeof REQUIREMENTS;

/** The `describe` and `test` of vitest, or the same where all is skipped. */
interface Suites {
  readonly describe: ReturnType<typeof describe.skipIf>;
  readonly test: ReturnType<typeof test.skipIf>;
}

/** Those of `names` that this machine does not have. */
export function missingOf(names: readonly Requirement[]): Requirement[] {
  return names.filter((name) => absentPrograms(name).length > 0);
}

/** The programs of a requirement that this machine does not have; where it has all, what it cannot do with them. */
export function absentPrograms(name: Requirement): string[] {
  const { programs, ability }: Program = REQUIREMENTS[name];
  const absent = programs.filter((program) => !hasProgram(program));
  return absent.length > 0 || ability === undefined || ability.has() ? absent : [ability.told];
}

/** Whether a suite that cannot run is a failure: in CI, and after `npm test -- --install`. */
export function serversAreRequired(): boolean {
  return process.env['CI'] === 'true' || process.env['TEST_REQUIRE_SERVERS'] === '1';
}

/**
 * Declares what a file of tests on real servers needs, and gives the `describe` and `test` it is to use. Where
 * something is missing they skip, and `npm test` names the file at its end; where servers are required the file fails.
 * `const { describe, test } = needs('dovecot', 'exim')`: names as literals, since `npm test` reads them from the source.
 */
export function needs(...names: readonly Requirement[]): Suites {
  const missing = missingOf(names);
  if (missing.length > 0 && serversAreRequired()) {
    const programs = missing.flatMap(absentPrograms).join(', ');
    throw new Error(`not on this machine: ${programs}; \`npm test -- --install\` installs what is missing`);
  }
  const skip = missing.length > 0;
  return { describe: describe.skipIf(skip), test: test.skipIf(skip) };
}

/** What each `*.test.ts` of a directory declares by {@link needs}; a file without a declaration has an empty list. */
export function declaredNeeds(directory: string): Map<string, Requirement[]> {
  const declared = new Map<string, Requirement[]>();
  for (const file of readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted()) {
    if (!file.endsWith('.test.ts')) continue;
    const call = /\bneeds\(([^)]*)\)/.exec(readFileSync(join(directory, file), 'utf8'));
    const names = [...(call?.[1] ?? '').matchAll(/'([^']+)'/g)].map((match) => match[1] ?? '');
    const known = names.filter((name): name is Requirement => name in REQUIREMENTS);
    if (known.length !== names.length)
      throw new Error(`${file} needs something unknown: ${names.join(', ')}`);
    declared.set(file, known);
  }
  return declared;
}

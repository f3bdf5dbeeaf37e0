import { accessSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { absentPrograms, missingOf, type Requirement, REQUIREMENTS } from '../support/requirements.ts';
import { paint, ROOT, runTask, say } from './tasks.ts';

const SCRIPT = 'test/toolchain/install-debian.sh';

/** The Debian packages that bring what is missing. */
export function packagesOf(missing: readonly Requirement[]): string[] {
  return [...new Set(missing.flatMap((name) => REQUIREMENTS[name].packages))];
}

/**
 * Installs what is missing of `names`, as root or by sudo where it asks for no password.
 * @returns what is still missing, having said why
 */
export async function installMissing(names: readonly Requirement[]): Promise<Requirement[]> {
  const missing = missingOf(names);
  if (missing.length === 0) return [];
  const packages = packagesOf(missing);
  if (!isDebian()) {
    say(
      `${paint('red', '✗')} This is not a Debian system, so nothing is installed. The tests need: ${programs(missing)}.`,
    );
    return missing;
  }
  say(`Installing for the tests: ${packages.join(' ')}`);
  const root = process.getuid?.() === 0;
  const script = ['/bin/sh', join(ROOT, SCRIPT), ...packages];
  const [program = '', ...args] = root ? script : ['/usr/bin/sudo', '-n', ...script];
  const result = await runTask({ name: 'install', program, args }, true);
  if (!result.passed) {
    const how = root ? '' : ' It needs root, or sudo that asks for no password.';
    say(`${paint('red', '✗')} The packages could not be installed.${how}`);
  }
  return missingOf(names);
}

/** The programs that are absent, for people. */
export function programs(names: readonly Requirement[]): string {
  return [...new Set(names.flatMap(absentPrograms))].join(', ');
}

function isDebian(): boolean {
  try {
    accessSync('/usr/bin/apt-get');
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

import { execFileSync } from 'node:child_process';

/** The account that servers of a test run under: `nobody` where the tests run as root, else our own. */
export interface Account {
  readonly root: boolean;
  readonly user: string;
  readonly group: string;
  readonly uid: number;
  readonly gid: number;
}

export function serverAccount(): Account {
  const root = process.getuid?.() === 0;
  const id = (flags: string): string =>
    execFileSync('id', root ? [flags, 'nobody'] : [flags], { encoding: 'utf8' }).trim();
  return { root, user: id('-un'), group: id('-gn'), uid: Number(id('-u')), gid: Number(id('-g')) };
}

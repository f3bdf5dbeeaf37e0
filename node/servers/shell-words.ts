import { AppError } from '../platform/errors.ts';

/** Far below what Linux takes as one command (execve(2): 128 KiB an argument). */
const MAX_COMMAND_LENGTH = 32_768;

/** Means nothing to any shell, wherever it stands. No `%` (a job in bash), `~`, `{`, nor a `=` in front (zsh). */
const PLAIN_WORD = /^[A-Za-z0-9_@+:,./-][A-Za-z0-9_@+=:,./-]*$/;

/**
 * A program and its arguments as the text that sshd hands to a shell, of which each comes out as one word again.
 * @throws AppError `server.argument`: control characters, which nothing of ours has, or too much of it
 */
export function shellCommand(argv: readonly string[]): string {
  // eslint-disable-next-line no-control-regex
  if (argv.length === 0 || argv[0] === '' || argv.some((word) => /[\u0000-\u001F\u007F]/.test(word))) {
    throw new AppError('server.argument', 'a program or one of its arguments is nothing that may be run');
  }
  const text = argv.map((word, index) => quoted(word, index === 0)).join(' ');
  if (text.length > MAX_COMMAND_LENGTH) {
    throw new AppError('server.argument', `a command of ${text.length} characters is too long`);
  }
  return text;
}

/** In front, `NAME=value` is a variable and no program (POSIX.1-2017, Shell Command Language, 2.9.1). */
function quoted(word: string, isFirst: boolean): string {
  if (PLAIN_WORD.test(word) && !(isFirst && word.includes('='))) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

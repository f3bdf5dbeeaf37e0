const BASE_MS = 1_000;
const CAP_MS = 5 * 60_000;
/** Tries with a wrong password make providers lock an account. */
const LOGIN_MS = 2 * 60_000;

/**
 * Milliseconds before the next connection after `failures` that did not live long: doubles from 1 s to 5 minutes,
 * half of it random, so that two nodes and many clients of a server that came back do not arrive together.
 */
export function reconnectDelayMs(failures: number, code: string, random: () => number): number {
  const grown = BASE_MS * 2 ** Math.min(Math.max(failures - 1, 0), 20);
  const full = Math.min(CAP_MS, code === 'mailbox.login' ? Math.max(LOGIN_MS, grown) : grown);
  return Math.round(full / 2 + (full / 2) * random());
}

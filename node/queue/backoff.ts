const BASE_MS = 5_000;
const CAP_MS = 300_000;

/**
 * Milliseconds to wait after the `attempt`th try (1 is the first): doubles from 5 s to 5 minutes, with "equal
 * jitter" (half fixed, half random) so that jobs that failed together do not come back together.
 */
export function backoffMs(attempt: number, random: () => number): number {
  const full = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.round(full / 2 + (full / 2) * random());
}

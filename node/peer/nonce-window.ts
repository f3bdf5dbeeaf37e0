import { randomBytes } from 'node:crypto';

/** Counters so far behind the highest one are not told from used ones any more. */
export const WINDOW_SIZE = 4096;
/** Nonces in use; a caller needs one for as long as it runs. The one that was used longest ago makes room. */
export const MAX_LIVE_NONCES = 8;
const NONCE_BYTES = 16;

/** What a pair of nonce and counter is: `fresh` once, `used` ever after. */
export type NonceVerdict = 'fresh' | 'used' | 'unknown-nonce';

/**
 * Which tokens were accepted, in a few pages of memory that never grow. Each nonce is this process's own word, so what
 * was accepted before a restart has a nonce that is not known any more; under a nonce the caller counts, and a sliding
 * window over its counters tells a repetition (RFC 4303 section 3.4.3), however late others come in.
 */
export interface NonceWindows {
  /** A nonce for a caller that lacks one. The same for all until one of them uses it, so asking uses nothing up. */
  offer(): string;
  /** Whether a counter (an integer from 1) is new under a nonce; it is used from then on. */
  use(nonce: string, counter: number): NonceVerdict;
}

export function createNonceWindows(): NonceWindows {
  /** In the order of their last use. */
  const windows = new Map<string, Window>();
  let offered: string | null = null;

  return {
    offer: () => {
      offered ??= randomBytes(NONCE_BYTES).toString('base64url');
      return offered;
    },
    use: (nonce, counter) => {
      const window = windows.get(nonce) ?? (nonce === offered ? newWindow() : null);
      if (window === null) return 'unknown-nonce';
      if (!slide(window, counter)) return 'used';
      if (nonce === offered) offered = null;
      windows.delete(nonce);
      windows.set(nonce, window);
      for (const oldest of windows.keys()) {
        if (windows.size <= MAX_LIVE_NONCES) break;
        windows.delete(oldest);
      }
      return 'fresh';
    },
  };
}

interface Window {
  highest: number;
  /** A byte for each of the last WINDOW_SIZE counters, at counter modulo WINDOW_SIZE; 1 for used. */
  readonly used: Uint8Array;
}

function newWindow(): Window {
  return { highest: 0, used: new Uint8Array(WINDOW_SIZE) };
}

/** Takes a counter in; false where it was used, or is too far behind to tell. */
function slide(window: Window, counter: number): boolean {
  const { highest, used } = window;
  if (counter <= highest - WINDOW_SIZE) return false;
  const place = counter % WINDOW_SIZE;
  if (counter <= highest) {
    if (used[place] === 1) return false;
  } else {
    if (counter - highest >= WINDOW_SIZE) used.fill(0);
    else for (let skipped = highest + 1; skipped < counter; skipped += 1) used[skipped % WINDOW_SIZE] = 0;
    window.highest = counter;
  }
  used[place] = 1;
  return true;
}

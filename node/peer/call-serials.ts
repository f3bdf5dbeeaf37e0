import type { TokenSerial } from './call-token.ts';

/** How a caller numbers its tokens, so that a server can tell each from all before it. */
export interface CallSerials {
  next(): TokenSerial;
  /**
   * Told of the nonce that a server offered when it would not take a token. Of many calls that fail at once, as after
   * a restart of the server, the first brings the nonce and the others find it there.
   */
  learn(refused: TokenSerial, offered: string): void;
}

export function createCallSerials(): CallSerials {
  let nonce = '';
  let counter = 0;
  return {
    next: () => {
      counter += 1;
      return { nonce, counter };
    },
    learn: (refused, offered) => {
      if (refused.nonce !== nonce) return;
      nonce = offered;
      counter = 0;
    },
  };
}

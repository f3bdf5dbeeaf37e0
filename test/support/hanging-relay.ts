import { startRelay } from './relay.ts';

/** A relay to a port that falls silent once the client has said something: it hangs on just that command. */
export interface HangingRelay extends AsyncDisposable {
  readonly port: number;
  /** Resolves when the client has said it. */
  readonly hanging: Promise<void>;
  /** Client connections that are open. */
  open(): number;
}

/** Relays to the port until a client says what `trigger` matches; from then on nothing comes back. */
export async function startHangingRelay(target: number, trigger: RegExp): Promise<HangingRelay> {
  const hanging = Promise.withResolvers<void>();
  const relay = await startRelay({
    target,
    onConnection: () => {
      let silent = false;
      return (from, chunk) => {
        silent ||= from === 'client' && trigger.test(chunk.toString('latin1'));
        if (silent) hanging.resolve();
        return !silent;
      };
    },
  });
  return {
    port: relay.port,
    hanging: hanging.promise,
    open: () => relay.open.size,
    [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
  };
}

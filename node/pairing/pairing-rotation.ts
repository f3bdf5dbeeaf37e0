import type { Identity } from '../../protocol/messages.ts';
import type { Audit } from '../audit.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Keyring } from './keyring.ts';
import { OLD_ACCEPTED_HOURS } from './trust-store.ts';

/** A rotation that stopped half-way is taken on this often. */
const SETTLE_EVERY_MS = 60_000;
const CALL_TIMEOUT_MS = 10_000;
/** Answers after which the peer has surely not taken the new keys. */
const REFUSALS: ReadonlySet<string> = new Set(['pair.refused', 'rpc.invalid', 'rpc.unknown-method']);

export interface RotationOptions {
  readonly keyring: Keyring;
  readonly rpc: Pick<Peer, 'call'> | null;
  /** What this node tells of itself. */
  readonly identity: () => Promise<Identity>;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Log;
}

/** How far a rotation has come. */
export interface Rotated {
  /** `retiring`: the new keys are in use; the peer has yet to be told to forget the old ones. */
  readonly state: 'done' | 'retiring';
  readonly message: string;
}

export type RotationState = 'none' | 'announcing' | 'retiring';

/** Where a rotation stands, by what is on disk. */
export function rotationState(keyring: Keyring): RotationState {
  if (keyring.next() !== null) return 'announcing';
  return keyring.hasOld() ? 'retiring' : 'none';
}

/**
 * Changes this node's certificate and token key in three steps, each of which may be repeated: the peer is told the
 * new ones beside the old and trusts both (`announcing`); this node uses the new ones, by one rename; the peer is told
 * the new ones alone, with these (`retiring`). A crash leaves a step to be repeated, and keys that the peer trusts.
 */
export function createRotation(options: RotationOptions) {
  const { keyring, rpc, audit, clock, log } = options;

  const tell = async (identity: Identity): Promise<void> => {
    if (rpc === null) throw notPaired();
    await rpc.call('pair.join', { secret: null, identity }, { timeoutMs: CALL_TIMEOUT_MS });
  };

  /** @throws what the call threw; `next` then stands as it did */
  async function announce(): Promise<void> {
    const next = keyring.next();
    if (next === null) return;
    try {
      await tell(await options.identity());
    } catch (error) {
      // An answer was lost a day ago, and the peer trusts the new ones alone by now?
      const since = next.madeAt.until(clock.now()).total('hours');
      if (codeOf(error) !== 'rpc.unauthenticated' || since < OLD_ACCEPTED_HOURS) throw error;
      keyring.present(next);
      try {
        await tell(await options.identity());
      } catch {
        keyring.present(null);
        throw error; // that of the first try: nothing was learnt from the second
      }
    }
    await keyring.takeNext();
    await audit.record({ event: 'pair.rotated', certificate: keyring.own().fingerprint });
  }

  async function retire(): Promise<void> {
    if (!keyring.hasOld()) return;
    await tell(await options.identity());
    await keyring.dropOld();
  }

  /** One cycle: does what is left of a rotation and says what it did. @throws what the call to the peer threw */
  async function settle(): Promise<string> {
    const retired = await keyring.retireOld();
    const before = rotationState(keyring);
    if (before === 'none') return retired ? 'the peer’s old keys are refused from now on' : 'nothing to do';
    await announce();
    await retire();
    return `the rotation is done, it stood at ${before}`;
  }

  async function rotate(): Promise<Rotated> {
    const peerId = keyring.peer()?.peerId;
    if (rpc === null || peerId === undefined || keyring.record() === null) throw notPaired();
    const away = (error: unknown): AppError =>
      new AppError(
        'pair.peer-away',
        `${peerId} does not answer, and both must know of new keys: nothing was changed (${messageOf(error)}). Try again when node-ctl status shows it`,
        { retriable: true, cause: error },
      );
    if (rotationState(keyring) === 'none') {
      await rpc.call('leadership.get', {}, { timeoutMs: CALL_TIMEOUT_MS }).catch((error: unknown) => {
        throw away(error);
      });
      await keyring.makeNext();
    }
    try {
      await announce();
    } catch (error) {
      if (!REFUSALS.has(codeOf(error))) throw unfinished(peerId, error);
      await keyring.dropNext();
      throw new AppError(
        'pair.refused',
        `${peerId} refuses new keys; nothing was changed: ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
    try {
      await retire();
    } catch (error) {
      log.warn('the peer still accepts the old keys', { code: codeOf(error), reason: messageOf(error) });
      const message = `this node uses new keys; ${peerId} still accepts the old ones too: it is told by itself at the next contact, and forgets them after ${OLD_ACCEPTED_HOURS} h`;
      return { state: 'retiring', message };
    }
    return { state: 'done', message: `this node uses new keys, and ${peerId} trusts these alone` };
  }

  return {
    rotate,
    settle,
    /** For a peer that is no longer trusted: what was meant for it goes. */
    giveUp: async (): Promise<void> => {
      await keyring.dropNext();
      await keyring.dropOld();
    },
    /** Settles at the start and every minute; `inTurn` keeps it apart from what operators do. */
    run: async (
      signal: AbortSignal,
      inTurn: (work: () => Promise<string>) => Promise<string>,
    ): Promise<void> => {
      while (!signal.aborted) {
        try {
          const said = await inTurn(settle);
          if (said !== 'nothing to do') log.info(said);
        } catch (error) {
          log.warn('a rotation waits for the peer', { code: codeOf(error), reason: messageOf(error) });
        }
        await clock.sleep(SETTLE_EVERY_MS, signal).catch(() => undefined); // it ends by the signal alone
      }
    },
  };
}

function notPaired(): AppError {
  return new AppError(
    'pair.not-paired',
    'this node is not paired: node-ctl pair invite, here or on the other host',
  );
}

function unfinished(peerId: string, cause: unknown): AppError {
  return new AppError(
    'pair.unfinished',
    `${peerId} may have taken the new keys, its answer is missing (${messageOf(cause)}); ` +
      'the rotation goes on by itself at the next contact: node-ctl pair status shows it',
    { retriable: true, cause },
  );
}

import * as z from 'zod';
import type { Joined } from '../pairing/pairing-join.ts';
import type { PairStatus } from '../pairing/pairing-status.ts';
import type { Pairing, Removed } from '../pairing/pairing.ts';
import { AppError } from '../platform/errors.ts';
import type { HandlersOf } from './control-table.ts';

const MAX_LINE_LENGTH = 4000;
const MAX_URL_LENGTH = 500;

/** An instant as RFC 3339 text. */
const instant = z.string();
const texts = z.array(z.string());

/** How this node is paired. */
export const pairStatusSchema = z.object({
  nodeId: z.string(),
  /** SHA-256 of the certificate in hexadecimal, when it was made, the id of the token key, the SSH key's fingerprint. */
  own: z.object({ fingerprint: z.string(), madeAt: instant, tokenKey: z.string(), sshUserKey: z.string() }),
  /** PEER_ID. */
  configuredPeer: z.string().nullable(),
  /** Whom this node trusts; counts only where it is `configuredPeer`. */
  paired: z
    .object({
      peerId: z.string(),
      pairedAt: instant,
      renewedAt: instant.nullable(),
      certificates: texts,
      tokenKeys: texts,
      sshUser: z.string(),
      queueDir: z.string(),
    })
    .nullable(),
  /** Fingerprints of the SSH host keys that are accepted at the peer. */
  sshHostKeys: texts,
  invitation: z.object({ expiresAt: instant, triesLeft: z.int() }).nullable(),
  /** `announcing`: new keys wait for the peer; `retiring`: they are in use, and the peer still accepts the old ones. */
  rotation: z.enum(['none', 'announcing', 'retiring']),
  authorizedKeys: z.object({
    path: z.string(),
    state: z.enum(['installed', 'missing', 'different', 'unreadable']),
  }),
  problems: texts,
});
export type PairStatusView = z.infer<typeof pairStatusSchema>;

/** The calls of pairing, for the table of the control socket. */
export const PAIRING_METHODS = {
  /** `line` is a secret; null for the URL that follows from RPC_LISTEN. */
  pairInvite: {
    params: z.strictObject({ url: z.string().max(MAX_URL_LENGTH).nullable() }),
    result: z.object({
      line: z.string(),
      peerId: z.string(),
      url: z.string(),
      fingerprint: z.string(),
      expiresAt: instant,
    }),
  },
  pairAccept: {
    params: z.strictObject({ line: z.string().max(MAX_LINE_LENGTH) }),
    /** `notes`: what is not as it should be, though the two are joined. */
    result: z.object({ peerId: z.string(), fingerprint: z.string(), notes: texts }),
  },
  pairStatus: { params: z.strictObject({}), result: pairStatusSchema },
  pairRotate: {
    params: z.strictObject({}),
    result: z.object({ state: z.enum(['done', 'retiring']), message: z.string() }),
  },
  pairRemove: {
    params: z.strictObject({}),
    /** `peerId` null where nobody was trusted. */
    result: z.object({ peerId: z.string().nullable(), notes: texts }),
  },
} as const;

type Methods = typeof PAIRING_METHODS;
/** What an operator can have pairing do; of the same shape as `NodeControl`. */
export type PairingControl = HandlersOf<Methods>;

/** The handlers of {@link PAIRING_METHODS}; of a node alone they refuse with `pair.not-configured`. */
export function pairingControl(
  pairing: Pick<Pairing, 'invite' | 'accept' | 'status' | 'rotate' | 'remove'> | null,
): PairingControl {
  const paired = (): NonNullable<typeof pairing> => {
    if (pairing !== null) return pairing;
    const what = 'PEER_ID is not set: name the other node in the configuration first';
    throw new AppError('pair.not-configured', what);
  };
  return {
    pairInvite: async ({ url }) => {
      const invited = await paired().invite({ url });
      return { ...invited, expiresAt: invited.expiresAt.toString() };
    },
    pairAccept: async ({ line }) => withNotes(await paired().accept(line)),
    pairStatus: async () => viewOf(await paired().status()),
    pairRotate: async () => paired().rotate(),
    pairRemove: async () => withNotes(await paired().remove()),
  };
}

function withNotes<T extends Joined | Removed>(result: T): Omit<T, 'notes'> & { notes: string[] } {
  return { ...result, notes: [...result.notes] };
}

function viewOf(status: PairStatus): PairStatusView {
  const { own, paired, invitation } = status;
  return {
    ...status,
    own: { ...own, madeAt: own.madeAt.toString() },
    paired:
      paired === null
        ? null
        : {
            ...paired,
            pairedAt: paired.pairedAt.toString(),
            renewedAt: paired.renewedAt?.toString() ?? null,
            certificates: [...paired.certificates],
            tokenKeys: [...paired.tokenKeys],
          },
    invitation: invitation === null ? null : { ...invitation, expiresAt: invitation.expiresAt.toString() },
    sshHostKeys: [...status.sshHostKeys],
    problems: [...status.problems],
  };
}

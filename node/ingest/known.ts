import { earlier, later } from './ledger-index.ts';
import type { Ledger } from './ledger.ts';
import type { Replica } from './replica.ts';

/** What the two nodes of the pair know together of mails: this one's own ledger, and its copy of the peer's. */
export interface Known {
  /** A mail that either has dealt with, and the digest of what was made of it; null where neither has. */
  mail(job: string): { readonly digest: string | null } | null;
  /** The digest of what the peer has made of a mail; null where it made nothing, or this node did. */
  madeByPeer(job: string): string | null;
  /** Whether either has made this answer of the nodes' own. */
  answered(job: string): boolean;
  /** The latest arrival among the mails that either made a job of. */
  lastReceivedAt(): Temporal.Instant | null;
  /** Since when one of the two has read a mailbox, as far as is known; null where neither has. */
  startedAt(): Temporal.Instant | null;
  /** UID up to which one of the two has dealt with every mail, whether or not that is to be looked at again. */
  dealtUpTo(uidValidity: string): number | null;
}

type OfPeer = Pick<Replica, 'find' | 'findMail' | 'lastReceivedAt' | 'startedAt' | 'watermark'>;
type OfOwn = Pick<Ledger, 'find' | 'accepted' | 'lastReceivedAt' | 'startedAt' | 'watermarkBefore'>;

const NOTHING: OfPeer = {
  find: () => null,
  findMail: () => null,
  lastReceivedAt: () => null,
  startedAt: () => null,
  watermark: () => null,
};

/** `replica` is null on a node alone. */
export function createKnown(ledger: OfOwn, replica: OfPeer | null): Known {
  const peer = replica ?? NOTHING;
  return {
    mail: (job) => {
      const own = ledger.find(job);
      const ofPeer = peer.findMail(job);
      return own === null && ofPeer === null ? null : { digest: own?.digest ?? ofPeer?.digest ?? null };
    },
    // A job that the peer has by another door came from this node: what was made of the mail is in the own spool.
    madeByPeer: (job) => (ledger.accepted(job) === null ? (peer.findMail(job)?.digest ?? null) : null),
    answered: (job) => ledger.find(job) !== null || peer.find(job) !== null,
    lastReceivedAt: () => later(ledger.lastReceivedAt(), peer.lastReceivedAt()),
    startedAt: () => {
      const [own, ofPeer] = [ledger.startedAt(), peer.startedAt()];
      return own === null || ofPeer === null ? (own ?? ofPeer) : earlier(own, ofPeer);
    },
    dealtUpTo: (uidValidity) => {
      const [own, ofPeer] = [ledger.watermarkBefore(uidValidity), peer.watermark(uidValidity)];
      return own === null || ofPeer === null ? (own ?? ofPeer) : Math.max(own, ofPeer);
    },
  };
}

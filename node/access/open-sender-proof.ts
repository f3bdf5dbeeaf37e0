import type { IncomingMail } from '../mail/message.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import { type Lookup, systemLookup } from './bounded-dns.ts';
import { createResultsProof, domainOf, unproved } from './sender-proof-results.ts';
import { createVerifyProof } from './sender-proof-verify.ts';
import type { Proof, SenderProof } from './sender-proof.ts';

/** For so long a mail waits for the DNS of its sender; then it is put into quarantine, from where it can be released. */
const MAX_WAIT_MS = 10 * 60_000;
/** After so long without a mail of it, a domain is waited for anew. */
const FORGET_MS = 60 * 60_000;
const MAX_DOMAINS = 500;

/** SENDER_AUTH as the configuration has it. */
export type SenderAuth =
  | { readonly kind: 'off' | 'verify' }
  | { readonly kind: 'results'; readonly authservId: string };

export interface SenderProofOptions {
  readonly clock: Clock;
  /** In place of the DNS of this host. */
  readonly lookup?: Lookup;
}

/** The proof that SENDER_AUTH asks for. */
export function createSenderProof(auth: SenderAuth, { clock, lookup }: SenderProofOptions): SenderProof {
  if (auth.kind === 'off') return TRUSTING;
  if (auth.kind === 'results') return createResultsProof(auth.authservId);
  return createPatientProof(createVerifyProof({ clock, lookup: lookup ?? systemLookup() }), clock);
}

/** SENDER_AUTH=off: whatever the From line says. */
const TRUSTING: SenderProof = {
  prove: () => Promise.resolve({ proved: true, how: 'off', domain: '' }),
};

/**
 * Bounds how long mails wait for a DNS that does not answer: ten minutes for each domain, counted over all its mails,
 * so that one domain whose DNS is down holds the others up once and not with every mail.
 */
export function createPatientProof(proof: SenderProof, clock: Clock): SenderProof {
  const away = new Map<string, { readonly sinceMs: number; lastMs: number }>();

  const outOfPatience = (domain: string): boolean => {
    const nowMs = clock.monotonicMs();
    const known = away.get(domain);
    const goesOn = known !== undefined && nowMs - known.lastMs < FORGET_MS;
    const since = goesOn ? known.sinceMs : nowMs;
    away.delete(domain);
    away.set(domain, { sinceMs: since, lastMs: nowMs });
    const [oldest] = away.keys();
    if (away.size > MAX_DOMAINS && oldest !== undefined) away.delete(oldest);
    return nowMs - since >= MAX_WAIT_MS;
  };

  return {
    prove: async (raw: Buffer, mail: IncomingMail, truncated: boolean): Promise<Proof> => {
      const domain = domainOf(mail) ?? '';
      try {
        const proved = await proof.prove(raw, mail, truncated);
        away.delete(domain);
        return proved;
      } catch (error) {
        if (codeOf(error) !== 'access.dns' || !outOfPatience(domain)) throw error;
        return unproved('dns', messageOf(error));
      }
    },
  };
}

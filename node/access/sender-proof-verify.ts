import type { DKIMResult, DMARCOptions, DMARCResult } from 'mailauth';
import { headerFields, type HeaderField, headerOf } from '../mail/header-fields.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { boundedLookup, isBelow, type Lookup, lookupBelow } from './bounded-dns.ts';
import { envelopeOf } from './client-address.ts';
import { countOf, headerAmbiguity, TELLING_FIELDS } from './one-author.ts';
import { domainOf, unproved } from './sender-proof-results.ts';
import type { Proof, SenderProof } from './sender-proof.ts';

/** A mail has one or two; with more, somebody means to keep us busy. */
const MAX_SIGNATURES = 20;
/** Of those over a part of the body (RFC 6376, `l=`) each is to be hashed by itself, and none counts. */
const MAX_PARTIAL = 1;
/** RFC 8301 section 3.2. */
const MIN_KEY_BITS = 1024;
const SPF_LIMIT_MS = 10_000;
const MAX_SHOWN = 500;

export interface VerifyOptions {
  readonly lookup: Lookup;
  readonly clock: Clock;
}

/** A mail being judged. */
interface Case {
  readonly raw: Buffer;
  readonly address: string;
  readonly domain: string;
  readonly lookup: Lookup;
  readonly clock: Clock;
}

/** What DMARC says of the domain of the From address. */
interface Policy {
  /** The domain under which signatures and envelopes count as its own (RFC 9989 section 4.10). */
  readonly organization: string;
  /** False where the domain says nothing about DMARC. */
  readonly published: boolean;
}

/** What DKIM found. */
interface Signatures {
  /** Domains of the organization whose signature is good. */
  readonly good: readonly string[];
  /** What keeps other signatures of these from counting. */
  readonly complaints: readonly string[];
  /** Domains outside the organization; nobody looks whether their signatures are good. */
  readonly foreign: readonly string[];
}

const UNSIGNED: Signatures = { good: [], complaints: [], foreign: [] };

/**
 * Checks DKIM, SPF and DMARC on the raw mail itself, with nothing but the DNS. It is proved by DMARC (RFC 9989): a good
 * signature, or the address it came from, of the From domain or its organization. Where the domain publishes no
 * DMARC, a good signature of exactly this domain proves it too, and an address does not. A signature is good where it
 * is over the whole body and over From, Subject, Date and Message-ID: what it leaves out anyone can change.
 * Only names of the From domain's organization are looked up, so that no stranger's DNS can hold anything up.
 */
export function createVerifyProof({ lookup, clock }: VerifyOptions): SenderProof {
  return {
    prove: async (raw, mail, truncated) => {
      const ambiguity = headerAmbiguity(raw);
      if (ambiguity !== null) return unproved('header-ambiguous', ambiguity);
      const domain = domainOf(mail);
      if (domain === null || mail.from === null) {
        return unproved('from-ambiguous', 'its From field does not name one plain address');
      }
      const dns = boundedLookup(lookup);
      const proof = await prove(
        { raw, address: mail.from.address, domain, lookup: dns.lookup, clock },
        truncated,
      );
      if (!proof.proved && dns.failed()) throw away(domain);
      return proof;
    },
  };
}

async function prove(it: Case, truncated: boolean): Promise<Proof> {
  const { domain } = it;
  const policy = await policyOf(it);
  const { good, complaints, foreign } = truncated ? UNSIGNED : await signaturesOf(it, policy);
  const byDkim = await isAligned(it, policy, { dkimDomains: good.map((one) => ({ domain: one })) });
  if (byDkim) return { proved: true, how: 'dkim', domain };
  const sent = policy.published ? await spfDomain(it, policy) : null;
  const bySpf = sent !== null && (await isAligned(it, policy, { spfDomains: [sent] }));
  if (bySpf) return { proved: true, how: 'spf', domain };
  if (truncated)
    return unproved('too-large', 'it is larger than MAIL_MAX_BYTES, so its signature cannot be checked');
  if (complaints.length > 0) return unproved('dkim-fail', complaints.join('; '));
  const others = [...good, ...foreign].join(', ').slice(0, MAX_SHOWN);
  return others === ''
    ? unproved('unsigned', `no signature of ${domain}`)
    : unproved('domain-differs', `signed by ${others}, From says ${domain}`);
}

async function policyOf({ address, domain, lookup }: Case): Promise<Policy> {
  const dmarc = await evaluate({ headerFrom: [address], fromFields: 1, resolver: lookup });
  if (dmarc === false || dmarc.status.result === 'none') return { organization: domain, published: false };
  return { organization: dmarc.domain.toLowerCase(), published: true };
}

/** Whether DMARC passes with these; without a policy only a domain that is the very same one does. */
async function isAligned(
  { address, domain, lookup }: Case,
  { published }: Policy,
  found: { readonly spfDomains?: readonly string[]; readonly dkimDomains?: readonly { domain: string }[] },
): Promise<boolean> {
  // A registry that publishes a policy of its own would make all domains below it one organization.
  const inLine = (one: string): boolean => isBelow(one, domain) || isBelow(domain, one);
  const spfDomains = (found.spfDomains ?? []).filter(inLine);
  const dkimDomains = (found.dkimDomains ?? []).filter((one) => inLine(one.domain));
  if (spfDomains.length + dkimDomains.length === 0) return false;
  if (!published) return dkimDomains.some((one) => one.domain === domain);
  const aligned = { spfDomains, dkimDomains };
  const dmarc = await evaluate({ headerFrom: [address], fromFields: 1, resolver: lookup, ...aligned });
  return dmarc !== false && dmarc.status.result === 'pass';
}

async function evaluate(options: DMARCOptions): Promise<DMARCResult | false> {
  const { evaluateDmarc } = await import('mailauth/lib/dmarc/index.js');
  return (await evaluateDmarc(options)).response;
}

async function signaturesOf({ raw, lookup, clock }: Case, { organization }: Policy): Promise<Signatures> {
  const fields = headerFields(headerOf(raw));
  if (countOf(fields, 'dkim-signature') === 0) return UNSIGNED;
  const tooMuch = excessOf(fields);
  if (tooMuch !== null) return { ...UNSIGNED, complaints: [tooMuch] };
  const { dkimVerify } = await import('mailauth/lib/dkim/verify.js');
  const { results, headers } = await dkimVerify(raw, {
    resolver: lookupBelow(organization, lookup),
    minBitLength: MIN_KEY_BITS,
    rejectRsaSha1: true,
    curTime: new Date(clock.now().epochMilliseconds),
  });
  // What was verified is what is read here only where both see the same fields.
  const others = TELLING_FIELDS.filter(
    (name) => (headers?.parsed ?? []).filter(({ key }) => key === name).length !== countOf(fields, name),
  );
  if (others.length > 0)
    return { ...UNSIGNED, complaints: [`its ${others.join(', ')} can be read in two ways`] };
  const needed = TELLING_FIELDS.filter((name) => name === 'message-id' || countOf(fields, name) > 0);
  const found: { good: string[]; complaints: string[]; foreign: string[] } = {
    good: [],
    complaints: [],
    foreign: [],
  };
  for (const result of results) {
    const signer = result.signingDomain?.toLowerCase() ?? '';
    const why = faultOf(result, needed);
    if (!isBelow(signer, organization)) found.foreign.push(signer);
    else if (why === null) found.good.push(signer);
    else found.complaints.push(`signature of ${signer}: ${why}`);
  }
  return found;
}

/** What of its signatures would keep a node busy for minutes; null where nothing would. */
function excessOf(fields: readonly HeaderField[]): string | null {
  const signatures = fields.filter(({ name }) => name === 'dkim-signature');
  if (signatures.length > MAX_SIGNATURES) return `it has ${signatures.length} signatures`;
  const partial = signatures.filter(({ value }) => /(?:^|;)\s*l\s*=/i.test(value)).length;
  return partial > MAX_PARTIAL ? `it has ${partial} signatures over a part of the body` : null;
}

/** Why a signature does not count; null where it does. */
function faultOf({ status, signingHeaders }: DKIMResult, needed: readonly string[]): string | null {
  if (status.result !== 'pass') return status.comment ?? status.result;
  if ((status.underSized ?? 0) > 0) return 'it is over a part of the body';
  const signed = new Set(
    (signingHeaders?.headers ?? []).map((line) => line.split(':')[0]?.trim().toLowerCase()),
  );
  const left = needed.filter((name) => !signed.has(name));
  return left.length === 0 ? null : `it leaves out ${left.join(', ')}`;
}

/** The domain of the envelope's sender, where it is the organization's and SPF lets the client send for it. */
async function spfDomain({ raw, lookup }: Case, { organization }: Policy): Promise<string | null> {
  const envelope = envelopeOf(raw);
  if (envelope === null) return null;
  const { sender, clientIp, helo } = envelope;
  const domain = sender.slice(sender.lastIndexOf('@') + 1);
  if (!isBelow(domain, organization)) return null;
  const { spf } = await import('mailauth/lib/spf/index.js');
  const { status } = await spf({
    ...{ sender, ip: clientIp, helo, resolver: lookup },
    ...{ mta: 'localhost', strict: true, maxElapsedTime: SPF_LIMIT_MS },
  });
  return status.result === 'pass' ? domain : null;
}

function away(domain: string): AppError {
  return new AppError('access.dns', `the DNS does not say whether ${domain} sent it`, { retriable: true });
}

import { headerFields, headerOf } from '../mail/header-fields.ts';
import { clean, type IncomingMail } from '../mail/message.ts';
import { type AuthResults, authservIdOf, parseAuthResults } from './auth-results.ts';
import { headerAmbiguity } from './one-author.ts';
import type { Proof, SenderProof } from './sender-proof.ts';

const MAX_SHOWN = 200;
const MAX_DETAIL = 500;

/**
 * Takes the word of the server that received the mail (RFC 8601), known by its `authservId` in lower case: the
 * topmost Authentication-Results field of that id, with `dmarc=pass` for the domain of the From address. Fields of
 * other ids, and those below it, count for nothing: the sender may have written them. That server must put its field
 * above what came with the mail, on every mail, as section 5 of the RFC asks for.
 */
export function createResultsProof(authservId: string): SenderProof {
  return { prove: (raw, mail) => Promise.resolve(judge(raw, mail, authservId)) };
}

function judge(raw: Buffer, mail: IncomingMail, authservId: string): Proof {
  const ambiguity = headerAmbiguity(raw);
  if (ambiguity !== null) return unproved('header-ambiguous', ambiguity);
  const domain = domainOf(mail);
  if (domain === null) return unproved('from-ambiguous', 'its From field does not name one plain address');
  const field = headerFields(headerOf(raw)).find(
    ({ name, value }) => name === 'authentication-results' && authservIdOf(value) === authservId,
  );
  if (field === undefined)
    return unproved('no-results', `${authservId} has written no Authentication-Results`);
  const results = parseAuthResults(field.value);
  if (results === null) return unproved('results-malformed', 'its Authentication-Results cannot be read');
  return dmarcOf(results, domain);
}

/** Exactly one result of DMARC: a second one may have been smuggled in by a value that the server did not quote. */
function dmarcOf({ results }: AuthResults, domain: string): Proof {
  const [dmarc, second] = results.filter(({ method }) => method === 'dmarc');
  if (dmarc === undefined) return unproved('no-dmarc', 'the receiving server did not check DMARC');
  if (second !== undefined) return unproved('results-malformed', 'it has several results of DMARC');
  if (dmarc.result !== 'pass') return unproved('dmarc-fail', `dmarc=${dmarc.result}`);
  const [from, other] = dmarc.properties.filter(([name]) => name === 'header.from').map(([, value]) => value);
  const passed = from?.toLowerCase().replace(/\.$/, '');
  if (passed !== domain || other !== undefined) {
    const shown = (from ?? '').slice(0, MAX_SHOWN);
    return unproved('domain-differs', `dmarc=pass is for "${shown}", From says ${domain}`);
  }
  return { proved: true, how: 'results', domain };
}

/** The domain of the one From address; null where there is none. */
export function domainOf({ from }: IncomingMail): string | null {
  return from === null ? null : from.address.slice(from.address.lastIndexOf('@') + 1);
}

/** `detail` may hold what stands in the mail. */
export function unproved(reason: string, detail: string): Proof {
  return { proved: false, reason, detail: clean(detail).slice(0, MAX_DETAIL) };
}

import type { LegacyDocument } from '../../protocol/legacy.ts';
import type { Fault, Field } from './command.ts';
import { writeSubject } from './subject.ts';
import { plainText } from './subject-text.ts';

/** The only command that old documents ask for. */
export const LEGACY_COMMAND = 'RAMAIS';
const MAX_ADDRESS_LENGTH = 320;
const MAX_SUBJECT_LENGTH = 1000;
/** One address of plain characters; anything cleverer is not worth the risk in a file that anyone could drop. */
const ADDRESS = /^[A-Z0-9._%+'=~-]{1,64}@[A-Z0-9.-]{1,253}$/i;

/** An old queue document as the request it stands for. */
export interface LegacyRequest {
  /** For the grammar of RAMAIS. */
  readonly fields: readonly Field[];
  /** The subject that would have asked for it. */
  readonly subject: string;
  /** Whom to answer, in lower case: `parameters.email`, else `from_email`; null where it is no address. */
  readonly requester: string | null;
  /** `from_email`, in lower case: who asked for it on the Python side; null where it is no address. */
  readonly sender: string | null;
  /** Faults of the addresses; those of the fields are the grammar's to find. */
  readonly faults: readonly Fault[];
}

/** Reads the old document. Both addresses are to pass the whitelist: the file says nothing about who dropped it. */
export function readLegacyRequest({ from_email: from, parameters }: LegacyDocument): LegacyRequest {
  const fields: Field[] = [
    { key: 'RAMAIS', value: plainText(parameters.ramais) },
    ...optional('SERVER', parameters.server),
    { key: 'INICIO', value: plainText(parameters.inicio) },
    { key: 'FIM', value: plainText(parameters.fim) },
    ...optional('AUDIOS_FROM', parameters.audios_from),
  ];
  const sender = readAddress(from);
  const answerTo = parameters.email ?? '';
  const requester = answerTo.trim() === '' ? sender : readAddress(answerTo);
  const faults: Fault[] = [];
  if (sender === null) faults.push(addressFault('FROM_EMAIL', from));
  if (requester === null && answerTo.trim() !== '') faults.push(addressFault('EMAIL', answerTo));
  return { fields, subject: writeSubject(fields).slice(0, MAX_SUBJECT_LENGTH), requester, sender, faults };
}

function optional(key: string, value: string | undefined): Field[] {
  return value === undefined || value.trim() === '' ? [] : [{ key, value: plainText(value) }];
}

/** `Name <user@example.com>` or the address alone. */
function readAddress(text: string): string | null {
  const bracketed = /<([^<>]*)>\s*$/.exec(text);
  const address = (bracketed?.[1] ?? text).trim();
  return address.length <= MAX_ADDRESS_LENGTH && ADDRESS.test(address) ? address.toLowerCase() : null;
}

function addressFault(field: string, value: string): Fault {
  return { field, code: 'address-invalid', values: { value: value.slice(0, MAX_ADDRESS_LENGTH) } };
}

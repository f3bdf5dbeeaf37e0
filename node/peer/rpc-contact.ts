import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { PeerContact } from './peer.ts';

/** Keeps how the last calls went. */
export interface ContactRecord {
  answered(latencyMs: number): void;
  failed(error: unknown): void;
  view(): PeerContact;
}

export function createContactRecord(clock: Clock): ContactRecord {
  let contact: PeerContact = { lastAnswerAt: null, latencyMs: null, lastError: null };
  return {
    answered: (latencyMs) => {
      contact = { lastAnswerAt: clock.now(), latencyMs, lastError: null };
    },
    failed: (error) => {
      const lastError = { code: codeOf(error), message: messageOf(error), at: clock.now() };
      contact = { ...contact, lastError };
    },
    view: () => contact,
  };
}

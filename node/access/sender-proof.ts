import type { IncomingMail } from '../mail/message.ts';

/** Whether it is proved that a mail comes from whom its From line names. */
export type Proof =
  | {
      readonly proved: true;
      /** `results`: the receiving server says so. `dkim`, `spf`: verified here. `released`: by an operator. `off`: taken on trust. */
      readonly how: 'results' | 'dkim' | 'spf' | 'released' | 'off';
      /** The From domain that is proved; empty where it is `off`. */
      readonly domain: string;
    }
  | {
      readonly proved: false;
      /** `no-results`, `dmarc-fail`, `domain-differs`, `from-ambiguous`, `unsigned`, `too-large`… */
      readonly reason: string;
      /** For the admin, in English; holds no token. */
      readonly detail: string;
    };

export interface SenderProof {
  /**
   * Judges a raw mail (its header alone, where it is larger than MAIL_MAX_BYTES).
   * @throws AppError `access.dns` (retriable) where the DNS that tells does not answer
   */
  prove(raw: Buffer, mail: IncomingMail, truncated: boolean): Promise<Proof>;
}

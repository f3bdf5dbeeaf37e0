import type { Server } from './inventory.ts';

/** What is asked for: the MAC of an extension's phone, 12 lower-case hexadecimal digits; null for none. */
export interface MacRequest {
  readonly extension: string;
  /** What the extension must have now. */
  readonly from: string | null;
  readonly to: string | null;
}

/** What a file says of an extension, before and after. */
export type MacFileReport = {
  /** Path on the server; of a renamed file, the old one. */
  readonly path: string;
  /** As it is written there; null for the empty value, and where the record is not there. */
  readonly before: string | null;
  readonly after: string | null;
  /** Null where the file was left as it was. */
  readonly backup: string | null;
};

/** How a change ended; JSON, since a step keeps it. */
export type MacReport = {
  /** `changed`: in all files. `already`: all files have it so. `refused`: nothing was touched, see `refusal`. */
  readonly state: 'changed' | 'already' | 'refused';
  readonly files: readonly MacFileReport[];
  /** Other extensions that have the new MAC. */
  readonly duplicates: readonly { readonly path: string; readonly extension: string }[];
  /** `extension-missing`, `mac-differs`, `record-ambiguous`…; `files` says what is there. */
  readonly refusal: { readonly code: string; readonly message: string } | null;
  /** Of what went on besides: the notification failed, a provisioning file is missing. Stable codes. */
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** Directory on the server that has the files as they were; null where nothing was changed. */
  readonly backup: string | null;
};

/** What an extension has on a server now. */
export type MacView = {
  readonly extension: string;
  readonly files: readonly {
    readonly path: string;
    readonly macs: readonly (string | null)[];
    readonly problem: string | null;
  }[];
};

/** Told of a change as it goes on, so that whoever asked knows after a crash whether files may be half-way. */
export interface MacHooks {
  /** The first file is about to be changed. */
  touching(): Promise<void>;
  /** What was half-way has been settled. */
  settled(): Promise<void>;
}

/** The phones that a SIP server knows by MAC, in its definition files. */
export interface Phones {
  /** What each file says. @throws AppError as `Remote.open` */
  show(server: Server, extension: string, signal: AbortSignal): Promise<MacView>;
  /**
   * Changes all files or none. `jobId` names the backup, and what a crash or a lost connection left half-way: calling
   * it again first puts that right. @throws AppError `mac.unsettled` (retriable: files may be changed half-way, and the
   * server cannot be reached to put that right), `mac.locked` (retriable), `mac.failed`, `mac.changed-meanwhile` (all is as before), `mac.not-declared`, `mac.backup-served`,
   * `mac.no-backup-directory`, and as `Remote.open`
   */
  change(
    server: Server,
    request: MacRequest,
    jobId: string,
    signal: AbortSignal,
    hooks?: MacHooks,
  ): Promise<MacReport>;
  /** Puts the files of a backup back as they were. @throws AppError `mac.no-backup`, `mac.changed-since`, and as above */
  restore(server: Server, backup: string, signal: AbortSignal): Promise<MacReport>;
}

/** What we use of hoodiecrow-imap 2.1 (lib/server.js); it comes without types. */
declare module 'hoodiecrow-imap' {
  import type { Server } from 'node:net';

  export interface HoodiecrowMessage {
    readonly uid: number;
    readonly flags: readonly string[];
    /** The mail as a binary string: one character a byte. */
    readonly raw: string;
  }

  export interface HoodiecrowConnection {
    readonly state: 'Not Authenticated' | 'Authenticated' | 'Selected' | 'Logout';
    readonly selectedMailbox?: { readonly path: string };
  }

  export interface HoodiecrowServer {
    readonly server: Server;
    readonly connectionHandlers: ((connection: HoodiecrowConnection) => void)[];
    getMailbox(path: string): { readonly messages: readonly HoodiecrowMessage[] } | undefined;
    appendMessage(
      path: string,
      flags: string[],
      internalDate: Date,
      raw: string,
    ): { message: HoodiecrowMessage };
  }

  export interface HoodiecrowOptions {
    readonly plugins: readonly string[];
    readonly users: Readonly<Record<string, { readonly password: string }>>;
    readonly storage: Readonly<Record<string, object>>;
  }

  export default function hoodiecrow(options: HoodiecrowOptions): HoodiecrowServer;
}

/** What we use of hoodiecrow-imap 2.1 (lib/server.js); it comes without types. */
declare module 'hoodiecrow-imap' {
  import type { Server, Socket } from 'node:net';

  export interface HoodiecrowMessage {
    readonly uid: number;
    readonly flags: readonly string[];
    /** The mail as a binary string: one character a byte. */
    readonly raw: string;
  }

  export interface HoodiecrowConnection {
    readonly state: 'Not Authenticated' | 'Authenticated' | 'Selected' | 'Logout';
    /** Null once it is closed. */
    readonly socket: Socket | null;
    readonly selectedMailbox?: { readonly path: string } | false;
  }

  export interface HoodiecrowServer {
    readonly server: Server;
    readonly connectionHandlers: ((connection: HoodiecrowConnection) => void)[];
    /** Told of each response before it is sent; `what` names it, as `SELECT` for the last one of that command. */
    readonly outputHandlers: ((connection: HoodiecrowConnection, response: object, what?: string) => void)[];
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

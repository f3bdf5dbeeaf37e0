import { connect, createSecureContext, type TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Fingerprint, OwnCredentials } from './credentials.ts';
import { fingerprintOf } from './pins.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const KEEP_ALIVE_PROBE_MS = 10_000;

export interface PinnedConnectorOptions {
  /** Certificates that the server may show. */
  readonly pins: ReadonlySet<Fingerprint>;
  /** What is shown to it; null for nothing. */
  readonly own: OwnCredentials | null;
}

/**
 * Makes connections for undici: TLS 1.3 to a server that shows exactly one of the pinned certificates. Its name is not
 * looked at and no authority is asked. Nothing is sent before the certificate has been compared.
 */
export function createPinnedConnector({ pins, own }: PinnedConnectorOptions): buildConnector.connector {
  const secureContext = createSecureContext({
    ...(own === null ? {} : { cert: own.certificate, key: own.certificateKey }),
    // No authority at all, instead of those of the system.
    ca: [],
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
  });
  return ({ hostname, port }, callback) => {
    const socket = connect({
      host: hostname,
      port: Number(port === '' ? 443 : port),
      secureContext,
      // Instead of a chain, the certificate itself is checked, below.
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
    const timer = setTimeout(() => {
      reject(unreachable(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
    }, CONNECT_TIMEOUT_MS);
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      if (certificate !== undefined && pins.has(fingerprintOf(certificate))) return resolve(socket);
      reject(wrongCertificate(certificate === undefined ? 'none' : fingerprintOf(certificate)));
    });
    socket.once('error', (error) => reject(unreachable(messageOf(error), error)));
    socket.once('close', () => reject(unreachable('the connection was closed at once')));
    promise
      .then(
        () => callback(null, socket),
        (error: Error) => {
          socket.destroy();
          callback(error, null);
        },
      )
      .finally(() => clearTimeout(timer));
  };
}

function unreachable(reason: string, cause?: unknown): AppError {
  return new AppError('peer.unreachable', `the peer cannot be reached: ${reason}`, {
    retriable: true,
    cause,
  });
}

function wrongCertificate(shown: Fingerprint): AppError {
  return new AppError(
    'peer.wrong-certificate',
    `who answers there is not the peer: its certificate has the fingerprint ${shown}`,
    { retriable: true },
  );
}

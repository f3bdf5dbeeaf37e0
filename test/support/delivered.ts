import type { DeliveredItem, Delivery, DeliveryAbout } from '../../node/delivery/manifest.ts';
import { JOB } from './publisher-contract.ts';

/** Job of the deliveries of these tests. */
export const DELIVERED_JOB = JOB;

/** What a delivery of these tests answers; `changes` over it. */
export function aboutDelivery(changes: Partial<DeliveryAbout> = {}): DeliveryAbout {
  return {
    subject: 'RAMAIS=1121 INICIO=01/03/2026 FIM=01/03/2026',
    requester: 'maria@example.test',
    extensions: ['1121'],
    start: '2026-03-01T00:00:00',
    end: '2026-03-01T23:59:59',
    server: null,
    source: 'audio',
    timeZone: 'America/Sao_Paulo',
    narrowedByServer: null,
    unreadable: 0,
    ...changes,
  };
}

/** The `n`th recording of a delivery, a WAV of a second; `changes` over it. */
export function deliveredItem(n: number, changes: Partial<DeliveredItem> = {}): DeliveredItem {
  const fileName = changes.fileName ?? `20260301-09${String(n % 60).padStart(2, '0')}00_1121_2000-${n}.wav`;
  const startedAt = `2026-03-01T09:${String(n % 60).padStart(2, '0')}:00`;
  return {
    recording: {
      key: `2026/03/01/internal-1121-2000-${n}.wav`,
      origin: '1121',
      destination: '2000',
      startedAt,
      sizeBytes: 16_044,
      format: 'wav',
    },
    key: `${DELIVERED_JOB}/${fileName}`,
    fault: null,
    fileName,
    seconds: 1,
    playable: true,
    playKey: null,
    ...changes,
  };
}

/** A complete delivery of these items in one ZIP. */
export function completeDelivery(items: readonly DeliveredItem[], expiresAt: string): Delivery {
  const fileName = 'gravacoes-20260301-0900.zip';
  const count = items.filter(({ key }) => key !== null).length;
  return {
    job: DELIVERED_JOB,
    expiresAt,
    zips: [{ key: `${DELIVERED_JOB}/${fileName}`, fileName, sizeBytes: 20_000, count }],
    items: [...items],
    totalBytes: items.reduce((sum, { recording }) => sum + recording.sizeBytes, 0),
  };
}

/** A recording that is heard where it lies. */
export function directItem(n: number, changes: Partial<DeliveredItem> = {}): DeliveredItem {
  const item = deliveredItem(n, changes);
  return { ...item, key: item.recording.key, direct: true };
}

import { formatWallTime } from '../commands/wall-time.ts';
import type { Nearby, NearbyExtension, NearbyRecording } from '../recordings/source.ts';
import type { Card } from './cards.ts';
import { formatCount } from './format.ts';
import { shownNumber } from './parts.ts';

/** Extensions that a mail tells of; more come only from limits set very high. */
const MAX_SHOWN = 30;

/** What is near a search that found nothing, extension by extension. */
export function nearbyCards(nearby: Nearby): Card[] {
  const cards = nearby.extensions.slice(0, MAX_SHOWN).map((near) => cardOf(near, nearby.days));
  const more = nearby.extensions.length - cards.length;
  if (more <= 0) return cards;
  return [...cards, { title: `… e mais ${formatCount(more)} ramais`, mark: null, lines: [] }];
}

/** Whether anything was ever recorded of an extension where it was searched; null where not all days were looked at. */
export function isKnown({ before, after }: NearbyExtension, days: Nearby['days']): boolean | null {
  if (before !== null || after !== null) return true;
  return days === null ? false : null;
}

function cardOf(near: NearbyExtension, days: Nearby['days']): Card {
  const title = `Ramal ${shownNumber(near.extension)}`;
  const known = isKnown(near, days);
  if (known === false) {
    return {
      title,
      mark: { kind: 'warning', label: 'desconhecido' },
      lines: ['Não há nenhuma gravação deste ramal neste lugar, em data nenhuma.'],
    };
  }
  if (known === null) {
    return { title, mark: null, lines: [`Nenhuma gravação ${betweenDays(days)}.`] };
  }
  return {
    title,
    mark: null,
    lines: [
      sideLine('Última antes do período', near.before, days),
      sideLine('Primeira depois do período', near.after, days),
    ],
  };
}

function sideLine(label: string, recording: NearbyRecording | null, days: Nearby['days']): string {
  if (recording === null) return `${label}: nenhuma${days === null ? '' : ` ${betweenDays(days)}`}.`;
  const { startedAt, origin, destination } = recording;
  return `${label}: ${formatWallTime(startedAt)}, ${shownNumber(origin)} → ${shownNumber(destination)}.`;
}

function betweenDays(days: Nearby['days']): string {
  return days === null ? '' : `entre ${dayOf(days.first)} e ${dayOf(days.last)}`;
}

/** `27/10/2025` of `2025-10-27`. */
function dayOf(day: string): string {
  return formatWallTime(`${day}T00:00:00`).slice(0, 10);
}

/** Colours and type of every mail and page. Colours on their grounds have a contrast of 4.5 or more (WCAG 1.4.3). */
export const GREEN = '#01847f';
export const LINK = '#00655f';
export const INK = '#16302f';
export const MUTED = '#54696a';
export const LINE = '#d5e1e0';
export const PANEL = '#f4f9f8';
export const GROUND = '#eef4f3';
/** What is to be seen first. */
export const WARNING = { ground: '#fff5dc', ink: '#553f00', edge: '#d99a00' } as const;
/** The same in dark mode. */
export const DARK = {
  ground: '#0e1716',
  card: '#172221',
  ink: '#e4eeed',
  muted: '#a2b8b6',
  line: '#2c3f3d',
  panel: '#1f2e2d',
  link: '#6fd3cb',
  warning: '#352b12',
  warningInk: '#fbe3a8',
} as const;
export const FONT = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
export const MONO = "Consolas,Menlo,'DejaVu Sans Mono',monospace";

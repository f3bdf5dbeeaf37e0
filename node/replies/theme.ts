/**
 * Colours and type of every mail. Colours on their grounds have a contrast of 4.5 or more (WCAG 1.4.3), here and
 * in the dark mode of `page.ts`.
 */
export const GREEN = '#01847f'; // ATHome green, rgb(1,132,127)
export const LINK = '#00655f';
export const INK = '#16302f';
export const MUTED = '#54696a';
export const LINE = '#d5e1e0';
export const PANEL = '#f4f9f8';
export const GROUND = '#eef4f3';
export const FONT = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
export const MONO = "Consolas,Menlo,'DejaVu Sans Mono',monospace";

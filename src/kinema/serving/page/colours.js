// Colours that can be told apart: a list for the first groups, then hues a golden angle apart; and one scale for likeness.

const GROUPS = [
  "#0f8b80", "#d9822b", "#5b6fd6", "#c2447f", "#7a9a1f", "#2f9fd0", "#b0563c", "#8a5cc2", "#c9a227", "#4f7f5f",
  "#d0607a", "#5f7285",
];
export const NONE = "#8b9498";

export function group(number) {
  if (number === null || number === undefined || number < 0) return NONE;
  return number < GROUPS.length ? GROUPS[number] : `hsl(${(number * 137.5) % 360} 48% 52%)`;
}

// One scale for likeness, by share from 0 to 1: pale to deep on light ground, dim to bright on dark.
const STOPS = { light: [[226, 231, 229], [106, 180, 171], [10, 92, 86]], dark: [[38, 46, 48], [34, 116, 108], [112, 232, 215]] };

export function shade(share) {
  const stops = STOPS[matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"];
  const at = Math.max(0, Math.min(1, share)) * 2;
  const [from, to] = at < 1 ? [stops[0], stops[1]] : [stops[1], stops[2]];
  const part = at < 1 ? at : at - 1;
  return `rgb(${from.map((value, n) => Math.round(value + (to[n] - value) * part)).join(" ")})`;
}

/** Plots as SVG, readable on a light page and on a dark one: no background, and colours that stand out from both. */

const WIDTH = 720;
const HEIGHT = 360;
const MARGIN = { top: 48, right: 24, bottom: 72, left: 72 };
const COLOURS = ['#2f81f7', '#d9822b', '#8957e5', '#2da44e', '#cf4a8d'];
const INK = '#808080';

/**
 * Bars in groups, on a logarithmic scale where they are far apart.
 *
 * @param {{ title: string, unit: string, groups: string[], series: { name: string, values: number[] }[] }} plot
 */
export function bars({ title, unit, groups, series }) {
  const scale = scaleOf(
    series.flatMap(({ values }) => values),
    true,
  );
  const across = (WIDTH - MARGIN.left - MARGIN.right) / groups.length;
  const width = (across * 0.8) / series.length;
  const marks = series.flatMap(({ name, values }, index) =>
    values.map((value, group) => {
      const left = MARGIN.left + across * (group + 0.1) + width * index;
      const top = scale.y(value);
      return (
        `<rect x="${at(left)}" y="${at(top)}" width="${at(width * 0.9)}" height="${at(floorY() - top)}" ` +
        `fill="${colour(index)}"><title>${escape(`${name}, ${groups[group]}: ${short(value)} ${unit}`)}</title></rect>` +
        text(left + width * 0.45, top - 4, short(value), 'middle', 10)
      );
    }),
  );
  const names = groups.map((name, group) =>
    text(MARGIN.left + across * (group + 0.5), floorY() + 18, name, 'middle'),
  );
  return frame(title, unit, scale, series, [...marks, ...names]);
}

/**
 * Lines through points.
 *
 * @param {{ title: string, unit: string, along: string, isLogAlong?: boolean,
 *   series: { name: string, points: [number, number][] }[] }} plot
 */
export function lines({ title, unit, along, isLogAlong = false, series }) {
  const scale = scaleOf(
    series.flatMap(({ points }) => points.map(([, value]) => value)),
    false,
  );
  const places = [...new Set(series.flatMap(({ points }) => points.map(([place]) => place)))].sort(
    (a, b) => a - b,
  );
  const on = isLogAlong ? Math.log10 : (place) => place;
  const [first, last] = [on(places[0]), on(places.at(-1))];
  const x = (place) =>
    MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * (on(place) - first)) / (last - first || 1);
  const marks = series.map(({ points }, index) => {
    const path = points.map(([place, value]) => `${at(x(place))},${at(scale.y(value))}`).join(' ');
    const dots = points.map(
      ([place, value]) =>
        `<circle cx="${at(x(place))}" cy="${at(scale.y(value))}" r="3" fill="${colour(index)}">` +
        `<title>${escape(`${short(place)}: ${short(value)} ${unit}`)}</title></circle>`,
    );
    return `<polyline points="${path}" fill="none" stroke="${colour(index)}" stroke-width="2"/>${dots.join('')}`;
  });
  const names = places.map((place) => text(x(place), floorY() + 18, short(place), 'middle', 10));
  const under = text((MARGIN.left + WIDTH - MARGIN.right) / 2, floorY() + 34, along, 'middle');
  return frame(title, unit, scale, series, [...marks, ...names, under]);
}

const floorY = () => HEIGHT - MARGIN.bottom;
const colour = (index) => COLOURS[index % COLOURS.length];
const at = (value) => value.toFixed(1);

function scaleOf(values, mayBeLog) {
  const high = Math.max(...values);
  const low = Math.min(...values.filter((value) => value > 0));
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  if (mayBeLog && high / low > 20) {
    const [bottom, top] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    const ticks = Array.from({ length: top - bottom + 1 }, (_unused, step) => 10 ** (bottom + step));
    return {
      ticks,
      y: (value) =>
        floorY() - (height * (Math.log10(Math.max(value, ticks[0])) - bottom)) / (top - bottom || 1),
    };
  }
  const step = niceStep(high / 4);
  const ticks = Array.from({ length: Math.ceil(high / step) + 1 }, (_unused, index) => index * step);
  return { ticks, y: (value) => floorY() - (height * value) / ticks.at(-1) };
}

/** The next of 1, 2, 5, 10, 20 and so on. */
function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

function frame(title, unit, scale, series, marks) {
  const grid = scale.ticks.map(
    (tick) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at(scale.y(tick))}" y2="${at(scale.y(tick))}" ` +
      `stroke="${INK}" stroke-opacity="0.3"/>${text(MARGIN.left - 6, scale.y(tick) + 4, short(tick), 'end', 10)}`,
  );
  const legend = series.map(({ name }, index) => {
    const left = MARGIN.left + index * 150;
    return (
      `<rect x="${left}" y="${HEIGHT - 22}" width="12" height="12" fill="${colour(index)}"/>` +
      text(left + 18, HEIGHT - 12, name, 'start')
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif">`,
    text(MARGIN.left, 22, title, 'start', 15),
    text(MARGIN.left, 38, unit, 'start', 10),
    ...grid,
    ...marks,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

function text(x, y, content, anchor, size = 12) {
  return (
    `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" font-size="${size}" fill="${INK}">` +
    `${escape(content)}</text>`
  );
}

function short(value) {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 10_000) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

function escape(content) {
  return String(content).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export type Panel = {
  title: string;
  /** By Grafana's names of units. */
  unit: string;
  /** A query, and the name of each of its series. */
  queries: readonly (readonly [query: string, legend: string])[];
  /** Shows the traces that the histograms of its last query name; those of the others would be the same. */
  hasExemplars?: true;
};

export type Row = { title: string; panels: readonly Panel[] };

const WIDTH = 24;
const HEIGHT = 8;
const SOURCE = { type: 'prometheus', uid: '${datasource}' };

/** Rows below each other, their panels side by side over the whole width. */
export function panelsOf(rows: readonly Row[]): object[] {
  let id = 0;
  return rows.flatMap(({ title, panels }, place) => {
    const y = place * (HEIGHT + 1);
    const w = WIDTH / panels.length;
    return [
      {
        id: (id += 1),
        type: 'row',
        title,
        collapsed: false,
        gridPos: { h: 1, w: WIDTH, x: 0, y },
        panels: [],
      },
      ...panels.map((panel, column) => ({
        id: (id += 1),
        type: 'timeseries',
        title: panel.title,
        datasource: SOURCE,
        gridPos: { h: HEIGHT, w, x: column * w, y: y + 1 },
        fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
        targets: panel.queries.map(([expr, legendFormat], index) => ({
          refId: String.fromCharCode(65 + index),
          datasource: SOURCE,
          expr,
          legendFormat,
          ...(panel.hasExemplars === true && index === panel.queries.length - 1 ? { exemplar: true } : {}),
        })),
      })),
    ];
  });
}

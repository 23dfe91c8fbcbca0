// A picture of a terminal as SVG: what is on its screen, with the colours, at the widths of the cells.

const FONT_SIZE = 14;
const CELL = { width: 8.43, height: 19 };
const MARGIN = 16;
const BAR = 32;
// A dark theme of enough contrast; the sixteen colours of the terminal, then cube and greys as xterm computes them.
const GROUND = '#0d1117';
const INK = '#e6edf3';
const COLOURS = [
  '#484f58', '#ff7b72', '#3fb950', '#d29922', '#58a6ff', '#bc8cff', '#39c5cf', '#b1bac4',
  '#6e7681', '#ffa198', '#56d364', '#e3b341', '#79c0ff', '#d2a8ff', '#56d4dd', '#ffffff',
];
const LEVELS = [0, 95, 135, 175, 215, 255];

const hex = (value) => `#${value.toString(16).padStart(6, '0')}`;

function paletteColour(index) {
  if (index < 16) return COLOURS[index];
  if (index >= 232) return hex((8 + 10 * (index - 232)) * 0x010101);
  const cube = index - 16;
  return hex((LEVELS[Math.floor(cube / 36)] << 16) | (LEVELS[Math.floor(cube / 6) % 6] << 8) | LEVELS[cube % 6]);
}

const colour = (isDefault, isRgb, value, otherwise) => (isDefault ? otherwise : isRgb ? hex(value) : paletteColour(value));

function look(cell) {
  const fore = colour(cell.isFgDefault(), cell.isFgRGB(), cell.getFgColor(), INK);
  const back = colour(cell.isBgDefault(), cell.isBgRGB(), cell.getBgColor(), GROUND);
  const [ink, paper] = cell.isInverse() ? [back, fore] : [fore, back];
  return { ink, paper, bold: Boolean(cell.isBold()), text: cell.getChars() || ' ' };
}

// The runs of a row that look alike, without the empty end.
function runs(row, columns) {
  const found = [];
  for (let x = 0; x < columns; x += 1) {
    const { ink, paper, bold, text } = look(row.getCell(x));
    const last = found.at(-1);
    if (last && last.ink === ink && last.paper === paper && last.bold === bold) last.text += text;
    else found.push({ x, ink, paper, bold, text });
  }
  while (found.length && !found.at(-1).text.trim() && found.at(-1).paper === GROUND) found.pop();
  if (found.length && found.at(-1).paper === GROUND) found.at(-1).text = found.at(-1).text.trimEnd();
  return found;
}

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const number = (value) => String(Math.round(value * 100) / 100);

export function renderSvg(terminal, title) {
  const { active } = terminal.buffer;
  const rows = [];
  for (let y = 0; y < active.length; y += 1) rows.push(runs(active.getLine(y), terminal.cols));
  rows.length = rows.findLastIndex((row) => row.length) + 1;

  const width = Math.ceil(terminal.cols * CELL.width + 2 * MARGIN);
  const height = BAR + rows.length * CELL.height + MARGIN;
  const lines = rows.flatMap((row, y) => {
    const top = BAR + y * CELL.height;
    const papers = row.filter(({ paper }) => paper !== GROUND).map(({ x, paper, text }) => (
      `<rect x="${number(MARGIN + x * CELL.width)}" y="${top}" width="${number(text.length * CELL.width)}" height="${CELL.height}" fill="${paper}"/>`));
    // A browser may draw several spaces as one, and a font has its own widths: every part has its place and length.
    const spans = row.flatMap(({ x, ink, bold, text }) => [...text.matchAll(/\S+(?: \S+)*/g)].map(({ 0: part, index }) => (
      `<tspan x="${number(MARGIN + (x + index) * CELL.width)}" textLength="${number(part.length * CELL.width)}" fill="${ink}"${bold ? ' font-weight="bold"' : ''}>${escape(part)}</tspan>`)));
    const text = spans.length ? [`<text y="${number(top + CELL.height * 0.72)}">${spans.join('')}</text>`] : [];
    return [...papers, ...text];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escape(title)}</title>
<rect width="${width}" height="${height}" rx="8" fill="${GROUND}"/>
<g fill="#484f58"><circle cx="20" cy="16" r="5"/><circle cx="38" cy="16" r="5"/><circle cx="56" cy="16" r="5"/></g>
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="${FONT_SIZE}">
${lines.join('\n')}
</g>
</svg>
`;
}

// Reads a QR code off a terminal's screen as a phone's camera does: from the colours, not from the characters.
import jsQR from 'jsqr';

// Pixels for half a cell, which is about square.
const SCALE = 4;
// xterm's sixteen colours; the other 240 are computed.
const COLOURS = [
  0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5,
  0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
];
const LEVELS = [0, 95, 135, 175, 215, 255];

function paletteColour(index) {
  if (index < 16) return COLOURS[index];
  if (index >= 232) return (8 + 10 * (index - 232)) * 0x010101;
  const cube = index - 16;
  return (LEVELS[Math.floor(cube / 36)] << 16) | (LEVELS[Math.floor(cube / 6) % 6] << 8) | LEVELS[cube % 6];
}

// Upper and lower half of a cell, as 24 bit colours.
function halves(cell, ground) {
  const [defaultFore, defaultBack] = ground === 'black' ? [0xffffff, 0x000000] : [0x000000, 0xffffff];
  const colour = (isDefault, isRgb, value, otherwise) => {
    if (isDefault) return otherwise;
    return isRgb ? value : paletteColour(value);
  };
  const fore = colour(cell.isFgDefault(), cell.isFgRGB(), cell.getFgColor(), defaultFore);
  const back = colour(cell.isBgDefault(), cell.isBgRGB(), cell.getBgColor(), defaultBack);
  const [ink, paper] = cell.isInverse() ? [back, fore] : [fore, back];
  return { '█': [ink, ink], '▀': [ink, paper], '▄': [paper, ink] }[cell.getChars()] ?? [paper, paper];
}

// The code's text, or null. `ground` is the terminal's own background, black or white. Only dark on light counts:
// that is the standard (ISO/IEC 18004), and not every phone reads the reverse.
export function readQrCode(terminal, ground) {
  const { active } = terminal.buffer;
  const width = terminal.cols * SCALE;
  const height = active.length * 2 * SCALE;
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < active.length; y += 1) {
    for (let x = 0; x < terminal.cols; x += 1) {
      halves(active.getLine(y).getCell(x), ground).forEach((rgb, half) => {
        for (let row = (y * 2 + half) * SCALE; row < (y * 2 + half + 1) * SCALE; row += 1) {
          for (let column = x * SCALE; column < (x + 1) * SCALE; column += 1) {
            pixels.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, 255], (row * width + column) * 4);
          }
        }
      });
    }
  }
  return jsQR(pixels, width, height, { inversionAttempts: 'dontInvert' })?.data ?? null;
}
